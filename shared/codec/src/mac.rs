//! HMAC signatures, described by data.
//!
//! Platforms differ in the header, the algorithm, the text that is signed and little else. A [`Description`] says
//! it in data; [`Scheme::new`] checks that it makes sense; [`Scheme::verify`] is the one verifier for all of them.

mod description;
mod template;

use std::borrow::Cow;

use base64::{
    Engine,
    alphabet::{Alphabet, STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hmac::{Hmac, KeyInit, Mac, digest::CtOutput};
use http::HeaderName;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

pub use self::description::{Algorithm, Description, Encoding, SchemeError, SecretEncoding};
use self::template::{Part, Template};
use crate::{Reject, Request, Secret, Timestamp, Verified, timestamp::Unit};

/// More signatures than this in one header are not looked at.
const MOST_SIGNATURES: usize = 16;

/// The bytes that key a MAC: never empty.
#[derive(Clone)]
pub struct Key(Zeroizing<Vec<u8>>);

impl Key {
    /// Decodes a configured secret.
    ///
    /// # Errors
    /// If the secret is not of that encoding, or decodes to nothing. The error is one of the field `secret`.
    pub fn new(secret: &Secret, encoding: SecretEncoding) -> Result<Self, SchemeError> {
        let text = secret.expose();
        let bytes = match encoding {
            SecretEncoding::Text => Ok(text.as_bytes().to_vec()),
            SecretEncoding::Hex => hex::decode(text).map_err(|_| "hex"),
            SecretEncoding::Base64 => lenient(&STANDARD).decode(text).map_err(|_| "base64"),
            SecretEncoding::Whsec => lenient(&STANDARD)
                .decode(text.strip_prefix("whsec_").unwrap_or(text))
                .map_err(|_| "`whsec_` and base64"),
        };
        let error = |expected| SchemeError::new("secret", expected);
        let bytes = Zeroizing::new(bytes.map_err(error)?);
        if bytes.is_empty() { Err(error("a secret that is not empty")) } else { Ok(Self(bytes)) }
    }
}

/// A checked [`Description`].
#[derive(Clone, Debug)]
pub struct Scheme {
    header: HeaderName,
    prefix: String,
    separator: Option<String>,
    signature_key: Option<String>,
    timestamp_key: Option<String>,
    encoding: Encoding,
    algorithm: Algorithm,
    template: Template,
    timestamp_header: Option<HeaderName>,
    timestamp_unit: Unit,
    /// Milliseconds.
    tolerance: u64,
    id_header: Option<HeaderName>,
    url: Option<String>,
}

/// A request whose signature held.
#[derive(Debug)]
pub struct Signed<'r> {
    /// The raw body.
    pub content: Verified<'r>,
    /// The id that the signature covers, where the scheme has one.
    pub id: Option<Cow<'r, str>>,
}

/// What a signature header holds.
struct Claims<'r> {
    signatures: Vec<Vec<u8>>,
    timestamp: Option<Cow<'r, str>>,
}

/// What a template is filled with.
struct Parts<'p> {
    timestamp: &'p str,
    id: &'p str,
    url: &'p str,
    method: &'p str,
    body: &'p [u8],
}

