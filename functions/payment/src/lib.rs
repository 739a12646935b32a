//! Payment services, and other senders that sign JSON with an HMAC: the engine of described senders, as `payment`.
#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[cfg(feature = "sender")]
mod samples;

use std::time::Duration;

use letterbox_signed::{Branch, Described};

/// The provider.
pub type Payment = Described<PaymentBranch>;

/// The name and the deadline of the function.
pub enum PaymentBranch {}

impl Branch for PaymentBranch {
    const NAME: &'static str = "payment";
    const DEADLINE: Duration = Duration::from_secs(5);
}
