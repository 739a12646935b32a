//! What became of a delivery.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The outcome of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The queue accepted the event.
    Queued,
    /// Answered; the delivery has no event.
    Answered,
    /// Answered with a 4xx.
    Refused,
    /// The queue did not accept the event: answered with 503, so that the platform retries.
    Failed,
    /// The queue did not accept the event, but the reply was sent: it is what the platform asked for.
    Unqueued,
}

impl Outcome {
    /// A stable code for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unqueued => "unqueued",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
