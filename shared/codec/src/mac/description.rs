//! A signature scheme as data, and the check that it makes sense.

use http::HeaderName;
use serde::Deserialize;

use super::template::{Part, Template};
use crate::timestamp::Unit;

/// Which HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// HMAC-SHA-1, for platforms that have nothing better.
    Sha1,
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

/// How the signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Either case.
    Hex,
    /// Padded or not.
    Base64,
    /// Padded or not.
    Base64Url,
}

/// How the secret is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretEncoding {
    /// Its UTF-8 bytes are the key.
    Text,
    /// Hex of the key.
    Hex,
    /// Base64 of the key.
    Base64,
    /// `whsec_` (may be missing) and base64 of the key, as Standard Webhooks has it.
    Whsec,
}

/// A signature scheme as an operator writes it: everything has a default, which together are a hex HMAC-SHA-256 of
/// the body in `x-signature`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Description {
    /// The header that holds the signature.
    pub header: String,
    /// What stands before each signature (`sha256=`, `v1,`).
    pub prefix: String,
    /// What stands between the elements of the header, if it may hold several.
    pub separator: Option<String>,
    /// The name of the signature among `name=value` elements (`v1`).
    pub signature_key: Option<String>,
    /// The name of the timestamp among `name=value` elements (`t`).
    pub timestamp_key: Option<String>,
    /// How the signature is written.
    pub encoding: Encoding,
    /// Which HMAC.
    pub algorithm: Algorithm,
    /// How the secret is configured.
    pub secret_encoding: SecretEncoding,
    /// The signed text, of `{timestamp} {id} {body} {url} {method}` and literals.
    pub template: String,
    /// The header that holds the timestamp, if it has one of its own.
    pub timestamp_header: Option<String>,
    /// `s` or `ms`.
    pub timestamp_unit: Unit,
    /// How far the signed timestamp may be from now, either way, in seconds.
    pub tolerance: u32,
    /// The header that holds the id.
    pub id_header: Option<String>,
    /// The URL as the platform knows it, where the gateway changes it; else the one that was called.
    pub url: Option<String>,
}

/// A checked [`Description`].
#[derive(Clone, Debug)]
pub struct Scheme {
    pub(super) header: HeaderName,
    pub(super) prefix: String,
    pub(super) separator: Option<String>,
    pub(super) signature_key: Option<String>,
    pub(super) timestamp_key: Option<String>,
    pub(super) encoding: Encoding,
    pub(super) algorithm: Algorithm,
    pub(super) template: Template,
    pub(super) timestamp_header: Option<HeaderName>,
    pub(super) timestamp_unit: Unit,
    /// Milliseconds.
    pub(super) tolerance: u64,
    pub(super) id_header: Option<HeaderName>,
    pub(super) url: Option<String>,
}

impl Default for Description {
    fn default() -> Self {
        Self {
            header: "x-signature".into(),
            prefix: String::new(),
            separator: None,
            signature_key: None,
            timestamp_key: None,
            encoding: Encoding::Hex,
            algorithm: Algorithm::Sha256,
            secret_encoding: SecretEncoding::Text,
            template: "{body}".into(),
            timestamp_header: None,
            timestamp_unit: Unit::Seconds,
            tolerance: 300,
            id_header: None,
            url: None,
        }
    }
}

/// A field of a scheme or its secret whose value cannot be used. Displays as `<field>: expected <what>`; the value,
/// which may be secret, is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}")]
pub struct SchemeError {
    /// The field's name in a credentials entry.
    pub field: &'static str,
    /// What the field must hold.
    pub expected: &'static str,
}

impl SchemeError {
    /// An error about `field`.
    pub const fn new(field: &'static str, expected: &'static str) -> Self {
        Self { field, expected }
    }
}

impl Scheme {
    /// The headers that hold the signature, the timestamp and the id, as far as they are headers.
    pub fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        [Some(&self.header), self.timestamp_header.as_ref(), self.id_header.as_ref()].into_iter().flatten()
    }

    /// Checks a description.
    ///
    /// # Errors
    /// If the scheme could never verify a request, or would leave the body or the timestamp unsigned.
    pub fn new(description: Description) -> Result<Self, SchemeError> {
        let template = Template::parse(&description.template)
            .map_err(|expected| SchemeError::new("template", expected))?;
        let scheme = Self {
            header: name("header", &description.header)?,
            prefix: description.prefix,
            separator: description.separator,
            signature_key: description.signature_key,
            timestamp_key: description.timestamp_key,
            encoding: description.encoding,
            algorithm: description.algorithm,
            template,
            timestamp_header: optional_name("timestamp_header", description.timestamp_header)?,
            timestamp_unit: description.timestamp_unit,
            tolerance: u64::from(description.tolerance).saturating_mul(1000),
            id_header: optional_name("id_header", description.id_header)?,
            url: description.url,
        };
        let timestamp = scheme.timestamp_key.is_some() || scheme.timestamp_header.is_some();
        let checks = [
            (scheme.tolerance > 0, "tolerance", "at least 1 second"),
            (scheme.separator.as_deref() != Some(""), "separator", "a text that is not empty"),
            (
                scheme.timestamp_key.is_none() || scheme.signature_key.is_some(),
                "signature_key",
                "to go with timestamp_key",
            ),
            (
                scheme.timestamp_key.is_none() || scheme.separator.is_some(),
                "separator",
                "to go with timestamp_key",
            ),
            (
                scheme.timestamp_key.is_none() || scheme.timestamp_header.is_none(),
                "timestamp_header",
                "to be there only without timestamp_key",
            ),
            (
                timestamp == scheme.template.has(&Part::Timestamp),
                "template",
                "{timestamp} if, and only if, there is a timestamp_key or timestamp_header",
            ),
            (
                scheme.id_header.is_some() == scheme.template.has(&Part::Id),
                "template",
                "{id} if, and only if, there is an id_header",
            ),
            (
                scheme.url.is_none() || scheme.template.has(&Part::Url),
                "template",
                "{url}, since there is a url",
            ),
        ];
        match checks.into_iter().find(|(is_met, ..)| !is_met) {
            Some((_, field, expected)) => Err(SchemeError { field, expected }),
            None => Ok(scheme),
        }
    }
}

fn name(field: &'static str, text: &str) -> Result<HeaderName, SchemeError> {
    text.parse().map_err(|_| SchemeError::new(field, "an HTTP header name"))
}

fn optional_name(field: &'static str, text: Option<String>) -> Result<Option<HeaderName>, SchemeError> {
    text.map(|text| name(field, &text)).transpose()
}
