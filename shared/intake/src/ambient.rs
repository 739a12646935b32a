//! The system's clock and entropy.

use std::time::{SystemTime, UNIX_EPOCH};

use letterbox_codec::{Ambient, Timestamp};

/// The present, from the system. The error means that the system has no entropy to give.
///
/// The gateway's own time of receipt is not used: local tools fill it in seconds, or not at all.
pub fn system() -> Result<Ambient, getrandom::Error> {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut entropy = [0; Ambient::ENTROPY];
    getrandom::fill(&mut entropy)?;
    Ok(Ambient { now: Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)), entropy })
}
