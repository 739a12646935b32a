//! One entry of the credentials.

use std::num::NonZeroU32;

use letterbox_codec::{Reject, Rejected, Secret, Stage, Timestamp, credentials::one_or_more, sealed::Key};
use serde::{Deserialize, Deserializer, de::Error};

/// The credentials of one callback URL.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    pub(crate) token: Secret,
    pub(crate) aes_key: Key,
    /// Who a message may be for. It is empty in the messages of smart bots and of third-party apps of a natural person.
    #[serde(deserialize_with = "receive_ids")]
    pub(crate) receive_id: Vec<String>,
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

fn receive_ids<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let ids = one_or_more(deserializer)?;
    if ids.iter().any(|id| id.trim() != id) {
        return Err(D::Error::custom(
            "expected CorpIds, SuiteIds or \"\" (none is sent), without whitespace around them",
        ));
    }
    Ok(ids)
}
