//! The tests of the program in one binary, so that its libraries are linked once and not once per file.
//!
//! Add a line here for a new file. `cargo test -p letterbox --test it page::` runs one of them.

mod certificate;
mod doctor;
mod doctor_reports;
mod faults;
mod hostile;
mod local;
mod open;
mod page;
mod program;
mod reports;
mod send;
mod sign;
mod strangers;
mod terminal;
