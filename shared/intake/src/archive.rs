//! The archive of deliveries: what came, and its outcome.

mod record;

pub use record::{Part, Record};
