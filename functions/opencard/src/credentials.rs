//! One entry of the credentials: a table of pre-shared keys.

use std::collections::HashMap;

use letterbox_codec::{
    Reject, Rejected, Secret, Stage,
    jwe::{LONGEST_KID, Psk, Token},
};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

/// The keys of one app, by `kid`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    #[serde(deserialize_with = "table")]
    keys: HashMap<String, Psk>,
}

impl Credentials {
    /// The key that a token names.
    pub(crate) fn psk_of(&self, token: &Token) -> Result<&Psk, Rejected> {
        let psk = token.header.kid.as_ref().and_then(|kid| self.keys.get(kid));
        psk.ok_or(Reject::UnknownKid.at(Stage::Key))
    }

    /// The `kid` and key that the simulated platform uses: the first in alphabetical order.
    #[cfg(feature = "sender")]
    pub(crate) fn first(&self) -> Option<(&str, &Psk)> {
        self.keys.iter().map(|(kid, psk)| (kid.as_str(), psk)).min_by_key(|(kid, _)| *kid)
    }
}

/// Reads the table. A kid and its key are easily swapped, so no error contains a kid that could be a key.
fn table<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HashMap<String, Psk>, D::Error> {
    let keys = HashMap::<String, Value>::deserialize(deserializer)?;
    if keys.is_empty() || keys.keys().any(|kid| !(1..=LONGEST_KID).contains(&kid.len())) {
        return Err(D::Error::custom("expected at least one key, each under its kid of 1 to 128 bytes"));
    }
    let keys = keys.into_iter().map(|(kid, key)| match psk(key) {
        Ok(psk) => Ok((kid, psk)),
        Err(expected) if psk_text(&kid).is_ok() => {
            Err(D::Error::custom(format!("expected under each kid {expected}: are kid and key swapped?")))
        }
        Err(expected) => Err(D::Error::custom(format!("expected under the kid {kid:?} {expected}"))),
    });
    keys.collect()
}

fn psk(key: Value) -> Result<Psk, String> {
    match key {
        Value::String(text) => psk_text(&text),
        _ => Err("a string".to_owned()),
    }
}

fn psk_text(text: &str) -> Result<Psk, String> {
    Psk::new(&Secret::new(text.to_owned())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_no_key() {
        const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZg";
        for (keys, expected) in [
            ("{}".to_owned(), "expected at least one key"),
            (format!(r#"{{"":"{KEY}"}}"#), "expected at least one key"),
            (
                r#"{"0":"short"}"#.to_owned(),
                r#"expected under the kid "0" base64url of 16 bytes (22 characters); its length of 5 is"#,
            ),
            (
                r#"{"0":"MDEyMzQ1Njc4OWFiY2Rl*g"}"#.to_owned(),
                r#"expected under the kid "0" base64url of 16 bytes (22 characters); character 21 is no letter"#,
            ),
            (
                r#"{"0":"MDEyMzQ1Njc4OWFi"}"#.to_owned(),
                r#"expected under the kid "0" base64url of 16 bytes (22 characters); these are 12 bytes"#,
            ),
            (r#"{"0":5}"#.to_owned(), r#"expected under the kid "0" a string"#),
            (
                format!(r#"{{"{KEY}":"0"}}"#),
                "expected under each kid base64url of 16 bytes (22 characters); its length of 1 is",
            ),
            (format!(r#"{{"0":"{KEY} "}}"#), r#"expected under the kid "0" a secret without whitespace"#),
        ] {
            let error = serde_json::from_str::<Credentials>(&format!(r#"{{"keys":{keys}}}"#)).err().unwrap();
            let error = error.to_string();
            assert!(error.starts_with(expected), "{error}");
            assert!(!error.contains(KEY), "{error}");
        }
    }
}
