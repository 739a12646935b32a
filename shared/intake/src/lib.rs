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
mod invocation;
mod log;
mod metrics;
mod origin;
pub mod queue;
pub mod renewed;
mod runtime;
pub mod settings;

pub use credentials::{Keyring, Sources};
pub use handler::{Answer, Intake, Outcome, Record};
pub use queue::{Message, Queue, QueueError};
pub use renewed::Renewed;
pub use runtime::run;
