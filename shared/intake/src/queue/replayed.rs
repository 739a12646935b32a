//! The message of an event that was on the queue before.

use std::{borrow::Cow, fmt};

use letterbox_codec::Timestamp;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::value::RawValue;

use super::{Filterable, Message};

/// The attribute that says when an event was replayed.
const REPLAYED: &str = "replayedtime";
/// The attribute that it follows, as in an event that the function has replayed.
const RECEIVED: &str = "receivedtime";

impl Message {
    /// The message of a CloudEvents object that was on the queue before: the same event, with `replayedtime` and with the
    /// attributes and FIFO ids that it had. `None` if the text is no such object.
    pub fn replayed(cloud_event: &str, at: Timestamp) -> Option<Self> {
        #[derive(Deserialize)]
        struct Head<'a> {
            #[serde(borrow)]
            id: Cow<'a, str>,
            #[serde(borrow)]
            source: Cow<'a, str>,
            #[serde(rename = "type", borrow)]
            kind: Cow<'a, str>,
            #[serde(borrow)]
            subject: Option<Cow<'a, str>>,
        }

        let Head { id, source, kind, subject } = serde_json::from_str(cloud_event).ok()?;
        let mut members: Members<'_> = serde_json::from_str(cloud_event).ok()?;
        members.0.retain(|(name, _)| name != REPLAYED);
        let time = serde_json::value::to_raw_value(&at.to_string()).ok()?;
        let after = members.0.iter().position(|(name, _)| name == RECEIVED);
        let position = after.map_or(members.0.len(), |position| position.saturating_add(1));
        members.0.insert(position, (REPLAYED.into(), Cow::Owned(time)));
        let json = serde_json::to_string(&members).ok()?;
        Some(Self::new(
            Filterable { kind: &kind, source: &source, id: &id, subject: subject.as_deref() },
            json,
        ))
    }
}

/// The members of a JSON object in their order, with their values verbatim.
struct Members<'a>(Vec<(Cow<'a, str>, Cow<'a, RawValue>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collector;

        impl<'de> Visitor<'de> for Collector {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<Name<'de>, &RawValue>()? {
                    members.push((name.0, Cow::Borrowed(value)));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collector)
    }
}

/// The name of a member.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl Serialize for Members<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_749_600_123);

    /// An event as `letterbox_codec::Event` writes it.
    fn event(subject: &str) -> String {
        format!(
            r#"{{"specversion":"1.0","id":"e 1","source":"/github/acme","type":"github.push"{subject},"time":"2025-11-21T10:00:00.000Z","datacontenttype":"application/json","receivedtime":"2025-11-21T10:00:00.123Z","hookid":"1","data":{{ "b":1.0,"a":"\u4e2d\/", "replayedtime":1, "n":12345678901234567890123 }}}}"#
        )
    }

    #[test]
    fn it_is_the_message_as_it_was_with_the_time_of_the_replay() {
        for (subject, member) in [(None, ""), (Some("acme/widget 中"), r#","subject":"acme/widget 中""#)] {
            let (kind, source, id) = ("github.push", "/github/acme", "e 1");
            let first = Message::new(Filterable { kind, source, id, subject }, event(member));
            let again = Message::replayed(&first.body, NOW).unwrap();
            assert_eq!(again.attributes, first.attributes);
            assert_eq!((&again.source, &again.group), (&first.source, &first.group));
            assert_eq!((&again.deduplication, &again.trace), (&first.deduplication, &None));
            let received = r#""receivedtime":"2025-11-21T10:00:00.123Z","#;
            let added = format!(r#"{received}"replayedtime":"2026-11-27T03:20:00.123Z","#);
            let expected = first.body.replace(received, &added);
            assert_eq!(again.body, expected);
            // A second replay replaces the time.
            let later = Message::replayed(&again.body, Timestamp(NOW.0 + 1)).unwrap();
            assert_eq!(later.body, expected.replace("2026-11-27T03:20:00.123Z", "2026-11-27T03:20:00.124Z"));
        }
    }

    #[test]
    fn what_is_no_event_gives_no_message() {
        for text in
            ["", "null", "[]", "{}", r#"{"id":"a","source":"/a"}"#, r#"{"id":1,"source":"/a","type":"b"}"#]
        {
            assert!(Message::replayed(text, NOW).is_none(), "{text}");
        }
        let least = Message::replayed(r#"{"id":"a","source":"/a","type":"b"}"#, NOW).unwrap();
        assert_eq!(
            least.body,
            r#"{"id":"a","source":"/a","type":"b","replayedtime":"2026-11-27T03:20:00.123Z"}"#
        );
    }
}
