//! One record of the archive: a delivery as it came, and its outcome.

use letterbox_codec::{Timestamp, timestamp::rfc3339};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Outcome;

/// One delivery in the archive, a line of JSON. Members that are not listed here are ignored when it is read.
///
/// The identity of a delivery is `requestContext.requestId` of [`Self::event`]. The archive may have a record twice. If
/// it has several records of one delivery, the one whose outcome is not [`Outcome::Queued`] is right: the record of an
/// accepted delivery is written while its event is put on the queue, and another follows if the queue did not accept it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// When the function received the delivery; RFC 3339 with milliseconds in JSON.
    #[serde(with = "rfc3339")]
    pub time: Timestamp,
    /// The provider's name.
    pub provider: String,
    /// The source, which the credentials have.
    pub source: String,
    /// Never [`Outcome::Answered`]: handshakes are not archived.
    pub outcome: Outcome,
    /// The code of the refusal or failure, or the provider's remark on its reply.
    pub reason: Option<String>,
    /// The event's id; `None` if there is no event, as in a refused delivery.
    pub id: Option<String>,
    /// The event's type.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The API Gateway event. Values of headers that hold a secret are masked; line breaks between its tokens are spaces.
    pub event: Box<RawValue>,
    /// The `CloudEvents` object that was put on the queue, or that the queue did not accept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Box<RawValue>>,
    /// What was left out because the record would have been too large.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub omitted: Vec<Part>,
}

/// A part that a record may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// [`Record::message`].
    Message,
    /// `body` of [`Record::event`], which is then `null`.
    Body,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_queued_delivery_is_written_and_read() {
        let record = Record {
            time: Timestamp(1_795_749_600_123),
            provider: "github".into(),
            source: "default".into(),
            outcome: Outcome::Queued,
            reason: None,
            id: Some("e1".into()),
            kind: Some("github.push".into()),
            event: raw(r#"{"rawPath":"/github","body":"{\n}"}"#),
            message: Some(raw(r#"{"id":"e1", "data":1.0}"#)),
            omitted: Vec::new(),
        };
        let line = serde_json::to_string(&record).unwrap();
        assert_eq!(
            line,
            r#"{"time":"2026-11-27T03:20:00.123Z","provider":"github","source":"default","outcome":"queued","reason":null,"id":"e1","type":"github.push","event":{"rawPath":"/github","body":"{\n}"},"message":{"id":"e1", "data":1.0}}"#
        );
        let read: Record = serde_json::from_str(&line).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), line);
    }

    #[test]
    fn a_refused_delivery_has_no_event_of_ours_and_unknown_members_are_ignored() {
        let line = r#"{"time":"2026-11-27T03:20:00.000Z","provider":"github","source":"a","outcome":"refused","reason":"signature_mismatch","id":null,"event":{"body":null},"omitted":["message","body"]}"#;
        let record: Record = serde_json::from_str(line).unwrap();
        assert_eq!(
            (record.outcome, record.reason.as_deref()),
            (Outcome::Refused, Some("signature_mismatch"))
        );
        assert_eq!((record.kind.as_deref(), record.message.is_none()), (None, true));
        assert_eq!(record.omitted, [Part::Message, Part::Body]);
        assert_eq!(serde_json::to_string(&record).unwrap(), line);
        let newer = line.replacen('{', r#"{"region":{"name":"eu"},"#, 1);
        assert_eq!(serde_json::from_str::<Record>(&newer).unwrap().time, record.time);
    }

    #[test]
    fn every_outcome_is_written_as_in_the_log() {
        for outcome in
            [Outcome::Queued, Outcome::Answered, Outcome::Refused, Outcome::Failed, Outcome::Unqueued]
        {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
            assert_eq!(serde_json::from_value::<Outcome>(outcome.as_str().into()).unwrap(), outcome);
        }
    }

    #[test]
    fn a_record_without_a_time_is_an_error() {
        for time in ["\"yesterday\"", "1795749600123", "null"] {
            let line = format!(
                r#"{{"time":{time},"provider":"p","source":"s","outcome":"failed","reason":null,"id":null,"event":{{}}}}"#
            );
            assert!(serde_json::from_str::<Record>(&line).is_err(), "{time}");
        }
    }
}
