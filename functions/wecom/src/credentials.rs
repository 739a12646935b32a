//! One entry of the credentials.

use std::num::NonZeroU32;

use letterbox_codec::{Rejected, Secret, Stage, Timestamp, credentials::one_or_more, sealed::Key};
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
        Timestamp::check_within(timestamp, tolerance, now).map_err(|reject| reject.at(Stage::Address))
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_255_200_000;

    fn entry(more: &str) -> Result<Credentials, serde_json::Error> {
        let aes_key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
        serde_json::from_str(&format!(r#"{{"token":"t","aes_key":"{aes_key}",{more}}}"#))
    }

    #[test]
    fn a_timestamp_counts_only_with_a_tolerance() {
        let fresh = |more: &str, age: i64| {
            entry(more)
                .unwrap()
                .fresh(&(NOW - age).to_string(), Timestamp(NOW))
                .map_err(|it| it.reject.code())
        };
        assert_eq!(fresh(r#""receive_id":"o","tolerance":60"#, 60_000), Ok(()));
        assert_eq!(fresh(r#""receive_id":"o","tolerance":60"#, 60_001), Err("timestamp_out_of_range"));
        assert_eq!(fresh(r#""receive_id":"o""#, 60_001), Ok(()));
    }

    #[test]
    fn a_receive_id_has_no_whitespace_around_it() {
        for (value, is_read) in
            [(r#""a""#, true), (r#""""#, true), (r#"["a",""]"#, true), (r#"["a"," b"]"#, false)]
        {
            assert_eq!(entry(&format!(r#""receive_id":{value}"#)).is_ok(), is_read, "{value}");
        }
    }
}
