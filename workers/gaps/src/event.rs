//! The queue messages of events that were read from a platform's own API.
//!
//! Each is received by the engine of described senders, as a push of the same content would be: see [`pushed`].

use std::time::Duration;

use bytes::Bytes;
use letterbox_codec::{Ambient, credentials::FromEntry};
use letterbox_intake::Message;
use letterbox_signed::{Branch, Credentials, pushed};
use serde_json::{Map, Value, json};

use crate::accounts::StripeProvider;

/// Why there is no message. It names no part of the content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no event can be made of it: {0}")]
pub struct EventError(pub String);

/// The functions whose events these are.
enum Payment {}
enum Signed {}
enum DingTalk {}

/// Nothing waits for the response to such a push.
const DEADLINE: Duration = Duration::from_secs(1);

impl Branch for Payment {
    const NAME: &'static str = "payment";
    const DEADLINE: Duration = DEADLINE;
}

impl Branch for Signed {
    const NAME: &'static str = "signed";
    const DEADLINE: Duration = DEADLINE;
}

impl Branch for DingTalk {
    const NAME: &'static str = "dingtalk";
    const DEADLINE: Duration = DEADLINE;
}

/// The message of an event of Stripe, by the preset `stripe`.
pub fn stripe(
    provider: StripeProvider,
    source: &str,
    event: &str,
    ambient: &Ambient,
    largest: usize,
) -> Result<Message, EventError> {
    let entry = json!({ "preset": "stripe" });
    match provider {
        StripeProvider::Payment => message::<Payment>(source, entry, event, ambient, largest),
        StripeProvider::Signed => message::<Signed>(source, entry, event, ambient, largest),
    }
}

/// The type of a record that names none.
const UNNAMED: &str = "failed_push";

/// The message of a record of DingTalk's failed list. A record has its event's type in `call_back_tag`, its time in
/// `event_time`, and its corp in the member that is named like the type. A record without them is an event nevertheless: it
/// is the only copy.
pub fn dingtalk(
    source: &str,
    record: &str,
    ambient: &Ambient,
    largest: usize,
) -> Result<Message, EventError> {
    const HEADER: &str = "x-letterbox-gaps";
    let read: Value = serde_json::from_str(record).unwrap_or_default();
    let tag = read.get("call_back_tag").and_then(Value::as_str).unwrap_or_default();
    let is_plain = tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let has_corp =
        is_plain && read.get(tag).and_then(|content| content.get("corpid")).is_some_and(Value::is_string);
    let usual = json!({
        "header": HEADER,
        "type": "call_back_tag",
        "type_default": UNNAMED,
        "time": "event_time",
        "subject": if has_corp { format!("{tag}.corpid") } else { NOWHERE.to_owned() },
    });
    message::<DingTalk>(source, usual, record, ambient, largest).or_else(|_| {
        let bare = json!({
            "header": HEADER, "type": NOWHERE, "type_default": UNNAMED, "subject": NOWHERE,
        });
        message::<DingTalk>(source, bare, record, ambient, largest)
    })
}

/// A path that no record has.
const NOWHERE: &str = "letterbox_nowhere";

fn message<B: Branch>(
    source: &str,
    entry: Value,
    content: &str,
    ambient: &Ambient,
    largest: usize,
) -> Result<Message, EventError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| EventError(error.to_string()))?;
    let Value::Object(mut entry) = entry else { return Err(EventError("no entry".to_owned())) };
    entry.insert("secret".to_owned(), hex::encode(secret).into());
    let key = credentials(entry)?;
    let content = Bytes::copy_from_slice(content.as_bytes());
    let received = pushed::receive::<B>(source, &key, content, ambient);
    let received = received.ok_or_else(|| EventError("it cannot be signed".to_owned()))?;
    let received = received.map_err(|refused| {
        let detail = refused.reject.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
        EventError(format!("{}{detail}", refused.reject.code()))
    })?;
    let event = received.queued_event().ok_or_else(|| EventError("it is a handshake".to_owned()))?;
    Message::of(event, largest).map_err(|reject| EventError(reject.code().to_owned()))
}

fn credentials(entry: Map<String, Value>) -> Result<Credentials, EventError> {
    let json = Value::Object(entry).to_string();
    Credentials::from_entry(&json).map_err(|error| EventError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use letterbox_codec::Timestamp;
    use letterbox_intake::queue::LARGEST_MESSAGE;

    use super::*;

    const AMBIENT: Ambient = Ambient { now: Timestamp(1_795_255_200_123), entropy: [0; Ambient::ENTROPY] };

    fn attribute<'m>(message: &'m Message, name: &str) -> &'m str {
        let found = message.attributes.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    #[test]
    fn a_record_of_dingtalk_has_the_type_of_its_push() {
        let record = r#"{ "call_back_tag":"user_leave_org","event_time":1795255100000,"user_leave_org":{"corpid":"ding1","userid":["u1"]} }"#;
        let message = dingtalk("hr", record, &AMBIENT, LARGEST_MESSAGE).unwrap();
        assert_eq!(attribute(&message, "type"), "dingtalk.user_leave_org");
        assert_eq!(attribute(&message, "source"), "/dingtalk/hr");
        assert_eq!(attribute(&message, "subject"), "ding1");
        assert_eq!(message.group, "/dingtalk/hr/ding1");
        let event: Value = serde_json::from_str(&message.body).unwrap();
        assert_eq!(event["time"], "2026-11-21T09:58:20.000Z");
        assert!(message.body.contains(record), "verbatim");
        // The same record is the same event.
        let again = dingtalk("hr", record, &AMBIENT, LARGEST_MESSAGE).unwrap();
        assert_eq!(again.deduplication, message.deduplication);
    }

    /// Whatever a record is, it is the only copy.
    #[test]
    fn every_json_value_is_an_event() {
        for record in [
            "{}",
            "[]",
            "1",
            "null",
            r#""x""#,
            r#"{"call_back_tag":7}"#,
            r#"{"call_back_tag":"a.b"}"#,
            r#"{"call_back_tag":"a\u0000b"}"#,
            r#"{"call_back_tag":"t","t":{"corpid":"\n"}}"#,
            r#"{"call_back_tag":"t","t":"x","event_time":"soon"}"#,
        ] {
            let message = dingtalk("default", record, &AMBIENT, LARGEST_MESSAGE);
            assert!(message.is_ok(), "{record}: {message:?}");
        }
        assert!(dingtalk("default", "{", &AMBIENT, LARGEST_MESSAGE).is_err());
    }

    #[test]
    fn an_event_of_stripe_keeps_its_id() {
        let event = r#"{"id":"evt_1","object":"event","created":1795255000,"type":"invoice.paid","data":{"object":{"id":"in_1"}}}"#;
        for (provider, kind) in [
            (StripeProvider::Payment, "payment.invoice.paid"),
            (StripeProvider::Signed, "signed.invoice.paid"),
        ] {
            let message = stripe(provider, "shop", event, &AMBIENT, LARGEST_MESSAGE).unwrap();
            let found = ["id", "type", "subject"].map(|name| attribute(&message, name));
            assert_eq!(found, ["evt_1", kind, "in_1"]);
        }
        let error = stripe(StripeProvider::Payment, "shop", "{}", &AMBIENT, LARGEST_MESSAGE).unwrap_err();
        assert!(error.to_string().contains("type"), "{error}");
    }
}
