//! Reads and writes curl commands.

mod ansi_c;
mod cmd;
pub mod read;
pub mod write;
