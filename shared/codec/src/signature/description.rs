//! A signature scheme as data, and the check that it makes sense.

use http::{HeaderName, header::AUTHORIZATION};
use serde::Deserialize;

use super::{
    algorithm::{Algorithm, Encoding, SecretEncoding},
    error::SchemeError,
    key::Key,
    template::{Part, Template},
};
use crate::{Secret, timestamp::Unit};

/// A signature scheme as an operator writes it: everything has a default, which together are a hex HMAC-SHA-256 of
/// the body in `x-signature`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Description {
    /// The header that has the signature.
    pub header: String,
    /// What stands before each signature (`sha256=`, `v1,`).
    pub prefix: String,
    /// What stands between the elements of the header, if it may have several.
    pub separator: Option<String>,
    /// The name of the signature among `name=value` elements (`v1`).
    pub signature_key: Option<String>,
    /// The name of the timestamp among `name=value` elements (`t`).
    pub timestamp_key: Option<String>,
    /// The position of the signature, from 0, among elements without names.
    pub signature_index: Option<u8>,
    /// The position of the timestamp, from 0, among elements without names.
    pub timestamp_index: Option<u8>,
    /// How the signature is written.
    pub encoding: Encoding,
    /// How a request is authenticated.
    pub algorithm: Algorithm,
    /// How the secret is configured.
    pub secret_encoding: SecretEncoding,
    /// The signed text, of literals and `{timestamp} {id} {body} {form} {url} {method} {header:<name>} {query:<name>} {covered}
    /// {covered_values}`.
    pub template: String,
    /// The header that has the timestamp, if it has one of its own.
    pub timestamp_header: Option<String>,
    /// The path of the timestamp in the payload, where it is part of that.
    pub timestamp_path: Option<String>,
    /// `s`, `ms`, `us` or `rfc3339`.
    pub timestamp_unit: Unit,
    /// How far the signed timestamp may be from now, either way, in seconds.
    pub tolerance: u32,
    /// The header that has the id.
    pub id_header: Option<String>,
    /// The URL as the platform knows it, where the gateway changes it; else the one that was called.
    pub url: Option<String>,
    /// The characters whose percent escapes are decoded in the URL before it is signed.
    pub url_decoded: Option<String>,
    /// The name of the list of covered headers among `name=value` elements (`h`).
    pub covered_key: Option<String>,
    /// Prefixes of header names that stand for each other (`webhook-`, `svix-`). The first is the one in this description.
    pub header_families: Vec<String>,
}

/// Where the signatures stand in their header.
#[derive(Clone, Debug)]
pub(super) enum SignaturePlace {
    /// Every element is one, but for the timestamp.
    Every,
    /// The elements of that name.
    Key(String),
    /// The element at that position.
    Index(usize),
}

/// Where the timestamp stands.
#[derive(Clone, Debug)]
pub(super) enum TimestampPlace {
    /// The element of that name in the signature's header.
    Key(String),
    /// The element at that position in the signature's header.
    Index(usize),
    /// A header of its own.
    Header(HeaderName),
    /// The payload.
    Path(String),
}

/// A checked [`Description`].
#[derive(Clone, Debug)]
pub struct Scheme {
    pub(super) header: HeaderName,
    pub(super) prefix: String,
    pub(super) separator: Option<String>,
    pub(super) signature: SignaturePlace,
    pub(super) timestamp: Option<TimestampPlace>,
    pub(super) encoding: Encoding,
    pub(super) algorithm: Algorithm,
    pub(super) template: Template,
    pub(super) timestamp_unit: Unit,
    /// Milliseconds.
    pub(super) tolerance: u64,
    pub(super) id_header: Option<HeaderName>,
    pub(super) url: Option<String>,
    pub(super) url_decoded: Option<String>,
    pub(super) covered_key: Option<String>,
    /// In lower case; none, or at least two.
    pub(super) header_families: Vec<String>,
    /// See [`Scheme::headers`].
    headers: Vec<HeaderName>,
}

