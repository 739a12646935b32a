//! The shell around a protocol.
//!
//! ```text
//! gateway event ─▶ gateway ─▶ Intake::handle ─▶ Provider::receive ─▶ Queue::put ─▶ reply
//! ```
//! [`run`] is a Lambda function's whole `main`; a local server drives the same [`Intake`].

pub mod ambient;
pub mod aws;
pub mod credentials;
pub mod gateway;
pub mod handler;
pub mod keyring;
mod log;
mod metrics;
pub mod queue;
mod runtime;
pub mod settings;

pub use credentials::Sources;
pub use handler::{Answer, Intake, Outcome, Record};
pub use keyring::Keyring;
pub use queue::{Message, Queue, QueueError};
pub use runtime::run;
