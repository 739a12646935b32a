//! The body of a queue message: one CloudEvents 1.0 object in structured mode.

use std::{borrow::Cow, fmt};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    Ambient, Source, timestamp,
    verified::{Payload, Verified},
};

/// A decoded event. The order of its fields is that of the JSON.
#[derive(Serialize)]
pub struct Event {
    specversion: &'static str,
    /// Stable across the platform's retries of one event, and covered by its signature unless the entry chooses an id that
    /// is not.
    pub id: String,
    /// `/<provider>/<source>`.
    pub source: String,
    /// `<provider>.<event type>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the event is about, if the platform says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The platform's time of the event, else the time of receipt, as RFC 3339.
    pub time: String,
    datacontenttype: &'static str,
    /// When Letterbox received the delivery, as RFC 3339.
    #[serde(rename = "receivedtime")]
    pub received: String,
    /// When the delivery was replayed from the archive, as RFC 3339; `None` for a delivery of the platform's.
    #[serde(rename = "replayedtime", skip_serializing_if = "Option::is_none")]
    pub(crate) replayed: Option<String>,
    /// The platform's id of the delivery (GitHub's GUID, OpenCard's `rid`); a redelivery may keep or change it.
    #[serde(rename = "deliveryid", skip_serializing_if = "Option::is_none")]
    pub delivery: Option<String>,
    /// What happened to the subject, if the type alone does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Further extension attributes.
    #[serde(flatten)]
    pub extensions: Extensions,
    /// The verified text that `data` was converted from, verbatim; `None` if `data` is that text.
    #[serde(rename = "rawdata", skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// The decoded payload, verbatim.
    pub data: Box<RawValue>,
}

impl fmt::Debug for Event {
    /// Prints only source, type and id: the payload may be personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({} {} {})", self.source, self.kind, self.id)
    }
}

/// A provider's own extension attributes. Names consist of lower-case letters and digits.
#[derive(Debug, Default)]
pub struct Extensions(pub Vec<(Cow<'static, str>, String)>);

impl Serialize for Extensions {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Event {
    /// Creates an event of verified content.
    ///
    /// `content` is what the signature covers: its digest is the id until the provider sets the platform's own.
    /// `payload` is the JSON value inside it. `kind` is the platform's own event type.
    pub fn new(
        source: &Source<'_, impl Sized>,
        kind: &str,
        content: &Verified<'_>,
        payload: &Payload<'_>,
        ambient: &Ambient,
    ) -> Self {
        let received = ambient.now.to_string();
        Self {
            specversion: "1.0",
            id: content.digest(),
            source: format!("/{}/{}", source.provider, source.name),
            kind: format!("{}.{kind}", source.provider),
            subject: None,
            time: received.clone(),
            datacontenttype: "application/json",
            received,
            replayed: None,
            delivery: None,
            action: None,
            extensions: Extensions::default(),
            raw: None,
            data: payload.raw().to_owned(),
        }
    }

    /// Sets the time to the platform's, and returns true, if `time` is digits or RFC 3339.
    pub fn at(&mut self, time: &str) -> bool {
        let Some(time) = timestamp::to_rfc3339(time) else { return false };
        self.time = time;
        true
    }

    /// The event as JSON, in structured mode.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Source, Timestamp};

    #[test]
    fn the_payload_stays_verbatim() {
        let text = r#"{ "b":1.0,"a":"\u4e2d\/", "n":12345678901234567890123 }"#;
        let content = Verified::new(text.as_bytes());
        let ambient = Ambient { now: Timestamp(1_763_719_200_123), entropy: [0; Ambient::ENTROPY] };
        let source = Source { provider: "github", name: "acme", keys: &[()] };
        let mut event = Event::new(&source, "push", &content, &content.json().unwrap(), &ambient);
        event.subject = Some("acme/widget".into());
        event.extensions.0.push(("hookid".into(), "1".into()));
        assert!(!event.at("not a time"));
        assert!(event.at("1763719199"));
        assert_eq!(format!("{event:?}"), format!("Event(/github/acme github.push {})", content.digest()));
        let json = event.to_json().unwrap();
        assert_eq!(
            json,
            format!(
                r#"{{"specversion":"1.0","id":"{}","source":"/github/acme","type":"github.push","subject":"acme/widget","time":"2025-11-21T09:59:59Z","datacontenttype":"application/json","receivedtime":"2025-11-21T10:00:00.123Z","hookid":"1","data":{text}}}"#,
                content.digest()
            )
        );
    }
}
