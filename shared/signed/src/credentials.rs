//! One entry of the credentials, checked and ready to verify with.

use std::{ops::RangeInclusive, time::Duration};

use http::{HeaderName, HeaderValue, Method};
use letterbox_codec::{
    Reply, Secret,
    credentials::{FieldError, FromEntry},
    json::is_attribute,
    signature::{Description, Key, Scheme, SchemeError},
};
use serde_json::{Map, Value};

use crate::{
    entry::{AnswerEntry, Entry, EntryError, PayloadForm, TypeOverride},
    event_type::{EventTime, EventType},
    handshake::Handshake,
};

/// The statuses that `status` may have: they acknowledge with a body.
const STATUSES: RangeInclusive<u16> = 200..=202;

/// The longest name of an extension attribute, as `CloudEvents` advises.
const LONGEST_ATTRIBUTE: usize = 20;

/// The names of an event's own attributes.
const RESERVED: [&str; 14] = [
    "action",
    "data",
    "datacontenttype",
    "dataschema",
    "deliveryid",
    "id",
    "rawdata",
    "receivedtime",
    "replayedtime",
    "source",
    "specversion",
    "subject",
    "time",
    "type",
];

/// What verifies the deliveries of one source, and where they say what the event is.
pub struct Credentials {
    pub(crate) key: Key,
    pub(crate) scheme: Scheme,
    pub(crate) payload: PayloadForm,
    pub(crate) event_type: EventType,
    pub(crate) type_default: Option<String>,
    /// The header that may replace the type, and the values that do.
    pub(crate) type_override: Option<(HeaderName, Vec<String>)>,
    /// Path of the subject.
    pub(crate) subject: String,
    /// Path of the platform's id of the event.
    pub(crate) id: Option<String>,
    /// The header that holds the id instead.
    pub(crate) unsigned_id: Option<HeaderName>,
    /// The header that holds the id of the delivery.
    pub(crate) delivery: Option<HeaderName>,
    /// Where the platform's time of the event stands.
    pub(crate) time: Option<EventTime>,
    /// The extension attributes, and the headers that hold them.
    pub(crate) attributes: Vec<(String, HeaderName)>,
    /// The only event types that are queued.
    pub(crate) accept: Option<Vec<String>>,
    /// The acknowledgement.
    pub(crate) answer: Reply,
    pub(crate) handshakes: Vec<Handshake>,
    /// The methods of the handshakes that are not signed.
    pub(crate) handshake_methods: Vec<Method>,
    /// What a handshake with `token_query` must carry.
    pub(crate) verify_token: Option<Secret>,
    /// The deadline that the entry sets, or else its preset.
    pub(crate) deadline: Option<Duration>,
    /// The preset that the entry names.
    #[cfg(feature = "sender")]
    pub(crate) preset: Option<&'static crate::presets::Preset>,
}

impl FromEntry for Credentials {
    fn from_entry(json: &str) -> Result<Self, FieldError> {
        let fields = Map::from_entry(json)?;
        Entry::read(fields).and_then(Self::new).map_err(FieldError::from)
    }
}

/// The signature scheme of an entry, its preset included, not yet checked. The key is not looked at.
pub fn describe(mut entry: Map<String, Value>) -> Result<Description, EntryError> {
    entry.remove("secret");
    entry.remove("public_key");
    Ok(Entry::read(entry)?.description())
}

