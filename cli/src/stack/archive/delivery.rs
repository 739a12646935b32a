//! One delivery of the archive.

use letterbox_codec::Timestamp;
use letterbox_intake::{Outcome, archive::Record};
use serde::{Deserialize, Serialize};

/// A delivery, and its identity.
#[derive(Clone, Debug)]
pub struct ArchivedDelivery {
    /// The identity: API Gateway's request id.
    pub request_id: String,
    /// What the archive has of it.
    pub record: Record,
}

/// The place of a delivery in the order of all: its time of receipt, then its request id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The time of receipt.
    pub time: Timestamp,
    /// API Gateway's request id.
    pub request_id: String,
}

impl ArchivedDelivery {
    /// Reads a line; `None` if it is no record, or has no request id.
    pub fn parse(line: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Event {
            #[serde(rename = "requestContext")]
            context: Context,
        }

        #[derive(Deserialize)]
        struct Context {
            #[serde(rename = "requestId")]
            request_id: String,
        }

        let record: Record = serde_json::from_slice(line).ok()?;
        let Event { context: Context { request_id } } = serde_json::from_str(record.event.get()).ok()?;
        Some(Self { request_id, record })
    }

    /// Its place in the order of all deliveries.
    pub fn position(&self) -> Position {
        Position { time: self.record.time, request_id: self.request_id.clone() }
    }

    /// True if this record is to be preferred to another one of the same delivery: the record of an accepted delivery is
    /// written while its event is put on the queue, and is corrected by another one if that failed.
    pub fn corrects(&self, other: &Self) -> bool {
        self.record.outcome != Outcome::Queued && other.record.outcome == Outcome::Queued
    }

    /// Its approximate size in memory, in bytes.
    pub fn size(&self) -> usize {
        let message = self.record.message.as_ref().map_or(0, |message| message.get().len());
        size_of::<Self>()
            .saturating_add(self.request_id.len())
            .saturating_add(self.record.event.get().len())
            .saturating_add(message)
    }

    /// The record as one line of JSON, without the line feed.
    pub fn to_json(&self) -> String {
        // Strings, and JSON that was read: there is nothing in it that could not be written.
        serde_json::to_string(&Line { request_id: &self.request_id, record: &self.record })
            .unwrap_or_default()
    }
}

/// A record with its identity as a member.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "requestId")]
    request_id: &'a str,
    #[serde(flatten)]
    record: &'a Record,
}
