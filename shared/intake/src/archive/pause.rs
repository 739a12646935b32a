//! When to stop waiting for an archive that does not respond.

use std::time::Duration;

use tokio::time::Instant;

/// How many times the limit of the last put no further one is tried: deliveries then spend at most a tenth of their time
/// on waiting in vain.
const PAUSE: u32 = 10;

/// Puts in a row that must time out before the pause. A single one may have met a connection that was closed meanwhile.
const TIMEOUTS: u32 = 2;

/// Bounds the time that deliveries wait for an archive that does not respond. It is pure: the clock comes in.
#[derive(Debug, Default)]
pub(super) struct Pause {
    timeouts: u32,
    until: Option<Instant>,
}

impl Pause {
    /// True if a put may be tried.
    pub fn is_over(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now >= until)
    }

    /// The archive responded, if only with an error.
    pub fn responded(&mut self) {
        *self = Self::default();
    }

    /// A put took longer than `limit`.
    pub fn timed_out(&mut self, limit: Duration, now: Instant) {
        self.timeouts = self.timeouts.saturating_add(1);
        if self.timeouts >= TIMEOUTS {
            self.until = now.checked_add(limit.saturating_mul(PAUSE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_timeouts_in_a_row_pause_and_one_put_then_tries_again() {
        let limit = Duration::from_secs(1);
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut pause = Pause::default();
        assert!(pause.is_over(at(0)));
        pause.timed_out(limit, at(1000));
        assert!(pause.is_over(at(1000)));
        pause.responded();
        pause.timed_out(limit, at(2000));
        assert!(pause.is_over(at(2000)));
        pause.timed_out(limit, at(3000));
        assert!(!pause.is_over(at(3000)));
        assert!(!pause.is_over(at(12_999)));
        assert!(pause.is_over(at(13_000)));
        // The next timeout pauses again.
        pause.timed_out(limit, at(14_000));
        assert!(!pause.is_over(at(23_999)));
        assert!(pause.is_over(at(24_000)));
        pause.responded();
        assert!(pause.is_over(at(24_000)));
        pause.timed_out(Duration::MAX, at(25_000));
        pause.timed_out(Duration::MAX, at(25_000));
    }
}
