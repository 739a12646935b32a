//! One entry of the credentials.

use std::num::NonZeroU32;

use letterbox_codec::{
    Reject, Rejected, Secret, Stage, Timestamp,
    feishu::{Content, Delivery, EncryptKey},
    timestamp::Unit,
};
use serde::Deserialize;

/// The credentials of one app.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    pub(crate) verification_token: Secret,
    /// Without it the deliveries come in clear, and the token in them is their only proof.
    #[serde(default)]
    pub(crate) encrypt_key: Option<EncryptKey>,
    /// The largest difference between the signed timestamp and now, in seconds.
    #[serde(default = "five_minutes")]
    tolerance: NonZeroU32,
}

const fn five_minutes() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(299)
}

impl Credentials {
    /// Verifies, decrypts and reads a delivery.
    pub(crate) fn open<'d>(
        &self,
        delivery: &'d Delivery<'_>,
        now: Timestamp,
    ) -> Result<Content<'d>, Rejected> {
        let key = self.encrypt_key.as_ref();
        let signed = delivery.verify(key, &self.verification_token)?;
        let timestamp = signed.timestamp();
        let opened = signed.open(key)?;
        if let Some(timestamp) = timestamp {
            let sent = Timestamp::parse(timestamp, Unit::Seconds);
            let sent = sent.ok_or(Reject::MalformedTimestamp.at(Stage::Address))?;
            if sent.distance(now) > u64::from(self.tolerance.get()).saturating_mul(1000) {
                return Err(Reject::TimestampOutOfRange.at(Stage::Address));
            }
        }
        opened.with_token(&self.verification_token)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use letterbox_codec::feishu::{NONCE, SIGNATURE, TIMESTAMP};

    use super::*;

    #[test]
    fn a_signed_timestamp_is_at_most_the_tolerance_away() {
        for (tolerance, seconds) in [("", 300), (r#","tolerance":60"#, 60)] {
            let entry = format!(r#"{{"verification_token":"t","encrypt_key":"k"{tolerance}}}"#);
            let entry: Credentials = serde_json::from_str(&entry).unwrap();
            let key = entry.encrypt_key.as_ref().unwrap();
            let sealed = key.seal([7; 16], br#"{"type":"event_callback","token":"t"}"#);
            let body = format!(r#"{{"encrypt":"{sealed}"}}"#);
            let sent = 1_795_255_200;
            let mut headers = HeaderMap::new();
            let signature = key.signature(&sent.to_string(), "n", body.as_bytes());
            for (name, value) in [(SIGNATURE, &*signature), (TIMESTAMP, &sent.to_string()), (NONCE, "n")] {
                headers.insert(name, value.parse().unwrap());
            }
            let delivery = Delivery::read(&headers, body.as_bytes()).unwrap();
            for (later, is_fresh) in [(0, true), (seconds * 1000, true), (seconds * 1000 + 1, false)] {
                for now in [sent * 1000 + later, sent * 1000 - later] {
                    let refused = entry.open(&delivery, Timestamp(now)).err();
                    let expected = (!is_fresh).then(|| Reject::TimestampOutOfRange.at(Stage::Address));
                    assert_eq!(refused, expected, "{now}");
                }
            }
        }
    }
}
