//! Recent deliveries: what a local server received, how far it was opened, and what was answered.

pub mod readers;
pub mod recorder;
pub mod sqlite;

use std::time::Duration;

use letterbox_codec::{Request, Timestamp};
use serde::{Deserialize, Serialize};

/// How many are kept; what is beyond any of these goes, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many.
    pub number: u32,
    /// How old the oldest may be.
    pub age: Duration,
    /// How many bytes they may take together.
    pub bytes: u64,
}

/// What the list shows of a delivery.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Its number: rises with every delivery, and is never given twice.
    pub id: i64,
    /// When it came.
    pub received: Timestamp,
    /// The provider.
    pub provider: String,
    /// The source in the route.
    pub source: String,
    /// The event's type; none where there is no event.
    pub kind: Option<String>,
    /// A word of [`letterbox_intake::Outcome`].
    pub outcome: String,
    /// A stable word for why: a refusal's code, or the provider's remark.
    pub reason: Option<String>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// From the request's arrival to the answer.
    pub milliseconds: f64,
}

/// A delivery with everything that is kept of it.
pub struct Delivery {
    /// As in the list.
    pub summary: Summary,
    /// The request, with the exact bytes that came; see [`WITHHELD`].
    pub request: Request,
    /// What was inside, as far as it opened.
    pub content: Option<Vec<u8>>,
    /// The queue message, as it was or would have been put.
    pub message: Option<String>,
    /// The rest.
    pub trace: Trace,
}

/// How a delivery was opened and answered.
#[derive(Default, Deserialize, Serialize)]
pub struct Trace {
    /// The delivery whose bytes were sent again.
    pub redelivery_of: Option<i64>,
    /// Whether the body could not be read, so that there is none to see or to send again.
    pub body_is_lost: bool,
    /// The operator's detail, as in the log.
    pub detail: Option<String>,
    /// The name of the step that failed.
    pub failed: Option<String>,
    /// Which of the source's keys opened it, from 1, and of how many.
    pub key: Option<(usize, usize)>,
    /// What was found to hold.
    pub held: Vec<String>,
    /// The attributes of the queue message.
    pub attributes: Vec<(String, String)>,
    /// The headers of the answer.
    pub reply_headers: Vec<(String, String)>,
    /// The body of the answer, as it was sent.
    pub reply: String,
    /// The answer in clear, or why the platform would not take it.
    pub reply_in_clear: Option<Result<String, String>>,
}

/// Which deliveries the list shows; an empty text is any.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Filter {
    /// The provider.
    pub provider: String,
    /// A part of the source.
    pub source: String,
    /// The outcome.
    pub outcome: String,
    /// A part of the event's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// A text in the request, in what was inside, or in the queue message.
    pub q: String,
}

/// Request headers that are for this server or a proxy and no part of any delivery: their values are not kept.
pub const WITHHELD: [http::HeaderName; 3] =
    [http::header::AUTHORIZATION, http::header::COOKIE, http::header::PROXY_AUTHORIZATION];

/// What stands in the place of such a value.
pub const NOT_KEPT: &str = "***";
