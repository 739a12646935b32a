//! A replay: a delivery from the archive that is handed to the function again, to be judged as of its receipt.
//!
//! A marker beside the members of the API Gateway event says so. API Gateway builds these members itself, and everything
//! that a sender controls is inside of them: only a caller with `lambda:InvokeFunction` can set the marker.

use letterbox_codec::{Reject, Timestamp, timestamp::rfc3339};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Outcome, Record};

/// The member of the API Gateway event that holds the [`Marker`], and of the response that holds the [`Verdict`].
pub const MEMBER: &str = "letterbox";

/// What marks a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// When the function received the delivery from the platform: [`crate::archive::Record::time`].
    #[serde(rename = "receivedtime", with = "rfc3339")]
    pub received: Timestamp,
}

impl Marker {
    /// Reads a marker. It is invalid if its time is not RFC 3339, or later than `now`.
    pub fn read(json: &RawValue, now: Timestamp) -> Result<Self, Reject> {
        let marker: Option<Self> = serde_json::from_str(json.get()).ok();
        marker.filter(|marker| marker.received <= now).ok_or_else(|| {
            Reject::malformed("letterbox.receivedtime", "a time in RFC 3339 that is not in the future")
        })
    }
}

/// What became of a replayed delivery. The members have the values of the log line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The outcome.
    pub outcome: Outcome,
    /// The code of the refusal or failure, or the provider's remark on its reply.
    pub reason: Option<String>,
    /// The field and what was expected, or the error of the queue.
    pub detail: Option<String>,
    /// The event's id.
    pub id: Option<String>,
    /// The event's type.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

impl From<&Record> for Verdict {
    fn from(record: &Record) -> Self {
        Self {
            outcome: record.outcome,
            reason: record.reason.map(str::to_owned),
            detail: record.detail.clone(),
            id: record.id.clone(),
            kind: record.kind.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_749_600_123);

    #[test]
    fn a_marker_has_a_time_that_is_not_in_the_future() {
        for (json, expected) in [
            (r#"{"receivedtime":"2026-11-27T03:20:00.123Z"}"#, Some(NOW)),
            (r#"{"receivedtime":"2026-11-27T11:20:00.123+08:00","more":1}"#, Some(NOW)),
            (r#"{"receivedtime":"1970-01-01T00:00:00Z"}"#, Some(Timestamp(0))),
            (r#"{"receivedtime":"2026-11-27T03:20:00.124Z"}"#, None),
            (r#"{"receivedtime":"9999-12-31T23:59:59Z"}"#, None),
            (r#"{"receivedtime":"2026-11-27 03:20"}"#, None),
            (r#"{"receivedtime":"1795749600"}"#, None),
            (r#"{"receivedtime":1795749600}"#, None),
            (r#"{"receivedtime":null}"#, None),
            ("{}", None),
            ("null", None),
            ("true", None),
        ] {
            let json: Box<RawValue> = serde_json::from_str(json).unwrap();
            let marker = Marker::read(&json, NOW);
            assert_eq!(marker.as_ref().ok().map(|marker| marker.received), expected, "{json}");
            assert!(marker.is_ok() || marker.unwrap_err().status() == 400);
        }
        let written = serde_json::to_string(&Marker { received: NOW }).unwrap();
        assert_eq!(written, r#"{"receivedtime":"2026-11-27T03:20:00.123Z"}"#);
    }
}
