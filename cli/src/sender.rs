//! Acting as a platform: which payload goes where, signed or encrypted as the platform does it, and how it is sent.

pub mod delivery;
pub mod post;
pub mod repeat;
pub mod sample;
