//! One entry of the credentials.

use std::{collections::BTreeMap, num::NonZeroU32};

use letterbox_codec::{
    Reject, Rejected, Request, Secret, Stage, Timestamp, aead,
    signature::{self, Algorithm, Description, Encoding, Scheme, SchemeError, VerifiedRequest},
};
use serde::{Deserialize, Deserializer, de::Error};

use crate::{header, key_id::KeyId};

/// The credentials of one merchant.
#[derive(Deserialize)]
#[serde(try_from = "Entry")]
pub struct Credentials {
    pub(crate) api_v3_key: aead::Key,
    keys: BTreeMap<KeyId, PublicKey>,
    /// The scheme, with the tolerance of the entry.
    pub(crate) scheme: Scheme,
}

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(deserialize_with = "api_v3_key")]
    api_v3_key: aead::Key,
    /// The platform's keys by the ids that it names them with. Certificates and public keys may be side by side: while a
    /// merchant moves to public keys, notifications come signed with either.
    #[serde(deserialize_with = "keys")]
    keys: BTreeMap<KeyId, PublicKey>,
    /// The largest difference between the signed timestamp and now, in seconds. The default is the platform's own.
    tolerance: Option<NonZeroU32>,
}

impl TryFrom<Entry> for Credentials {
    type Error = SchemeError;

    fn try_from(Entry { api_v3_key, keys, tolerance }: Entry) -> Result<Self, SchemeError> {
        let mut description = description();
        if let Some(tolerance) = tolerance {
            description.tolerance = tolerance.get();
        }
        Ok(Self { api_v3_key, keys, scheme: Scheme::new(description)? })
    }
}

/// A public key, or the one of a certificate.
struct PublicKey(signature::Key);

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        signature::Key::public(Algorithm::RsaSha256, &text)
            .map(Self)
            .map_err(|error| D::Error::custom(format!("expected {}", error.expected)))
    }
}

fn keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<KeyId, PublicKey>, D::Error> {
    let mut keys = BTreeMap::new();
    for (text, key) in BTreeMap::<String, PublicKey>::deserialize(deserializer)? {
        let id = KeyId::parse(&text).ok_or_else(|| {
            D::Error::custom(
                "expected the serial number of a certificate (hex) or PUB_KEY_ID_… as the name of each key",
            )
        })?;
        if keys.insert(id, key).is_some() {
            return Err(D::Error::custom(
                "expected each serial number to appear only once, in whatever case",
            ));
        }
    }
    if keys.is_empty() {
        return Err(D::Error::custom("expected at least one key or certificate of WeChat Pay"));
    }
    Ok(keys)
}

fn api_v3_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<aead::Key, D::Error> {
    aead::Key::of_text(&Secret::deserialize(deserializer)?)
        .map_err(|expected| D::Error::custom(format!("expected {expected}")))
}

/// How a notification is signed: RSA with SHA-256 over `<timestamp>\n<nonce>\n<body>\n`.
pub(crate) fn description() -> Description {
    Description {
        header: header::SIGNATURE.into(),
        encoding: Encoding::Base64,
        algorithm: Algorithm::RsaSha256,
        template: format!("{{timestamp}}\n{{header:{}}}\n{{body}}\n", header::NONCE),
        timestamp_header: Some(header::TIMESTAMP.into()),
        ..Description::default()
    }
}

impl Credentials {
    /// The ids of the keys, as the platform names them.
    #[cfg(feature = "sender")]
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.keys.keys().map(KeyId::to_string)
    }

    /// Verifies a notification with the key that it names: the signature over the exact bytes, then the timestamp.
    pub(crate) fn verify<'r>(
        &self,
        request: &'r Request,
        now: Timestamp,
    ) -> Result<VerifiedRequest<'r>, Rejected> {
        let id = header::key_id(request).map_err(|reject| reject.at(Stage::Form))?;
        let PublicKey(key) = self.keys.get(&id).ok_or(Reject::UnknownKid.at(Stage::Key))?;
        self.scheme.verify(key, request, now)
    }
}
