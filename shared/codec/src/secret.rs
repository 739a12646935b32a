//! Secrets, which are wiped on drop and never printed.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret string: not empty, wiped from memory on drop, and impossible to print.
///
/// ```
/// let secret = letterbox_codec::Secret::new("hunter2".into()).unwrap();
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of the string. The error says what was expected and does not contain the string.
    pub fn new(text: String) -> Result<Self, &'static str> {
        let text = Zeroizing::new(text);
        if text.is_empty() {
            return Err("a secret that is not empty");
        }
        if text.trim() != text.as_str() {
            return Err("a secret without whitespace around it");
        }
        Ok(Self(text))
    }

    /// True if `given` is the secret. Compares digests in constant time, so that not even the length leaks.
    pub fn matches(&self, given: &str) -> bool {
        Sha256::digest(self.0.as_bytes()).ct_eq(&Sha256::digest(given)).into()
    }

    /// The secret itself, only for the cryptographic primitive that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?)
            .map_err(|expected| de::Error::custom(format!("expected {expected}")))
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".into()).unwrap()), "Secret(..)");
    }

    #[test]
    fn a_secret_matches_only_itself() {
        let secret = Secret::new("hunter2".into()).unwrap();
        assert!(secret.matches("hunter2"));
        for other in ["", "hunter", "hunter22", "Hunter2", "hunter2 "] {
            assert!(!secret.matches(other), "{other}");
        }
    }

    #[test]
    fn empty_and_padded_secrets_are_refused_without_being_shown() {
        for (text, expected) in [
            ("", "a secret that is not empty"),
            ("hunter2\n", "a secret without whitespace around it"),
            (" hunter2", "a secret without whitespace around it"),
        ] {
            assert_eq!(Secret::new(text.into()).unwrap_err(), expected);
            let error = serde_json::from_value::<Secret>(text.into()).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
