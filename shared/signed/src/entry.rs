//! One entry of the credentials as it is written.

use std::collections::BTreeMap;

use letterbox_codec::{
    Secret,
    credentials::read,
    signature::{Algorithm, Description, Encoding, SchemeError, SecretEncoding},
    timestamp::Unit,
};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value};

use crate::{
    handshake::HandshakeEntry,
    presets::{PRESETS, Preset},
};

/// Why an entry cannot be used. Names the field and what was expected, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// A field whose value cannot be used.
    #[error(transparent)]
    Field(#[from] SchemeError),
    /// There is no preset of that name.
    #[error("preset: expected one of {}", names().join(", "))]
    Preset,
    /// A field is missing, unknown or of the wrong type.
    #[error("{0}")]
    Form(String),
}

fn names() -> Vec<&'static str> {
    PRESETS.iter().map(|preset| preset.name).collect()
}

/// Every field of an entry. A field that is absent is the preset's, or else the default.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Entry {
    #[serde(deserialize_with = "secret")]
    pub secret: Option<Secret>,
    pub public_key: Option<String>,
    #[serde(skip)]
    pub preset: Option<&'static Preset>,

    header: String,
    prefix: String,
    separator: Option<String>,
    signature_key: Option<String>,
    timestamp_key: Option<String>,
    signature_index: Option<u8>,
    timestamp_index: Option<u8>,
    encoding: Encoding,
    algorithm: Algorithm,
    secret_encoding: SecretEncoding,
    template: String,
    timestamp_header: Option<String>,
    timestamp_path: Option<String>,
    timestamp_unit: Unit,
    tolerance: u32,
    id_header: Option<String>,
    url: Option<String>,
    url_decoded: Option<String>,
    covered_key: Option<String>,
    header_families: Vec<String>,

    /// Whether the payload is JSON or a form.
    pub payload: PayloadForm,
    /// Path of the event type in the payload, or a text with paths and headers in braces.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The header that holds the event type instead.
    pub type_header: Option<String>,
    /// The event type of a delivery that says none.
    pub type_default: Option<String>,
    /// The header that may replace the event type.
    pub type_override: Option<TypeOverride>,
    /// Path of the subject.
    pub subject: String,
    /// Path of the platform's id of the event.
    pub id: Option<String>,
    /// Path of the platform's time of the event.
    pub time: Option<String>,
    /// The header that holds the id of the event, though nothing signs it.
    pub unsigned_id_header: Option<String>,
    /// The header that becomes `deliveryid`.
    pub delivery_header: Option<String>,
    /// The headers that become extension attributes.
    pub attributes: BTreeMap<String, String>,
    /// The only event types that are queued; every type if absent.
    pub accept: Option<Vec<String>>,
    /// The status of the acknowledgement.
    pub status: u16,
    /// The whole acknowledgement.
    pub answer: Option<AnswerEntry>,
    /// The requests that are answered and not queued.
    #[serde(deserialize_with = "one_or_several")]
    pub handshake: Vec<HandshakeEntry>,
    /// What a handshake with `token_query` must carry.
    #[serde(deserialize_with = "secret")]
    pub verify_token: Option<Secret>,
    /// The deadline of its deliveries, in milliseconds.
    pub deadline_ms: Option<u32>,
}

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PayloadForm {
    /// Any JSON value.
    Json,
    /// `application/x-www-form-urlencoded` text.
    Form,
}

#[cfg(feature = "sender")]
impl PayloadForm {
    /// The content type that the sender states.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }
}

/// A header whose value becomes the event type if it is one of `values`. It is not signed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TypeOverride {
    pub header: String,
    pub values: Vec<String>,
}

/// An acknowledgement that is written out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerEntry {
    pub status: Option<u16>,
    pub content_type: Option<String>,
    #[serde(default)]
    pub body: String,
}

impl Default for Entry {
    fn default() -> Self {
        let Description {
            header,
            prefix,
            separator,
            signature_key,
            timestamp_key,
            signature_index,
            timestamp_index,
            encoding,
            algorithm,
            secret_encoding,
            template,
            timestamp_header,
            timestamp_path,
            timestamp_unit,
            tolerance,
            id_header,
            url,
            url_decoded,
            covered_key,
            header_families,
        } = Description::default();
        Self {
            secret: None,
            public_key: None,
            preset: None,
            header,
            prefix,
            separator,
            signature_key,
            timestamp_key,
            signature_index,
            timestamp_index,
            encoding,
            algorithm,
            secret_encoding,
            template,
            timestamp_header,
            timestamp_path,
            timestamp_unit,
            tolerance,
            id_header,
            url,
            url_decoded,
            covered_key,
            header_families,
            payload: PayloadForm::Json,
            event_type: "event_type".to_owned(),
            type_header: None,
            type_default: None,
            type_override: None,
            subject: "transaction_id".to_owned(),
            id: None,
            time: None,
            unsigned_id_header: None,
            delivery_header: None,
            attributes: BTreeMap::new(),
            accept: None,
            status: 202,
            answer: None,
            handshake: Vec::new(),
            verify_token: None,
            deadline_ms: None,
        }
    }
}

/// A secret that is present must be one: `null` is not.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Secret::deserialize(deserializer).map(Some)
}

/// One object or a list of them.
fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<HandshakeEntry>, D::Error> {
    let list = match Value::deserialize(deserializer)? {
        Value::Array(list) => list,
        Value::Null => Vec::new(),
        one => vec![one],
    };
    list.into_iter().map(|one| read(one).map_err(D::Error::custom)).collect()
}

impl Entry {
    /// Reads an entry, laid over the preset that it names.
    pub fn read(mut fields: Map<String, Value>) -> Result<Self, EntryError> {
        let preset = match fields.remove("preset") {
            Some(name) => Some(name.as_str().and_then(Preset::find).ok_or(EntryError::Preset)?),
            None => None,
        };
        // The entry's own place of the type, whichever it is, goes over both of the preset's.
        let has_type = fields.contains_key("type") || fields.contains_key("type_header");
        for (field, value) in preset.iter().flat_map(|preset| preset.fields) {
            if has_type && matches!(*field, "type" | "type_header") {
                continue;
            }
            fields.entry(*field).or_insert_with(|| (*value).into());
        }
        let entry: Self = read(Value::Object(fields)).map_err(EntryError::Form)?;
        Ok(Self { preset, ..entry })
    }

    /// The signature scheme of the entry, not yet checked.
    pub fn description(&self) -> Description {
        Description {
            header: self.header.clone(),
            prefix: self.prefix.clone(),
            separator: self.separator.clone(),
            signature_key: self.signature_key.clone(),
            timestamp_key: self.timestamp_key.clone(),
            signature_index: self.signature_index,
            timestamp_index: self.timestamp_index,
            encoding: self.encoding,
            algorithm: self.algorithm,
            secret_encoding: self.secret_encoding,
            template: self.template.clone(),
            timestamp_header: self.timestamp_header.clone(),
            timestamp_path: self.timestamp_path.clone(),
            timestamp_unit: self.timestamp_unit,
            tolerance: self.tolerance,
            id_header: self.id_header.clone(),
            url: self.url.clone(),
            url_decoded: self.url_decoded.clone(),
            covered_key: self.covered_key.clone(),
            header_families: self.header_families.clone(),
        }
    }
}
