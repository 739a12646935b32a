//! What the workers share: requests to the APIs of platforms, the state between runs, and the Lambda function around them.
//!
//! - [`http`]: one HTTPS client, with a time limit and a bounded body; the environment may name a proxy.
//! - [`store`]: small items in a `DynamoDB` table, written on conditions.
//! - [`lease`]: one run at a time.
//! - [`worker`]: start, credentials, log and metrics of a function.
#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

pub mod http;
pub mod lease;
pub mod store;
pub mod worker;
