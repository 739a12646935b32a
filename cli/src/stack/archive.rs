//! The archive of a stack: the deliveries that its functions have received, read from the archive bucket.
//!
//! ```text
//! prefixes by hour ─▶ objects ─▶ lines ─▶ filter ─▶ order, one record a delivery ─▶ Reader::next
//! ```
//! A [`Reader`] streams: whatever the size of the archive, it holds a few objects, and the records of a few minutes.

mod delivery;
mod filter;
mod hours;
mod lines;
mod merge;
mod order;
mod reader;

use aws_sdk_s3::Client;

use super::{Account, Stack};

pub use self::{
    delivery::{ArchivedDelivery, Position},
    filter::{Filter, Pattern},
    order::Order,
    reader::{Progress, Reader},
};

/// The output of the template that names the bucket. A stack without an archive does not have it.
pub const OUTPUT: &str = "ArchiveBucketName";

/// The archive bucket of a stack.
#[derive(Clone, Debug)]
pub struct Archive {
    client: Client,
    bucket: String,
}

impl Archive {
    /// The archive of a stack; `None` if it has none: `ArchiveDays` is 0, or the stack was deployed before there was one.
    pub fn of(account: &Account, stack: &Stack) -> Option<Self> {
        let bucket = stack.output(OUTPUT).filter(|name| !name.is_empty())?.to_owned();
        Some(Self { client: Client::new(&account.config), bucket })
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Starts to read the deliveries that the filter passes. Must run inside a Tokio runtime.
    pub fn read(&self, order: Order, filter: Filter) -> Reader {
        Reader::start(self.client.clone(), self.bucket.clone(), order, filter)
    }
}
