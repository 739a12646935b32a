//! One entry of the credentials, checked and ready to verify with.

use std::ops::RangeInclusive;

use http::HeaderName;
use letterbox_codec::signature::{Description, Key, Scheme, SchemeError};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value};

use crate::{
    entry::{Entry, EntryError},
    presets::Preset,
};

/// The statuses that acknowledge with a body.
const STATUSES: RangeInclusive<u16> = 200..=202;

/// What verifies the deliveries of one source, and where their payload says what the event is.
pub struct Credentials {
    pub(crate) key: Key,
    pub(crate) scheme: Scheme,
    /// Path of the event type.
    pub(crate) type_path: String,
    /// The header that holds the event type instead.
    pub(crate) type_header: Option<HeaderName>,
    /// Path of the subject.
    pub(crate) subject: String,
    /// Path of the platform's id of the event.
    pub(crate) id: Option<String>,
    /// Path of the platform's time of the event.
    pub(crate) time: Option<String>,
    /// The only event types that are queued.
    pub(crate) accept: Option<Vec<String>>,
    /// The status of the acknowledgement.
    pub(crate) status: u16,
    /// The preset that the entry names.
    pub(crate) preset: Option<&'static Preset>,
}

impl<'de> Deserialize<'de> for Credentials {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Map::deserialize(deserializer)?;
        Entry::read(fields).and_then(Self::new).map_err(D::Error::custom)
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
        let type_header = entry.type_header.map(|name| name.parse()).transpose();
        let type_header = type_header.map_err(|_| SchemeError::new("type_header", "an HTTP header name"))?;
        let paths = [
            ("type", Some(&entry.type_path)),
            ("subject", Some(&entry.subject)),
            ("id", entry.id.as_ref()),
            ("time", entry.time.as_ref()),
        ];
        if let Some((field, _)) = paths.iter().find(|(_, path)| path.is_some_and(String::is_empty)) {
            return Err(SchemeError::new(field, "the path of a member, such as data.id").into());
        }
        if entry.accept.as_ref().is_some_and(Vec::is_empty) {
            let expected = "at least one event type; leave it out to accept every one";
            return Err(SchemeError::new("accept", expected).into());
        }
        if !STATUSES.contains(&entry.status) {
            return Err(SchemeError::new("status", "200, 201 or 202").into());
        }
        Ok(Self {
            key,
            scheme,
            type_path: entry.type_path,
            type_header,
            subject: entry.subject,
            id: entry.id,
            time: entry.time,
            accept: entry.accept,
            status: entry.status,
            preset: entry.preset,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            (r#"{"secret":"hunter2","accept":[]}"#, "accept: expected at least one event type"),
            (r#"{"secret":"hunter2","status":204}"#, "status: expected 200, 201 or 202"),
            (r#"{"secret":"hunter2","status":"200"}"#, "status: expected u16"),
            (r#"{"secret":"hunter2","headers":"x"}"#, "headers: unknown field `headers`"),
        ] {
            let error = serde_json::from_str::<Credentials>(entry).err().unwrap().to_string();
            assert!(error.starts_with(expected), "{entry}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
