//! The tests of the program as one binary, so that its libraries are linked once and not once per file.
//!
//! A new file is a line here. `cargo test -p letterbox --test it page::` runs one of them.

mod doctor;
mod local;
mod open;
mod page;
mod program;
mod send;
mod sign;
mod strangers;
mod terminal;
