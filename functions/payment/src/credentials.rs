//! One entry of the credentials: a secret, and a scheme made of a preset and of what the entry says otherwise.

use std::ops::RangeInclusive;

use http::HeaderName;
use letterbox_codec::{
    Secret,
    mac::{self, Description, Scheme},
};
use letterbox_intake::credentials::read;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value};

/// Named schemes: the same members as an entry, less the secret.
const PRESETS: &str = include_str!("presets.json");

/// The names of all presets.
pub fn presets() -> Vec<String> {
    let table: Map<String, Value> = serde_json::from_str(PRESETS).unwrap_or_default();
    table.keys().cloned().collect()
}

/// What verifies the deliveries of one source, and where its payload says what.
pub struct Credentials {
    pub(crate) secret: mac::Key,
    pub(crate) scheme: Scheme,
    /// Path of the event type.
    pub(crate) kind: String,
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
    /// What acknowledges.
    pub(crate) status: u16,
    /// Whose scheme it is.
    #[cfg(feature = "platform")]
    pub(crate) preset: Option<String>,
}

/// The members of an entry that do not describe the signature.
#[derive(Deserialize)]
struct Places {
    secret: Secret,
    #[serde(rename = "type", default = "event_type")]
    kind: String,
    type_header: Option<String>,
    #[serde(default = "transaction_id")]
    subject: String,
    id: Option<String>,
    time: Option<String>,
    accept: Option<Vec<String>>,
    #[serde(default = "accepted")]
    status: u16,
}

const PLACES: [&str; 8] = ["secret", "type", "type_header", "subject", "id", "time", "accept", "status"];

/// The statuses that acknowledge with a body.
const STATUSES: RangeInclusive<u16> = 200..=202;

fn event_type() -> String {
    "event_type".to_owned()
}

fn accepted() -> u16 {
    202
}

fn transaction_id() -> String {
    "transaction_id".to_owned()
}

impl<'de> Deserialize<'de> for Credentials {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entry = Map::deserialize(deserializer)?;
        #[cfg(feature = "platform")]
        let preset = entry.get("preset").and_then(Value::as_str).map(str::to_owned);
        let credentials = Self::new(with_preset(entry).map_err(D::Error::custom)?);
        #[cfg(feature = "platform")]
        let credentials = credentials.map(|credentials| Self { preset, ..credentials });
        credentials.map_err(D::Error::custom)
    }
}

/// The signature scheme of an entry, whether it makes sense or not.
pub fn describe(entry: Map<String, Value>) -> Result<Description, String> {
    let entry = with_preset(entry)?;
    read(Value::Object(entry.into_iter().filter(|(name, _)| !PLACES.contains(&name.as_str())).collect()))
}

/// Lays the entry over the preset that it names.
fn with_preset(mut entry: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let Some(name) = entry.remove("preset") else { return Ok(entry) };
    let mut table: Map<String, Value> = serde_json::from_str(PRESETS).map_err(|error| error.to_string())?;
    match name.as_str().and_then(|name| table.remove(name)) {
        Some(Value::Object(mut preset)) => {
            preset.extend(entry);
            Ok(preset)
        }
        _ => Err(format!("preset: expected one of {}", presets().join(", "))),
    }
}

impl Credentials {
    fn new(entry: Map<String, Value>) -> Result<Self, String> {
        let (places, description): (Map<_, _>, Map<_, _>) =
            entry.into_iter().partition(|(name, _)| PLACES.contains(&name.as_str()));
        let places: Places = read(Value::Object(places))?;
        let description: Description = read(Value::Object(description))?;
        let encoding = description.secret_encoding;
        let scheme = Scheme::new(description).map_err(|error| error.to_string())?;
        let secret = mac::Key::new(&places.secret, encoding).map_err(|error| error.to_string())?;
        let type_header = places.type_header.map(|name| name.parse()).transpose();
        let paths = [
            ("type", Some(&places.kind)),
            ("subject", Some(&places.subject)),
            ("id", places.id.as_ref()),
            ("time", places.time.as_ref()),
        ];
        if let Some((member, _)) = paths.iter().find(|(_, path)| path.is_some_and(String::is_empty)) {
            return Err(format!("{member}: expected the path of a member, such as data.id"));
        }
        if places.accept.as_ref().is_some_and(Vec::is_empty) {
            return Err(
                "accept: expected at least one event type; leave it out to accept every one".to_owned()
            );
        }
        if !STATUSES.contains(&places.status) {
            return Err("status: expected 200, 201 or 202".to_owned());
        }
        Ok(Self {
            secret,
            scheme,
            kind: places.kind,
            type_header: type_header.map_err(|_| "type_header: expected an HTTP header name")?,
            subject: places.subject,
            id: places.id,
            time: places.time,
            accept: places.accept,
            status: places.status,
            #[cfg(feature = "platform")]
            preset: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_makes_a_scheme() {
        assert!(presets().len() >= 8);
        for name in presets() {
            let entry = serde_json::json!({ "preset": name, "secret": "whsec_c2VjcmV0" });
            serde_json::from_value::<Credentials>(entry).map_err(|error| panic!("{name}: {error}")).ok();
        }
    }

    #[test]
    fn errors_name_the_member_and_no_value() {
        for (entry, expected) in [
            ("{}", "missing field `secret`"),
            (r#"{"secret":""}"#, "secret: expected a secret that is not empty"),
            (r#"{"secret":5}"#, "secret: expected a string"),
            (r#"{"secret":"hunter2","secret_encoding":"hex"}"#, "secret: expected hex"),
            (r#"{"secret":"hunter2","header":"a b"}"#, "header: expected an HTTP header name"),
            (r#"{"secret":"hunter2","type_header":"a b"}"#, "type_header: expected an HTTP header name"),
            (
                r#"{"secret":"hunter2","algorithm":"md5"}"#,
                "algorithm: expected one of `sha1`, `sha256`, `sha512`",
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
                "signature_key: expected to go with timestamp_key",
            ),
            (r#"{"secret":"hunter2","tolerance":-1}"#, "tolerance: expected u32"),
            (r#"{"secret":"hunter2","preset":"strip"}"#, "preset: expected one of github-style"),
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
