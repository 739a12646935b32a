//! The state between runs: small items in partitions, one partition for each account.

pub mod dynamo;
pub mod memory;

use std::{fmt, pin::Pin};

use letterbox_codec::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

/// The largest text of one item, in bytes. `DynamoDB` stores items of at most 400 KB:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html> (read 2026-11-27).
pub const LARGEST_ITEM: usize = 300 * 1024;

/// One item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The account, or `run`.
    pub partition: String,
    /// The item's key in its partition.
    pub key: String,
    /// Its content, as JSON.
    pub body: String,
    /// Counts the writes of an item that is written on a condition.
    pub revision: u64,
    /// When it may be deleted; never if `None`.
    pub expires: Option<Timestamp>,
}

impl Item {
    /// An item with a value.
    pub fn new(partition: &str, key: impl Into<String>, value: &impl Serialize) -> Result<Self, StoreError> {
        let body = serde_json::to_string(value).map_err(|error| StoreError(error.to_string()))?;
        Ok(Self { partition: partition.to_owned(), key: key.into(), body, revision: 0, expires: None })
    }

    /// The same item, which may be deleted from then on.
    #[must_use]
    pub fn until(mut self, expires: Timestamp) -> Self {
        self.expires = Some(expires);
        self
    }

    /// Reads the value.
    pub fn value<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        let read = serde_json::from_str(&self.body);
        read.map_err(|error| StoreError(format!("{} {}: {error}", self.partition, self.key)))
    }
}

/// When a write takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Always.
    Always,
    /// If there is no such item.
    Absent,
    /// If the item has this revision.
    Revision(u64),
}

/// The state could not be read or written. The text is for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct StoreError(pub String);

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the state: {}", self.0)
    }
}

/// A request to the store, in progress.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Where the state is. Every write is durable once it has succeeded.
pub trait Store: Send + Sync {
    /// One item.
    fn get<'a>(&'a self, partition: &'a str, key: &'a str) -> Pending<'a, Option<Item>>;

    /// The items whose key starts with `prefix`, which may be empty, in the order of their keys, at most `most`.
    fn list<'a>(&'a self, partition: &'a str, prefix: &'a str, most: usize) -> Pending<'a, Vec<Item>>;

    /// Writes an item. `false` if the condition does not hold; nothing is written then.
    fn put<'a>(&'a self, item: &'a Item, condition: Condition) -> Pending<'a, bool>;

    /// Writes all of at most 100 items, or none.
    fn put_all<'a>(&'a self, items: &'a [Item]) -> Pending<'a, ()>;

    /// Deletes an item, if there is one.
    fn delete<'a>(&'a self, partition: &'a str, key: &'a str) -> Pending<'a, ()>;
}
