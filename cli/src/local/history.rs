//! The delivery history of the local server: requests, their verification and their responses.

pub mod readers;
pub mod recorder;
pub mod sqlite;

use std::time::Duration;

use letterbox_codec::{Request, Stage, Timestamp};
use letterbox_intake::Outcome;
use serde::{Deserialize, Serialize};

/// Limits of the history. If one is exceeded, the oldest deliveries are removed.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Maximum number of deliveries.
    pub number: u32,
    /// Maximum age of a delivery.
    pub age: Duration,
    /// Maximum total size in bytes.
    pub bytes: u64,
}

/// A delivery as the list shows it.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The number: it increases with every delivery and is never reused.
    pub id: i64,
    /// The time of receipt.
    pub received: Timestamp,
    /// The provider.
    pub provider: String,
    /// The source in the route.
    pub source: String,
    /// The event type; `None` if there is no event.
    pub kind: Option<String>,
    /// The code of an [`Outcome`], or the code that another version of Letterbox stored.
    pub outcome: String,
    /// The reason code of a refusal, or the provider's remark.
    pub reason: Option<String>,
    /// The HTTP status of the response.
    pub status: u16,
    /// From the request's arrival to the response.
    pub milliseconds: f64,
}

impl Summary {
    /// The outcome; `None` if this version of Letterbox does not know the stored code.
    pub fn known_outcome(&self) -> Option<Outcome> {
        known_outcome(&self.outcome)
    }
}

/// Every outcome, in the order in which the page offers them.
pub const OUTCOMES: [Outcome; 5] =
    [Outcome::Queued, Outcome::Answered, Outcome::Refused, Outcome::Failed, Outcome::Unqueued];

/// The outcome with this code.
pub fn known_outcome(code: &str) -> Option<Outcome> {
    OUTCOMES.into_iter().find(|outcome| outcome.as_str() == code)
}

/// A delivery with everything that the history stores about it.
pub struct StoredDelivery {
    /// The part that the list shows.
    pub summary: Summary,
    /// The request with its exact body; see [`WITHHELD`] for headers that are not stored.
    pub request: Request,
    /// The decoded content, if verification and decryption succeeded and it differs from the body.
    pub content: Option<Vec<u8>>,
    /// The body of the queue message, whether or not the queue accepted it.
    pub message: Option<String>,
    /// How it was verified and what was returned.
    pub trace: Trace,
}

/// How a delivery was verified, and the response to it.
#[derive(Default, Deserialize, Serialize)]
pub struct Trace {
    /// The number of the delivery that this one repeats.
    pub redelivery_of: Option<i64>,
    /// True if the body was too large or arrived incomplete: it is not stored and cannot be redelivered.
    pub body_is_lost: bool,
    /// The detail for the operator, as in the log.
    pub detail: Option<String>,
    /// The stage that a refused delivery did not pass.
    pub stage: Option<Stage>,
    /// The position (from 1) of the credential entry that verified it, and the number of entries.
    pub key: Option<(usize, usize)>,
    /// The checks that passed, one line each.
    #[serde(alias = "held")]
    pub checks: Vec<String>,
    /// The attributes of the queue message.
    pub attributes: Vec<(String, String)>,
    /// The headers of the response.
    pub reply_headers: Vec<(String, String)>,
    /// The body of the response as it was sent.
    pub reply: String,
    /// The response's plaintext, or why the platform would reject the response.
    pub reply_in_clear: Option<Result<String, String>>,
}

/// Which deliveries the list shows; an empty field matches every delivery.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Filter {
    /// The provider.
    pub provider: String,
    /// A substring of the source.
    pub source: String,
    /// The code of the outcome.
    pub outcome: String,
    /// A substring of the event type.
    #[serde(rename = "type")]
    pub kind: String,
    /// A substring of the request, the decoded content or the queue message.
    pub q: String,
}

/// Request headers for this server or a proxy, which are not part of a delivery: their values are not stored.
pub const WITHHELD: [http::HeaderName; 3] =
    [http::header::AUTHORIZATION, http::header::COOKIE, http::header::PROXY_AUTHORIZATION];

/// Stored in place of such a value.
pub const NOT_STORED: &str = letterbox_intake::archive::mask::MASK;