impl Default for Description {
    fn default() -> Self {
        Self {
            header: DEFAULT_HEADER.into(),
            prefix: String::new(),
            separator: None,
            signature_key: None,
            timestamp_key: None,
            signature_index: None,
            timestamp_index: None,
            encoding: Encoding::Hex,
            algorithm: Algorithm::Sha256,
            secret_encoding: SecretEncoding::Text,
            template: DEFAULT_TEMPLATE.into(),
            timestamp_header: None,
            timestamp_path: None,
            timestamp_unit: Unit::Seconds,
            tolerance: 300,
            id_header: None,
            url: None,
            url_decoded: None,
            covered_key: None,
            header_families: Vec::new(),
        }
    }
}

const DEFAULT_HEADER: &str = "x-signature";
const DEFAULT_TEMPLATE: &str = "{body}";

/// The last position at which an element is read.
const LAST_INDEX: u8 = 15;

/// The most prefixes of header names that stand for each other.
const MOST_FAMILIES: usize = 8;

impl Description {
    /// The key of an entry that has this scheme, from its `secret` or, for the algorithms of public keys, its
    /// `public_key`.
    ///
    /// # Errors
    /// If the one that the algorithm needs is missing or cannot be used, or if the other one is there. So no public key
    /// becomes the key of a MAC, which everyone could then sign with.
    pub fn key(&self, secret: Option<&Secret>, public_key: Option<&str>) -> Result<Key, SchemeError> {
        match (self.algorithm.is_public(), secret, public_key) {
            (true, None, Some(text)) => Key::public(self.algorithm, text),
            (true, _, None) => Err(SchemeError::new(
                "public_key",
                "the sender's public key, because the algorithm verifies with one and not with a secret",
            )),
            (true, Some(_), Some(_)) => Err(SchemeError::new(
                "secret",
                "no secret, because the algorithm verifies with a public_key: remove one of the two",
            )),
            (false, _, Some(_)) => Err(SchemeError::new(
                "public_key",
                "no public key, because the algorithm verifies with a secret: set algorithm to ed25519, ecdsa-p256 or \
                 rsa-sha256",
            )),
            (false, None, None) => {
                Err(SchemeError::new("secret", "a secret, because the algorithm needs one"))
            }
            (false, Some(secret), None) => {
                let text = secret.expose();
                if self.algorithm.sends_secret() && self.secret_encoding != SecretEncoding::Text {
                    return Err(SchemeError::new(
                        "secret_encoding",
                        "text, because the header carries the secret itself",
                    ));
                }
                if self.algorithm == Algorithm::Basic && !text.contains(':') {
                    return Err(SchemeError::new("secret", "user:password, because algorithm is basic"));
                }
                Key::new(secret, self.secret_encoding)
            }
        }
    }
}

impl Scheme {
    /// True if a timestamp is signed.
    pub fn is_timed(&self) -> bool {
        self.timestamp.is_some()
    }

