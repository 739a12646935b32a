//! One entry of the credentials.

use std::num::NonZeroU32;

use letterbox_codec::{Rejected, Secret, Stage, Timestamp, credentials::one_or_more, sealed::Key};
use serde::{Deserialize, Deserializer, de::Error};

/// The credentials of one app, corp or suite.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    pub(crate) token: Secret,
    pub(crate) aes_key: Key,
    #[serde(deserialize_with = "owner_keys")]
    pub(crate) owner_key: Vec<String>,
    /// Respond to the two suite handshakes with their `Random`, as older samples of the platform do.
    #[serde(default)]
    pub(crate) reply_random: bool,
    /// The largest difference between the timestamp and now, in seconds. The platform itself sets no limit.
    #[serde(default)]
    tolerance: Option<NonZeroU32>,
}

impl Credentials {
    /// Checks the signed timestamp, in seconds or milliseconds, if the entry has a tolerance.
    pub(crate) fn fresh(&self, timestamp: &str, now: Timestamp) -> Result<(), Rejected> {
        let Some(tolerance) = self.tolerance else { return Ok(()) };
        Timestamp::check_within(timestamp, tolerance, now).map_err(|reject| reject.at(Stage::Address))
    }
}

/// One owner key, or a list of them.
fn owner_keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let keys = one_or_more(deserializer)?;
    if keys.iter().any(|key| key.is_empty() || key.trim() != key) {
        return Err(D::Error::custom(
            "expected owner keys that are not empty, without whitespace around them",
        ));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(more: &str) -> Result<Credentials, serde_json::Error> {
        let aes_key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
        serde_json::from_str(&format!(r#"{{"token":"t","aes_key":"{aes_key}",{more}}}"#))
    }

    #[test]
    fn an_owner_key_is_a_text_without_whitespace_around_it() {
        for (value, is_read) in [
            (r#""a""#, true),
            (r#"["a","b"]"#, true),
            (r#""""#, false),
            (r#""a ""#, false),
            (r#"["a",""]"#, false),
            (r#"["a"," b"]"#, false),
        ] {
            assert_eq!(entry(&format!(r#""owner_key":{value}"#)).is_ok(), is_read, "{value}");
        }
    }
}
