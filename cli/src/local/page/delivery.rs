//! A delivery as the page shows it, wherever it is stored.

use letterbox_codec::{Request, Timestamp};
use letterbox_intake::Outcome;

use crate::local::history::{StoredDelivery, Summary, Trace, known_outcome};

/// A line of the list.
#[derive(Clone, Debug)]
pub struct Line {
    /// What names the delivery in a path of the page, percent-encoded.
    pub key: String,
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
    /// The status of the response, and the milliseconds from the request's arrival to it; `None` if they are not stored.
    pub response: Option<(u16, f64)>,
}

/// A delivery with everything that the page shows about it.
pub struct Delivery {
    /// The part that the list shows.
    pub line: Line,
    /// How the page calls it: its number, or its request id.
    pub name: String,
    /// The request. The value of a header that is not stored is `***`.
    pub request: Request,
    /// The decoded content, if verification and decryption succeeded and it differs from the body.
    pub content: Option<Vec<u8>>,
    /// The body of the queue message, whether or not the queue accepted it.
    pub message: Option<String>,
    /// How it was verified and what was returned.
    pub trace: Trace,
}

/// The result of judging a delivery again.
#[derive(Debug, PartialEq, Eq)]
pub enum Judgement {
    /// There was nothing to judge: the delivery was accepted.
    NotNeeded,
    /// It cannot be judged.
    Impossible(Obstacle),
    /// It would be accepted.
    Accepted,
    /// It would be refused for the reason that the archive has.
    RefusedAgain,
    /// It would be refused for this other reason.
    RefusedAs(&'static str),
    /// The function would not start with the stack's credentials.
    NoStart,
}

/// Why a delivery cannot be judged.
#[derive(Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The stack's credentials could not be read. Contains the reason.
    Credentials(String),
    /// These headers are masked.
    Masked(Vec<String>),
    /// The body is not in the archive.
    NoBody,
    /// The API Gateway event is invalid. Contains the reason.
    Event(String),
}

impl Line {
    /// The outcome; `None` if this version of Letterbox does not know the stored code.
    pub fn known_outcome(&self) -> Option<Outcome> {
        known_outcome(&self.outcome)
    }
}

impl From<Summary> for Line {
    fn from(summary: Summary) -> Self {
        Self {
            key: summary.id.to_string(),
            received: summary.received,
            provider: summary.provider,
            source: summary.source,
            kind: summary.kind,
            outcome: summary.outcome,
            reason: summary.reason,
            response: Some((summary.status, summary.milliseconds)),
        }
    }
}

impl From<StoredDelivery> for Delivery {
    fn from(stored: StoredDelivery) -> Self {
        let StoredDelivery { summary, request, content, message, trace } = stored;
        Self { name: summary.id.to_string(), line: summary.into(), request, content, message, trace }
    }
}
