//! The tests that span crates as one binary, so that their libraries are linked once and not once per file.
//!
//! Add a line here for a new file. `cargo test -p letterbox-tests --test it vectors::` runs one of them.

mod agreement;
mod building;
mod fuzzing;
mod generated;
mod layers;
mod platform_side;
mod platforms;
mod promises;
mod properties;
mod purity;
mod reports;
mod rows;
mod samples;
mod senders;
mod translations;
mod vectors;
