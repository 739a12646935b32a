//! Reads and writes curl commands.

mod ansi_c;
pub mod read;
pub mod write;
