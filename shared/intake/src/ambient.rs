//! The system's clock and entropy.

use std::time::{SystemTime, UNIX_EPOCH};

use letterbox_codec::{Ambient, Timestamp};

/// Returns the system's time and fresh entropy. It errs if the system has no entropy.
///
/// API Gateway's time of receipt is not used, because local tools give it in seconds or not at all.
pub fn system() -> Result<Ambient, getrandom::Error> {
    let mut entropy = [0; Ambient::ENTROPY];
    getrandom::fill(&mut entropy)?;
    Ok(Ambient { now: now(), entropy })
}

/// Returns the system's time.
pub fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
