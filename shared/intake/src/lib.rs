//! The shell around a provider's protocol: it does all I/O.
//!
//! ```text
//! gateway event ─▶ gateway ─▶ Intake::handle ─▶ Provider::receive ─▶ Queue::put ─▶ reply
//! ```
//! [`run`] is the `main` of a Lambda function; the local server uses the same [`Intake`].

pub mod ambient;
pub mod archive;
pub mod aws;
pub mod fetch;
pub mod gateway;
pub mod handler;
mod invocation;
pub mod log;
mod metrics;
mod origin;
mod outcome;
pub mod queue;
mod record;
pub mod refreshed;
pub mod replay;
mod runtime;
pub mod settings;

pub use fetch::Fetcher;
pub use handler::{Answer, Intake};
pub use origin::{Object, secret};
pub use outcome::Outcome;
pub use queue::{Message, Queue, QueueError};
pub use record::Record;
pub use refreshed::{Keyring, Refreshed};
pub use runtime::run;