    /// The headers that have the signature, the timestamp, the id and other signed facts, in every family.
    pub fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.headers.iter()
    }

    /// The headers that have the secret itself, in every family; none if the scheme signs.
    pub fn secret_headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.headers().filter(|_| self.algorithm.sends_secret())
    }

    /// Checks a description.
    ///
    /// # Errors
    /// If the scheme could never verify a request, or would leave the body or the timestamp unsigned.
    pub fn new(description: Description) -> Result<Self, SchemeError> {
        check(&description)?;
        let template = Template::parse(&description.template)
            .map_err(|expected| SchemeError::new("template", expected))?;
        check_places(&description, &template)?;
        let timestamp = match description {
            Description { timestamp_key: Some(key), .. } => Some(TimestampPlace::Key(key)),
            Description { timestamp_index: Some(index), .. } => Some(TimestampPlace::Index(index.into())),
            Description { timestamp_header: Some(header), .. } => {
                Some(TimestampPlace::Header(name("timestamp_header", &header)?))
            }
            Description { timestamp_path: Some(path), .. } => Some(TimestampPlace::Path(path)),
            _ => None,
        };
        let signature = match (description.signature_key, description.signature_index) {
            (Some(key), _) => SignaturePlace::Key(key),
            (None, Some(index)) => SignaturePlace::Index(index.into()),
            (None, None) => SignaturePlace::Every,
        };
        let header = match description.algorithm {
            Algorithm::Basic => AUTHORIZATION,
            _ => name("header", &description.header)?,
        };
        let header_families = families(&header, &description.header_families)?;
        let mut scheme = Self {
            header,
            prefix: description.prefix,
            separator: description.separator,
            signature,
            timestamp,
            encoding: description.encoding,
            algorithm: description.algorithm,
            template,
            timestamp_unit: description.timestamp_unit,
            tolerance: u64::from(description.tolerance).saturating_mul(1000),
            id_header: description.id_header.map(|text| name("id_header", &text)).transpose()?,
            url: description.url,
            url_decoded: description.url_decoded,
            covered_key: description.covered_key,
            header_families,
            headers: Vec::new(),
        };
        scheme.headers = scheme.signed_headers();
        Ok(scheme)
    }

    /// The same scheme for a platform that knows the webhook under this URL.
    #[must_use]
    pub fn with_url(&self, url: impl Into<String>) -> Self {
        Self { url: Some(url.into()), ..self.clone() }
    }

    fn signed_headers(&self) -> Vec<HeaderName> {
        let timestamp = match &self.timestamp {
            Some(TimestampPlace::Header(name)) => Some(name),
            _ => None,
        };
        let names = [Some(&self.header), timestamp, self.id_header.as_ref()].into_iter().flatten();
        let names: Vec<_> = names.chain(self.template.headers()).collect();
        let renamed = self.families().flat_map(|family| names.iter().map(move |name| family.name(name)));
        let mut headers = Vec::new();
        for name in renamed {
            if !headers.contains(&name) {
                headers.push(name);
            }
        }
        headers
    }
}

/// The rules between the fields of a description, in the order in which they are reported.
fn check(it: &Description) -> Result<(), SchemeError> {
    let in_range = |index: Option<u8>| index.is_none_or(|index| index <= LAST_INDEX);
    let timestamps = [
        it.timestamp_key.is_some(),
        it.timestamp_index.is_some(),
        it.timestamp_header.is_some(),
        it.timestamp_path.is_some(),
    ];
    let timestamps = timestamps.into_iter().filter(|is_set| *is_set).count();
    let named = it.timestamp_key.is_some() || it.covered_key.is_some();
    let indexed = it.signature_index.is_some() || it.timestamp_index.is_some();
    let is_basic = it.algorithm == Algorithm::Basic;
    first_unmet([
        (it.tolerance > 0, "tolerance", "at least 1 second"),
        (it.separator.as_deref() != Some(""), "separator", "a text that is not empty"),
        (
            !named || it.signature_key.is_some(),
            "signature_key",
            "a value, because timestamp_key or covered_key is set",
        ),
        (
            !(named || indexed) || it.separator.is_some(),
            "separator",
            "a value, because the signature's header has several elements",
        ),
        (
            it.signature_index.is_none() || it.signature_key.is_none(),
            "signature_index",
            "no value, because signature_key is set",
        ),
        (
            it.timestamp_index.is_none() || it.signature_key.is_none(),
            "timestamp_index",
            "no value, because signature_key is set: name the timestamp with timestamp_key",
        ),
        (
            it.timestamp_index.is_none() || it.timestamp_index != it.signature_index,
            "timestamp_index",
            "another position than signature_index",
        ),
        (in_range(it.signature_index), "signature_index", "a position from 0 to 15"),
        (in_range(it.timestamp_index), "timestamp_index", "a position from 0 to 15"),
        (
            timestamps <= 1,
            "timestamp_key",
            "only one of timestamp_key, timestamp_index, timestamp_header and timestamp_path",
        ),
        (
            it.timestamp_path.as_deref() != Some(""),
            "timestamp_path",
            "the path of a field, such as webhookTimestamp",
        ),
        (
            !is_basic
                || it.header == DEFAULT_HEADER
                || it.header.eq_ignore_ascii_case(AUTHORIZATION.as_str()),
            "header",
            "no value, because algorithm basic reads Authorization",
        ),
        (
            !is_basic || (it.prefix.is_empty() && it.separator.is_none()),
            "algorithm",
            "an Authorization header without prefix and separator for basic",
        ),
        (
            !it.algorithm.sends_secret() || it.template == DEFAULT_TEMPLATE,
            "template",
            "no value, because algorithm token or basic signs nothing",
        ),
    ])
}

