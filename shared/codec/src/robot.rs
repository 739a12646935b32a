//! The signature of a DingTalk robot's outgoing messages: it names the sender and the time, and nothing more.
//!
//! ```text
//! sign = base64(HMAC-SHA-256(app secret, timestamp | "\n" | app secret))
//! ```
//! The body is **not** covered, so what comes with it is not [`Verified`](crate::Verified) and cannot become an event.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{Reject, Secret, Timestamp, timestamp::Unit};

/// A message older (or newer) than this is refused, in milliseconds.
const TOLERANCE: u64 = 60 * 60 * 1000;

/// The time at which someone who knows the secret signed.
#[derive(Debug, PartialEq, Eq)]
pub struct SignedAt(pub Timestamp);

/// Checks the headers `timestamp` (milliseconds) and `sign` in constant time.
pub fn verify(secret: &Secret, timestamp: &str, sign: &str, now: Timestamp) -> Result<SignedAt, Reject> {
    let key = secret.expose().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Reject::SignatureMismatch)?;
    for part in [timestamp.as_bytes(), b"\n", key] {
        mac.update(part);
    }
    let given = STANDARD.decode(sign).map_err(|_| Reject::SignatureMismatch)?;
    mac.verify_slice(&given).map_err(|_| Reject::SignatureMismatch)?;
    let signed = Timestamp::from_digits(timestamp, Unit::Milliseconds).ok_or(Reject::MalformedTimestamp)?;
    if signed.distance(now) > TOLERANCE { Err(Reject::TimestampOutOfRange) } else { Ok(SignedAt(signed)) }
}