impl Credentials {
    fn new(entry: Entry) -> Result<Self, EntryError> {
        let description = entry.description();
        let key = description.key(entry.secret.as_ref(), entry.public_key.as_deref())?;
        let scheme = Scheme::new(description)?;
        let event_type = match &entry.type_header {
            Some(name) => EventType::header(header_name("type_header", name)?),
            None => EventType::parse(&entry.event_type)?,
        };
        let type_override = match entry.type_override {
            Some(TypeOverride { header, values }) => {
                Some((header_name("type_override", &header)?, types("type_override", values)?))
            }
            None => None,
        };
        let time = entry.time.map(|text| EventTime::parse(&text, scheme.is_timed())).transpose()?;
        let paths = [("subject", Some(&entry.subject)), ("id", entry.id.as_ref())];
        if let Some((field, _)) = paths.iter().find(|(_, path)| path.is_some_and(String::is_empty)) {
            return Err(SchemeError::new(field, "the path of a member, such as data.id").into());
        }
        if entry.type_default.as_deref().is_some_and(|text| !is_attribute(text)) {
            let expected = "an event type of 1 to 256 bytes without control characters";
            return Err(SchemeError::new("type_default", expected).into());
        }
        let attributes = entry.attributes.into_iter().map(|(name, header)| {
            let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            let is_name = (1..=LONGEST_ATTRIBUTE).contains(&name.len()) && name.bytes().all(letters);
            if !is_name || RESERVED.contains(&name.as_str()) {
                let expected =
                    "names of 1 to 20 lower-case letters and digits that the event does not have yet";
                return Err(SchemeError::new("attributes", expected));
            }
            let header = header_name("attributes", &header)?;
            Ok((name, header))
        });
        let attributes = attributes.collect::<Result<Vec<_>, _>>()?;
        if !STATUSES.contains(&entry.status) {
            return Err(SchemeError::new("status", "200, 201 or 202").into());
        }
        let answer = match entry.answer {
            Some(answer) => acknowledgement(entry.status, answer)?,
            None => Reply::json(entry.status, &serde_json::json!({ "status": "accepted" })),
        };
        let handshakes = entry.handshake.into_iter().map(Handshake::try_from);
        let handshakes = handshakes.collect::<Result<Vec<_>, _>>()?;
        if handshakes.iter().any(Handshake::signs) && scheme.hmac(&key, b"").is_none() {
            return Err(SchemeError::new("handshake", "mac_member only with an HMAC as algorithm").into());
        }
        if entry.verify_token.is_some() && !handshakes.iter().any(Handshake::needs_token) {
            let expected = "a handshake with token_query that compares it, or no verify_token";
            return Err(SchemeError::new("verify_token", expected).into());
        }
        let mut handshake_methods: Vec<_> =
            handshakes.iter().filter_map(|handshake| handshake.method().cloned()).collect();
        handshake_methods.dedup();
        if entry.deadline_ms.is_some_and(|milliseconds| milliseconds < SHORTEST_DEADLINE) {
            return Err(SchemeError::new("deadline_ms", "at least 100 milliseconds").into());
        }
        let deadline = entry.deadline_ms.map(|milliseconds| Duration::from_millis(milliseconds.into()));
        Ok(Self {
            key,
            scheme,
            payload: entry.payload,
            event_type,
            type_default: entry.type_default,
            type_override,
            subject: entry.subject,
            id: entry.id,
            unsigned_id: optional_header("unsigned_id_header", entry.unsigned_id_header.as_deref())?,
            delivery: optional_header("delivery_header", entry.delivery_header.as_deref())?,
            time,
            attributes,
            accept: entry.accept.map(|accepted| types("accept", accepted)).transpose()?,
            answer,
            handshakes,
            handshake_methods,
            verify_token: entry.verify_token,
            deadline: deadline.or_else(|| entry.preset?.deadline()),
            #[cfg(feature = "sender")]
            preset: entry.preset,
        })
    }

    /// The headers besides the signature's that say something of the event.
    #[cfg(feature = "sender")]
    pub(crate) fn event_headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.event_type
            .headers()
            .chain(self.type_override.iter().map(|(name, _)| name))
            .chain(&self.unsigned_id)
            .chain(&self.delivery)
            .chain(self.attributes.iter().map(|(_, name)| name))
            .chain(self.handshakes.iter().flat_map(Handshake::headers))
    }
}

/// The shortest deadline of an entry, in milliseconds: half of it is kept for the response.
const SHORTEST_DEADLINE: u32 = 100;

fn header_name(field: &'static str, text: &str) -> Result<HeaderName, SchemeError> {
    text.parse().map_err(|_| SchemeError::new(field, "an HTTP header name"))
}

