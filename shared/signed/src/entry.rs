//! One entry of the credentials as it is written.

use letterbox_codec::{
    Secret,
    credentials::read,
    signature::{Algorithm, Description, Encoding, SchemeError, SecretEncoding},
    timestamp::Unit,
};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::presets::{PRESETS, Preset};

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

    /// Path of the event type in the payload.
    #[serde(rename = "type")]
    pub type_path: String,
    /// The header that holds the event type instead.
    pub type_header: Option<String>,
    /// Path of the subject.
    pub subject: String,
    /// Path of the platform's id of the event.
    pub id: Option<String>,
    /// Path of the platform's time of the event.
    pub time: Option<String>,
    /// The only event types that are queued; every type if absent.
    pub accept: Option<Vec<String>>,
    /// The status of the acknowledgement.
    pub status: u16,
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
            type_path: "event_type".to_owned(),
            type_header: None,
            subject: "transaction_id".to_owned(),
            id: None,
            time: None,
            accept: None,
            status: 202,
        }
    }
}

/// A secret that is present must be one: `null` is not.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Secret::deserialize(deserializer).map(Some)
}

impl Entry {
    /// Reads an entry, laid over the preset that it names.
    pub fn read(mut fields: Map<String, Value>) -> Result<Self, EntryError> {
        let preset = match fields.remove("preset") {
            Some(name) => Some(name.as_str().and_then(Preset::find).ok_or(EntryError::Preset)?),
            None => None,
        };
        for (field, value) in preset.iter().flat_map(|preset| preset.fields) {
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
