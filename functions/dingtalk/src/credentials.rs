//! One entry of the credentials.

use std::{fmt, num::NonZeroU32};

use letterbox_codec::{Reject, Rejected, Secret, Stage, Timestamp, sealed::Key};
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};

/// The credentials of one app, corp or suite.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    pub(crate) token: Secret,
    #[serde(deserialize_with = "aes_key")]
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
        let sent = Timestamp::guess(timestamp);
        let (sent, _) = sent.ok_or(Reject::MalformedTimestamp.at(Stage::Address))?;
        if sent.distance(now) > u64::from(tolerance.get()).saturating_mul(1000) {
            return Err(Reject::TimestampOutOfRange.at(Stage::Address));
        }
        Ok(())
    }
}

fn aes_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
    Key::new(&Secret::deserialize(deserializer)?)
        .map_err(|expected| D::Error::custom(format!("expected {expected}")))
}

/// One owner key, or a list of them.
fn owner_keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct OneOrMore;

    impl<'de> Visitor<'de> for OneOrMore {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an AppKey, SuiteKey or CorpId, or a list of them")
        }

        fn visit_str<E: Error>(self, one: &str) -> Result<Vec<String>, E> {
            Ok(vec![one.to_owned()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
            let mut keys = Vec::new();
            while let Some(key) = list.next_element()? {
                keys.push(key);
            }
            Ok(keys)
        }
    }

    let keys = deserializer.deserialize_any(OneOrMore)?;
    if keys.is_empty() || keys.iter().any(|key| key.is_empty() || key.trim() != key) {
        return Err(D::Error::custom(
            "expected owner keys that are not empty, without whitespace around them",
        ));
    }
    Ok(keys)
}
