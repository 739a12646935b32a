//! Secrets: wiped on drop, never shown.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use zeroize::Zeroizing;

/// A secret text: not empty, wiped from memory on drop, and without any way to print it.
///
/// ```
/// let secret = letterbox_codec::Secret::new("hunter2".into()).unwrap();
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over. The error names what is wrong with it, never the text.
    pub fn new(text: String) -> Result<Self, &'static str> {
        let text = Zeroizing::new(text);
        if text.is_empty() {
            return Err("a secret that is not empty");
        }
        if text.trim() != text.as_str() {
            return Err("a secret without white space around it");
        }
        Ok(Self(text))
    }

    /// The secret itself, for the primitive that needs it and nothing else.
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
    fn empty_and_padded_secrets_are_refused_without_being_shown() {
        for (text, expected) in [
            ("", "a secret that is not empty"),
            ("hunter2\n", "a secret without white space around it"),
            (" hunter2", "a secret without white space around it"),
        ] {
            assert_eq!(Secret::new(text.into()).unwrap_err(), expected);
            let error = serde_json::from_value::<Secret>(text.into()).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
