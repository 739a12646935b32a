//! Letterbox on one machine: the parts of the program `letterbox`.

pub mod args;
pub mod credentials;
pub mod doctor;
pub mod events;
pub mod providers;
pub mod queue;
pub mod send;
pub mod serve;
pub mod store;