fn optional_header(field: &'static str, text: Option<&str>) -> Result<Option<HeaderName>, SchemeError> {
    text.map(|text| header_name(field, text)).transpose()
}

/// A list of event types that is not empty.
fn types(field: &'static str, list: Vec<String>) -> Result<Vec<String>, SchemeError> {
    let expected = "at least one event type; leave it out to accept every one";
    if list.is_empty() { Err(SchemeError::new(field, expected)) } else { Ok(list) }
}

/// The acknowledgement that an entry writes out. `status` counts where the answer has none.
fn acknowledgement(status: u16, answer: AnswerEntry) -> Result<Reply, SchemeError> {
    let error = |expected| SchemeError::new("answer", expected);
    let status = answer.status.unwrap_or(status);
    if !(200..=299).contains(&status) {
        return Err(error("a status from 200 to 299"));
    }
    if answer.body.is_empty() {
        return match answer.content_type {
            Some(_) => Err(error("a body, because content_type is set")),
            None => Ok(Reply::empty(status)),
        };
    }
    if matches!(status, 204 | 205) {
        return Err(error("no body with status 204 or 205"));
    }
    let Some(content_type) = answer.content_type else { return Ok(Reply::text(status, answer.body)) };
    if HeaderValue::from_str(&content_type).is_err() || !content_type.contains('/') {
        return Err(error("a media type such as text/plain as content_type"));
    }
    Ok(Reply::new(status, content_type, answer.body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets::PRESETS;

    #[test]
    fn an_entry_goes_over_its_preset() {
        let description = |entry: &str| describe(serde_json::from_str(entry).unwrap()).unwrap();
        let stripe = description(r#"{"preset":"stripe"}"#);
        assert_eq!((stripe.header.as_str(), stripe.tolerance), ("stripe-signature", 300));
        let own = description(r#"{"preset":"stripe","header":"x-own","tolerance":60,"separator":null}"#);
        assert_eq!((own.header.as_str(), own.tolerance, own.separator), ("x-own", 60, None));
        assert_eq!((own.signature_key.as_deref(), own.template.as_str()), (Some("v1"), "{timestamp}.{body}"));
    }

    #[test]
    #[allow(clippy::too_many_lines, reason = "a table")]
    fn errors_name_the_field_and_no_value() {
        for (entry, expected) in [
            ("{}", "secret: expected a secret, because the algorithm needs one"),
            (r#"{"algorithm":"ed25519"}"#, "public_key: expected the sender's public key"),
            (r#"{"secret":"hunter2","algorithm":"ed25519"}"#, "public_key: expected the sender's public key"),
            (r#"{"public_key":"hunter2"}"#, "public_key: expected no public key"),
            (r#"{"secret":"hunter2","public_key":"hunter2"}"#, "public_key: expected no public key"),
            (r#"{"secret":"hunter2","algorithm":"basic"}"#, "secret: expected user:password"),
            (r#"{"secret":""}"#, "secret: expected a secret that is not empty"),
            (r#"{"secret":5}"#, "secret: expected a string"),
            (r#"{"secret":null}"#, "secret: expected a string"),
            (r#"{"secret":"hunter2","secret_encoding":"hex"}"#, "secret: expected hex"),
            (r#"{"secret":"hunter2","header":"a b"}"#, "header: expected an HTTP header name"),
            (r#"{"secret":"hunter2","type_header":"a b"}"#, "type_header: expected an HTTP header name"),
            (
                r#"{"secret":"hunter2","algorithm":"md5"}"#,
                "algorithm: expected one of `sha1`, `sha256`, `sha512`, `ed25519`, `ecdsa-p256`, `rsa-sha256`, `token`, `basic`",
            ),
            (r#"{"secret":"hunter2","template":"{timestamp}"}"#, "template: expected a text with {body}"),
            (
                r#"{"secret":"hunter2","template":"{timestamp}{body}"}"#,
                "template: expected {timestamp} if, and only if",
            ),
            (
                r#"{"secret":"hunter2","timestamp_header":"x-time"}"#,
                "template: expected {timestamp} if, and only if",
            ),
            (
                r#"{"secret":"hunter2","timestamp_key":"t"}"#,
                "signature_key: expected a value, because timestamp_key",
            ),
            (r#"{"secret":"hunter2","tolerance":-1}"#, "tolerance: expected u32"),
            (r#"{"secret":"hunter2","preset":"strip"}"#, "preset: expected one of "),
            (r#"{"secret":"hunter2","preset":5}"#, "preset: expected one of "),
            (r#"{"secret":"hunter2","prefix":null}"#, "prefix: expected a string"),
            (r#"{"secret":"hunter2","tolerance":0}"#, "tolerance: expected at least 1 second"),
            (r#"{"secret":"hunter2","type":""}"#, "type: expected the path of a member"),
            (
                r#"{"secret":"hunter2","time":"{timestamp}"}"#,
                "time: expected {timestamp} only if one is signed",
            ),
            (r#"{"secret":"hunter2","time":"{header:x-time}"}"#, "time: expected the path of a member"),
            (r#"{"secret":"hunter2","accept":[]}"#, "accept: expected at least one event type"),
            (
                r#"{"secret":"hunter2","type":"{a"}"#,
                "type: expected the path of a member, such as data.kind, or a text with paths",
            ),
            (r#"{"secret":"hunter2","subject":""}"#, "subject: expected the path of a member"),
            (r#"{"secret":"hunter2","id":""}"#, "id: expected the path of a member"),
            (r#"{"secret":"hunter2","type_default":""}"#, "type_default: expected an event type of 1 to 256"),
            (
                r#"{"secret":"hunter2","type_override":{"header":"x","values":[]}}"#,
                "type_override: expected at least one event type",
            ),
            (
                r#"{"secret":"hunter2","type_override":{"header":"x"}}"#,
                "type_override: missing field `values`",
            ),
            (r#"{"secret":"hunter2","payload":"xml"}"#, "payload: expected `json` or `form`"),
            (r#"{"secret":"hunter2","attributes":{"Shop":"x"}}"#, "attributes: expected names of 1 to 20"),
            (r#"{"secret":"hunter2","attributes":{"id":"x"}}"#, "attributes: expected names of 1 to 20"),
            (r#"{"secret":"hunter2","attributes":{"type":"x"}}"#, "attributes: expected names of 1 to 20"),
            (
                r#"{"secret":"hunter2","attributes":{"abcdefghijklmnopqrstu":"x"}}"#,
                "attributes: expected names of 1 to 20",
            ),
            (
                r#"{"secret":"hunter2","attributes":{"shop":"a b"}}"#,
                "attributes: expected an HTTP header name",
            ),
            (
                r#"{"secret":"hunter2","delivery_header":"a b"}"#,
                "delivery_header: expected an HTTP header name",
            ),
            (
                r#"{"secret":"hunter2","unsigned_id_header":""}"#,
                "unsigned_id_header: expected an HTTP header name",
            ),
            (r#"{"secret":"hunter2","deadline_ms":99}"#, "deadline_ms: expected at least 100 milliseconds"),
            (r#"{"secret":"hunter2","answer":{"status":302}}"#, "answer: expected a status from 200 to 299"),
            (
                r#"{"secret":"hunter2","answer":{"status":204,"body":"ok"}}"#,
                "answer: expected no body with status 204 or 205",
            ),
            (
                r#"{"secret":"hunter2","answer":{"content_type":"text/xml"}}"#,
                "answer: expected a body, because content_type is set",
            ),
            (
                r#"{"secret":"hunter2","answer":{"content_type":"text","body":"x"}}"#,
                "answer: expected a media type such as text/plain",
            ),
            (r#"{"secret":"hunter2","answer":{"text":"x"}}"#, "answer.text: unknown field `text`"),
            (
                r#"{"secret":"hunter2","handshake":{}}"#,
                "handshake: expected either method, or at least one of",
            ),
            (
                r#"{"secret":"hunter2","handshake":{"method":"GET","type":"ping"}}"#,
                "handshake: expected either method, or at least one of",
            ),
            (
                r#"{"secret":"hunter2","handshake":{"method":"POST"}}"#,
                "handshake: method: expected `GET` or `HEAD`",
            ),
            (
                r#"{"secret":"hunter2","handshake":{"type":"ping","token_query":"t"}}"#,
                "handshake: expected when_query and token_query only with a method",
            ),
            (
                r#"{"secret":"hunter2","handshake":{"method":"GET","echo_query":"t","reply_member":"a","mac_member":"b"}}"#,
                "handshake: expected mac_member only without a method",
            ),
            (
                r#"{"secret":"hunter2","handshake":{"method":"GET","echo_path":"t"}}"#,
                "handshake: expected echo_path only without a method",
            ),
            (
                r#"{"secret":"hunter2","handshake":[{"method":"GET","echo_query":"t","echo_header":"x"}]}"#,
                "handshake: expected at most one of echo_query, echo_header and echo_path",
            ),
            (
                r#"{"secret":"hunter2","handshake":{"type":"ping","reply_member":"a"}}"#,
                "handshake: expected reply_member only with",
            ),
            (
                r#"{"secret":"hunter2","handshake":{"type":"ping","echo_path":"a","mac_member":"b"}}"#,
                "handshake: expected mac_member only with reply_member",
            ),
            (
                r#"{"secret":"hunter2","algorithm":"token","handshake":{"type":"ping","echo_path":"a","reply_member":"a","mac_member":"b"}}"#,
                "handshake: expected mac_member only with an HMAC as algorithm",
            ),
            (
                r#"{"secret":"hunter2","handshake":{"type":"ping","echo_header":"a b"}}"#,
                "handshake: expected HTTP header names",
            ),
            (
                r#"{"secret":"hunter2","verify_token":"hunter2"}"#,
                "verify_token: expected a handshake with token_query",
            ),
            (
                r#"{"secret":"hunter2","verify_token":"hunter2","handshake":[{"method":"GET"},{"type":"ping"}]}"#,
                "verify_token: expected a handshake with token_query",
            ),
            (
                r#"{"secret":"hunter2","verify_token":""}"#,
                "verify_token: expected a secret that is not empty",
            ),
            (r#"{"secret":"hunter2","status":204}"#, "status: expected 200, 201 or 202"),
            (r#"{"secret":"hunter2","status":"200"}"#, "status: expected u16"),
            (r#"{"secret":"hunter2","headers":"x"}"#, "headers: unknown field `headers`"),
        ] {
            let error = Credentials::from_entry(entry).err().unwrap().to_string();
            assert!(error.starts_with(expected), "{entry}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn an_unknown_preset_is_answered_with_those_that_there_are() {
        let error = Credentials::from_entry(r#"{"secret":"s","preset":"strip"}"#).err().unwrap().to_string();
        let listed: Vec<_> = error.trim_start_matches("preset: expected one of ").split(", ").collect();
        assert!(listed.contains(&"stripe"), "{error}");
        assert_eq!(listed, PRESETS.iter().map(|preset| preset.name).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_just_within_the_rules_is_read() {
        for (entry, deadline, handshakes) in [
            (r#"{"secret":"s"}"#, None, 0),
            (r#"{"secret":"s","deadline_ms":100}"#, Some(100), 0),
            (r#"{"preset":"zoom","secret":"s"}"#, Some(2500), 1),
            (r#"{"preset":"zoom","secret":"s","handshake":null}"#, Some(2500), 0),
            (r#"{"secret":"s","handshake":[]}"#, None, 0),
            (r#"{"secret":"s","handshake":[{"type":"a"},{"type":"b"}]}"#, None, 2),
            // Only a reply with an HMAC needs an HMAC's key.
            (
                r#"{"secret":"s","algorithm":"token","handshake":{"type":"a","echo_path":"b","reply_member":"c"}}"#,
                None,
                1,
            ),
        ] {
            let key = Credentials::from_entry(entry).unwrap_or_else(|error| panic!("{entry}: {error}"));
            assert_eq!(
                (key.deadline, key.handshakes.len()),
                (deadline.map(Duration::from_millis), handshakes),
                "{entry}"
            );
        }
    }
}
