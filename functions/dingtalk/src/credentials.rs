//! One entry of the credentials.

use std::num::NonZeroU32;

use letterbox_codec::{Reject, Rejected, Secret, Stage, Timestamp, credentials::one_or_more, sealed::Key};
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
        let sent = Timestamp::guess(timestamp);
        let (sent, _) = sent.ok_or(Reject::MalformedTimestamp.at(Stage::Address))?;
        if sent.distance(now) > u64::from(tolerance.get()).saturating_mul(1000) {
            return Err(Reject::TimestampOutOfRange.at(Stage::Address));
        }
        Ok(())
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
