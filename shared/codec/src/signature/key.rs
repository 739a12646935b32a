//! What verifies a signature: a shared secret or a public key.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, de::Error};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::{
    algorithm::{Algorithm, SecretEncoding},
    error::SchemeError,
    public_key::PublicKey,
};
use crate::{
    Reject, Secret,
    base64::{self, STANDARD},
};

/// The key of one entry: a shared secret, which is never empty, or a public key.
#[derive(Clone)]
pub struct Key(Kind);

#[derive(Clone)]
enum Kind {
    Secret(Zeroizing<Vec<u8>>),
    Public(PublicKey),
}

/// How texts begin that are public keys. Whoever has one could sign anything if it were the key of a MAC.
const PUBLIC: [&str; 3] = ["whpk_", "-----BEGIN PUBLIC KEY", "-----BEGIN CERTIFICATE"];

impl Key {
    /// Decodes a configured secret.
    ///
    /// # Errors
    /// If the secret is not of that encoding, decodes to nothing, or is a public key. The error is one of the field
    /// `secret`.
    pub fn new(secret: &Secret, encoding: SecretEncoding) -> Result<Self, SchemeError> {
        let error = |expected: String| SchemeError::new("secret", expected);
        let text = secret.expose();
        if PUBLIC.iter().any(|start| text.starts_with(start)) {
            return Err(error("a secret, and this is a public key: it belongs into public_key".into()));
        }
        let bytes = match encoding {
            SecretEncoding::Text => Ok(text.as_bytes().to_vec()),
            SecretEncoding::Hex => hex::decode(text).map_err(|found| format!("hex{}", describe_hex(&found))),
            SecretEncoding::Base64 => {
                base64::decode(&STANDARD, text).map_err(|found| format!("base64{found}"))
            }
            SecretEncoding::Whsec => {
                let text = text.strip_prefix("v1,").unwrap_or(text);
                let text = text.strip_prefix("whsec_").unwrap_or(text);
                base64::decode(&STANDARD, text).map_err(|found| format!("`whsec_` and base64{found}"))
            }
        };
        let bytes = Zeroizing::new(bytes.map_err(error)?);
        if bytes.is_empty() {
            return Err(error("a secret that is not empty".into()));
        }
        Ok(Self(Kind::Secret(bytes)))
    }

    /// [`Key::new`] of a field with a secret whose UTF-8 bytes are the key, for `deserialize_with`.
    pub fn from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&Secret::deserialize(deserializer)?, SecretEncoding::Text)
            .map_err(|error| D::Error::custom(format!("expected {}", error.expected)))
    }

    /// Reads a configured public key for one of the algorithms that have such.
    ///
    /// # Errors
    /// If the text has none of the accepted forms, or is a key of another kind. The error is one of the field
    /// `public_key`.
    pub fn public(algorithm: Algorithm, text: &str) -> Result<Self, SchemeError> {
        PublicKey::new(algorithm, text).map(|key| Self(Kind::Public(key)))
    }

    /// The HMAC of a text, or the secret itself where the request carries it; `None` if this key signs nothing.
    pub(super) fn sign(&self, algorithm: Algorithm, text: &[u8]) -> Option<Vec<u8>> {
        let Kind::Secret(secret) = &self.0 else { return None };
        match algorithm {
            Algorithm::Sha1 => hmac::<Hmac<Sha1>>(secret, text),
            Algorithm::Sha256 => hmac::<Hmac<Sha256>>(secret, text),
            Algorithm::Sha512 => hmac::<Hmac<Sha512>>(secret, text),
            Algorithm::Token | Algorithm::Basic => Some(secret.to_vec()),
            Algorithm::Ed25519 | Algorithm::EcdsaP256 | Algorithm::RsaSha256 => None,
        }
    }

    /// Checks that one of the signatures of a text is valid. All are compared, in constant time where the key is secret.
    /// A key of another kind than the algorithm's verifies nothing.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        text: &[u8],
        signatures: &[Vec<u8>],
    ) -> Result<(), Reject> {
        let matches = match &self.0 {
            Kind::Public(key) => {
                let any = signatures.iter().any(|given| key.verify(algorithm, text, given));
                Choice::from(u8::from(any))
            }
            Kind::Secret(_) => match self.sign(algorithm, text) {
                Some(expected) => {
                    // Of a secret that the request carries, the length is secret, too.
                    let comparable = |bytes: &[u8]| {
                        if algorithm.sends_secret() { Sha256::digest(bytes).to_vec() } else { bytes.to_vec() }
                    };
                    let expected = comparable(&expected);
                    let each = signatures.iter().map(|given| expected.ct_eq(&comparable(given)));
                    each.fold(Choice::from(0), |any, one| any | one)
                }
                None => Choice::from(0),
            },
        };
        if bool::from(matches) { Ok(()) } else { Err(Reject::SignatureMismatch) }
    }
}

fn hmac<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    // HMAC takes keys of every length; the type of the constructor does not say so.
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    mac.update(text);
    Some(mac.finalize().into_bytes().to_vec())
}

fn describe_hex(error: &hex::FromHexError) -> String {
    match error {
        hex::FromHexError::InvalidHexCharacter { index, .. } => {
            format!("; character {} is neither a digit nor a letter from a to f", index.saturating_add(1))
        }
        _ => "; an odd number of characters, so the copy is not whole".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_decoded_and_not_empty() {
        use SecretEncoding::{Base64, Hex, Text, Whsec};
        for (secret, encoding, expected) in [
            ("k", Text, Ok("6b")),
            ("6B6b", Hex, Ok("6b6b")),
            ("6b6", Hex, Err("hex; an odd number of characters, so the copy is not whole")),
            ("6bxx", Hex, Err("hex; character 3 is neither a digit nor a letter from a to f")),
            ("a2s=", Base64, Ok("6b6b")),
            ("a2s", Base64, Ok("6b6b")),
            // The two spare bits of the last character are set.
            ("a2v", Base64, Ok("6b6b")),
            ("a-s=", Base64, Err("base64; character 2 is `-` or `_`, which only base64url has")),
            ("a2 s", Base64, Err("base64; character 3 is whitespace")),
            ("a=2s", Base64, Err("base64; character 2 is a `=` too many, or not at the end")),
            ("a2s==", Base64, Err("base64; character 4 is a `=` too many, or not at the end")),
            ("a2sxa", Base64, Err("base64; its length of 5 is impossible, so the copy is not whole")),
            ("whsec_a2s=", Whsec, Ok("6b6b")),
            ("v1,whsec_a2s=", Whsec, Ok("6b6b")),
            ("a2s", Whsec, Ok("6b6b")),
            ("whsec_!", Whsec, Err("`whsec_` and base64; character 1 is no letter, digit or sign of it")),
            // Whoever guesses that the key is empty could sign anything.
            ("whsec_", Whsec, Err("a secret that is not empty")),
            ("whpk_a2s=", Text, Err("a secret, and this is a public key: it belongs into public_key")),
            ("whpk_a2s=", Whsec, Err("a secret, and this is a public key: it belongs into public_key")),
        ] {
            let key = Key::new(&Secret::new(secret.into()).unwrap(), encoding);
            let bytes = key.map(|key| match key.0 {
                Kind::Secret(bytes) => hex::encode(&*bytes),
                Kind::Public(_) => String::new(),
            });
            let bytes = bytes.as_deref().map_err(|error| &*error.expected);
            assert_eq!(bytes, expected, "{secret}");
        }
    }
}