impl Scheme {
    /// Verifies a request: the signature over the exact bytes in constant time, then the signed timestamp.
    pub fn verify<'r>(&self, key: &Key, request: &'r Request, now: Timestamp) -> Result<Signed<'r>, Reject> {
        let claims = self.claims(request)?;
        let id = match &self.id_header {
            Some(name) => Some(header(request, name)?.ok_or(Reject::MissingSignature)?),
            None => None,
        };
        let url = self.url.as_deref().map_or_else(|| request.uri().to_string(), str::to_owned);
        let parts = Parts {
            timestamp: claims.timestamp.as_deref().unwrap_or_default(),
            id: id.as_deref().unwrap_or_default(),
            url: &url,
            method: request.method().as_str(),
            body: request.body(),
        };
        self.vouch(key, &parts, &claims.signatures)?;
        if let Some(text) = &claims.timestamp {
            let signed =
                Timestamp::from_digits(text, self.timestamp_unit).ok_or(Reject::MalformedTimestamp)?;
            if signed.distance(now) > self.tolerance {
                return Err(Reject::TimestampOutOfRange);
            }
        }
        Ok(Signed { content: Verified::new(request.body().as_ref()), id })
    }

    /// Reads the signature header, and the timestamp from wherever the scheme has it.
    fn claims<'r>(&self, request: &'r Request) -> Result<Claims<'r>, Reject> {
        let value = header(request, &self.header)?.ok_or(Reject::MissingSignature)?;
        let elements = || match &self.separator {
            Some(separator) => value.split(separator.as_str()).map(str::trim).collect::<Vec<_>>(),
            None => vec![&*value],
        };
        let named = |key: &str| -> Vec<String> {
            let pairs = elements().into_iter().filter_map(|element| element.split_once('='));
            pairs.filter(|(name, _)| *name == key).map(|(_, value)| value.to_owned()).collect()
        };
        let candidates = match &self.signature_key {
            Some(key) => named(key),
            None => elements().into_iter().map(str::to_owned).collect(),
        };
        let mut texts = candidates.iter().filter_map(|text| text.strip_prefix(&self.prefix)).peekable();
        if texts.peek().is_none() {
            return Err(Reject::MalformedSignature);
        }
        // What does not decode is no signature of this content, and must not hide one that is.
        let signatures = texts.take(MOST_SIGNATURES).filter_map(|text| self.encoding.decode(text)).collect();
        let timestamp = match (&self.timestamp_key, &self.timestamp_header) {
            (Some(key), _) => match named(key).as_slice() {
                [one] => Some(Cow::Owned(one.clone())),
                _ => return Err(Reject::MalformedSignature),
            },
            (None, Some(name)) => Some(header(request, name)?.ok_or(Reject::MissingSignature)?),
            (None, None) => None,
        };
        Ok(Claims { signatures, timestamp })
    }

    /// Compares every candidate, whichever fits, each in constant time.
    fn vouch(&self, key: &Key, parts: &Parts<'_>, signatures: &[Vec<u8>]) -> Result<(), Reject> {
        let expected = self.mac(key, parts);
        let fits = signatures.iter().fold(Choice::from(0), |fits, given| fits | expected.ct_eq(given));
        if bool::from(fits) { Ok(()) } else { Err(Reject::SignatureMismatch) }
    }

    fn mac(&self, key: &Key, parts: &Parts<'_>) -> Vec<u8> {
        match self.algorithm {
            Algorithm::Sha1 => self.fill::<Hmac<Sha1>>(key, parts),
            Algorithm::Sha256 => self.fill::<Hmac<Sha256>>(key, parts),
            Algorithm::Sha512 => self.fill::<Hmac<Sha512>>(key, parts),
        }
    }

    fn fill<M: Mac + KeyInit>(&self, key: &Key, parts: &Parts<'_>) -> Vec<u8> {
        // HMAC takes keys of every length; the type of the constructor does not say so.
        let Ok(mut mac) = <M as KeyInit>::new_from_slice(&key.0) else { return Vec::new() };
        for part in self.template.parts() {
            mac.update(match part {
                Part::Literal(text) => text.as_bytes(),
                Part::Timestamp => parts.timestamp.as_bytes(),
                Part::Id => parts.id.as_bytes(),
                Part::Body => parts.body,
                Part::Url => parts.url.as_bytes(),
                Part::Method => parts.method.as_bytes(),
            });
        }
        let output: CtOutput<M> = mac.finalize();
        output.into_bytes().to_vec()
    }

    /// The headers with which a platform would send `body`: the other side of [`Scheme::verify`].
    pub fn sign(
        &self,
        key: &Key,
        method: &str,
        url: &str,
        body: &[u8],
        now: Timestamp,
        id: &str,
    ) -> Vec<(HeaderName, String)> {
        let number = match self.timestamp_unit {
            Unit::Seconds => now.0.div_euclid(1000),
            Unit::Milliseconds => now.0,
        };
        let timestamp = number.to_string();
        let url = self.url.as_deref().unwrap_or(url);
        let mac = self.mac(key, &Parts { timestamp: &timestamp, id, url, method, body });
        let mut value = format!("{}{}", self.prefix, self.encoding.encode(&mac));
        if let Some(key) = &self.signature_key {
            value = format!("{key}={value}");
        }
        if let (Some(key), Some(separator)) = (&self.timestamp_key, &self.separator) {
            value = format!("{key}={timestamp}{separator}{value}");
        }
        let mut headers = vec![(self.header.clone(), value)];
        headers.extend(self.timestamp_header.clone().map(|name| (name, timestamp)));
        headers.extend(self.id_header.clone().map(|name| (name, id.to_owned())));
        headers
    }
}

/// The one value of a header, `None` where it is absent or empty. Bytes that are no text match no signature.
fn header<'r>(request: &'r Request, name: &HeaderName) -> Result<Option<Cow<'r, str>>, Reject> {
    let mut values = request.headers().get_all(name).iter();
    let value = values.next().map(|value| String::from_utf8_lossy(value.as_bytes()));
    if values.next().is_some() {
        return Err(Reject::MalformedSignature);
    }
    Ok(value.filter(|value| !value.trim().is_empty()))
}

impl Encoding {
    fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => lenient(&STANDARD).decode(text).ok(),
            Self::Base64Url => lenient(&URL_SAFE).decode(text).ok(),
        }
    }

    fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => hex::encode(bytes),
            Self::Base64 => lenient(&STANDARD).encode(bytes),
            Self::Base64Url => lenient(&URL_SAFE).encode(bytes),
        }
    }
}

/// Base64 that need not be padded.
fn lenient(alphabet: &Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, config)
}
