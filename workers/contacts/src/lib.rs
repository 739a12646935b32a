//! The contact sync: mirrors DingTalk's directory into WeCom.
#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

pub mod model;
pub mod settings;
pub mod source;
pub mod target;
pub mod trouble;
