//! curl commands, read and written.

mod ansi_c;
pub mod read;
pub mod write;