/// The rules between the fields and the places of the template.
fn check_places(it: &Description, template: &Template) -> Result<(), SchemeError> {
    let outside = it.timestamp_key.is_some() || it.timestamp_index.is_some() || it.timestamp_header.is_some();
    let covers = it.covered_key.is_some();
    first_unmet([
        (
            outside == template.has(&Part::Timestamp),
            "template",
            "{timestamp} if, and only if, there is a timestamp_key, timestamp_index or timestamp_header",
        ),
        (
            template.has(&Part::Id) || it.id_header.is_none() || covers,
            "template",
            "{id}, because there is an id_header",
        ),
        (
            it.id_header.is_some() || !template.has(&Part::Id),
            "id_header",
            "a value, because of {id} in template",
        ),
        (
            covers == template.has(&Part::Covered) && covers == template.has(&Part::CoveredValues),
            "template",
            "{covered} and {covered_values} if, and only if, there is a covered_key",
        ),
        (it.url.is_none() || template.has(&Part::Url), "template", "{url}, because there is a url"),
        (
            it.url_decoded.is_none() || template.has(&Part::Url),
            "template",
            "{url}, because there is a url_decoded",
        ),
        (
            it.url_decoded.as_ref().is_none_or(|text| !text.is_empty() && text.is_ascii()),
            "url_decoded",
            "the ASCII characters whose escapes are decoded",
        ),
    ])
}

fn first_unmet<const N: usize>(checks: [(bool, &'static str, &'static str); N]) -> Result<(), SchemeError> {
    match checks.into_iter().find(|(is_met, ..)| !is_met) {
        Some((_, field, expected)) => Err(SchemeError::new(field, expected)),
        None => Ok(()),
    }
}

fn name(field: &'static str, text: &str) -> Result<HeaderName, SchemeError> {
    text.parse().map_err(|_| SchemeError::new(field, "an HTTP header name"))
}

/// The prefixes in lower case. With one of them, or with two equal ones, there would be no choice.
fn families(header: &HeaderName, prefixes: &[String]) -> Result<Vec<String>, SchemeError> {
    const FIELD: &str = "header_families";
    let Some(first) = prefixes.first() else { return Ok(Vec::new()) };
    let families: Vec<_> = prefixes.iter().map(|prefix| prefix.to_ascii_lowercase()).collect();
    let distinct: std::collections::BTreeSet<_> = families.iter().collect();
    let are_names = families.iter().all(|prefix| prefix.parse::<HeaderName>().is_ok());
    if distinct.len() != families.len() || !(2..=MOST_FAMILIES).contains(&families.len()) || !are_names {
        return Err(SchemeError::new(FIELD, "2 to 8 different beginnings of header names"));
    }
    if !header.as_str().starts_with(&first.to_ascii_lowercase()) {
        return Err(SchemeError::new(FIELD, "the first one to be the beginning of header"));
    }
    Ok(families)
}
