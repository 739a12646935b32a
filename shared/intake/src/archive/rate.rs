//! A rate limit.

use std::time::Duration;

use tokio::time::Instant;

const MINUTE: Duration = Duration::from_mins(1);

/// A token bucket that holds the tokens of one minute and is full at first. It is pure: the clock comes in.
#[derive(Debug)]
pub(super) struct Bucket {
    /// The time in which one token comes back; `None` if there are no tokens at all.
    interval: Option<Duration>,
    /// When the bucket is full again.
    full: Option<Instant>,
}

impl Bucket {
    /// Creates a bucket for that many tokens in a minute.
    pub fn new(per_minute: u32) -> Self {
        Self { interval: MINUTE.checked_div(per_minute), full: None }
    }

    /// Takes a token; false if there is none.
    pub fn take(&mut self, now: Instant) -> bool {
        let Some(interval) = self.interval else { return false };
        let full = self.full.map_or(now, |full| full.max(now)) + interval;
        let is_there = full.duration_since(now) <= MINUTE;
        if is_there {
            self.full = Some(full);
        }
        is_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of that many attempts at one moment get a token.
    fn taken(bucket: &mut Bucket, attempts: u32, now: Instant) -> usize {
        (0..attempts).filter(|_| bucket.take(now)).count()
    }

    #[test]
    fn a_minutes_tokens_are_there_at_first_and_come_back_evenly() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut bucket = Bucket::new(1200);
        assert_eq!(taken(&mut bucket, 5000, at(0)), 1200);
        assert_eq!(taken(&mut bucket, 5000, at(0)), 0);
        assert_eq!(taken(&mut bucket, 5000, at(1)), 20);
        assert_eq!(taken(&mut bucket, 5, at(2)), 5);
        assert_eq!(taken(&mut bucket, 5000, at(3)), 35);
        assert_eq!(taken(&mut bucket, 5000, at(33)), 600);
        // Nobody saves up more than a minute's.
        assert_eq!(taken(&mut bucket, 5000, at(86_400)), 1200);
    }

    #[test]
    fn the_rates_at_the_edges() {
        let start = Instant::now();
        assert_eq!(taken(&mut Bucket::new(0), 1000, start), 0);
        let mut one = Bucket::new(1);
        assert_eq!(taken(&mut one, 1000, start), 1);
        assert_eq!(taken(&mut one, 1000, start + Duration::from_millis(59_999)), 0);
        assert_eq!(taken(&mut one, 1000, start + MINUTE), 1);
        let mut many = Bucket::new(1_000_000);
        assert_eq!(taken(&mut many, 1_100_000, start), 1_000_000);
    }
}
