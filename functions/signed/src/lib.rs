//! Every sender that signs its webhooks and is no payment service: the engine of described senders, as `signed`.
#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[cfg(feature = "sender")]
mod samples;

use std::time::Duration;

use letterbox_signed::Branch;

/// The provider.
pub type Signed = letterbox_signed::Described<SignedBranch>;

/// The name and the deadline of the function.
pub enum SignedBranch {}

impl Branch for SignedBranch {
    const NAME: &'static str = "signed";
    const DEADLINE: Duration = Duration::from_secs(5);
}
