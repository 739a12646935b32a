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
