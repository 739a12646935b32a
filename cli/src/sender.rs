//! Acts as a platform: selects a payload, signs or encrypts it as the platform does, and sends it.

pub mod delivery;
pub mod post;
pub mod repeat;
pub mod sample;
