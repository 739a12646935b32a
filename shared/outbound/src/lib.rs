//! What the workers share: requests to the APIs of platforms, and the state between runs.
//!
//! - [`http`]: one HTTPS client, with a time limit and a bounded body; the environment may name a proxy.
//! - [`store`]: small items in a `DynamoDB` table, written on conditions.
//! - [`lease`]: one run at a time.
#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

pub mod http;
pub mod lease;
pub mod store;
