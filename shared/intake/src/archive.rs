//! The archive of deliveries: what came, and its outcome.
//!
//! It never decides about a delivery: a record that cannot be stored is counted, and the response is the same.

mod archivist;
pub mod firehose;
pub mod mask;
mod pause;
mod rate;
mod record;
mod store;

pub use archivist::{Archivist, DEFAULT_REFUSED_PER_MINUTE};
pub(crate) use archivist::{Conclusion, Draft, limit};
pub use record::{Part, Record};
pub use store::{Archive, ArchiveError, Archived, LARGEST_LINE, Put};
