//! Rate limits of a platform, kept to before each call: one bucket for each API.

use std::{collections::BTreeMap, time::Duration};

/// A bucket of one API: `burst` calls at once, and one more for each interval.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// When the bucket is full again, since the start of the clock.
    full: Duration,
}

/// The buckets of one side of one corp. Pure: the clock, which may start at any time, comes in.
#[derive(Debug)]
pub struct Limiter {
    interval: Duration,
    burst: u32,
    buckets: BTreeMap<&'static str, Bucket>,
}

impl Limiter {
    /// At most `per_second` calls a second of each API, and `burst` at once after a pause.
    pub fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1).checked_div(per_second).unwrap_or(Duration::from_secs(1));
        Self { interval, burst: burst.max(1), buckets: BTreeMap::new() }
    }

    /// Takes a call of an API out of its bucket, and returns how long the call has to wait for it.
    pub fn take(&mut self, api: &'static str, now: Duration) -> Duration {
        let spare = self.interval.saturating_mul(self.burst.saturating_sub(1));
        let bucket = self.buckets.entry(api).or_insert(Bucket { full: now });
        let full = bucket.full.max(now);
        bucket.full = full.saturating_add(self.interval);
        full.saturating_sub(spare).saturating_sub(now)
    }

    /// Lets no call of an API go before `until`: the platform has said that there were too many.
    pub fn hold(&mut self, api: &'static str, until: Duration) {
        let spare = self.interval.saturating_mul(self.burst.saturating_sub(1));
        let bucket = self.buckets.entry(api).or_insert(Bucket { full: until });
        bucket.full = bucket.full.max(until.saturating_add(spare));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn calls_of_one_api_are_spaced_and_others_are_not_held_up() {
        let mut limiter = Limiter::new(20, 1);
        let waits: Vec<_> = (0..3).map(|_| limiter.take("user/get", ms(1000))).collect();
        assert_eq!(waits, [ms(0), ms(50), ms(100)]);
        assert_eq!(limiter.take("user/list", ms(1000)), ms(0));
        // After a pause there is no credit for it.
        assert_eq!(limiter.take("user/get", ms(9000)), ms(0));
        assert_eq!(limiter.take("user/get", ms(9010)), ms(40));
    }

    #[test]
    fn a_burst_is_paid_back() {
        let mut limiter = Limiter::new(10, 3);
        let waits: Vec<_> = (0..5).map(|_| limiter.take("a", ms(0))).collect();
        assert_eq!(waits, [ms(0), ms(0), ms(0), ms(100), ms(200)]);
    }

    #[test]
    fn a_held_api_waits_and_then_goes_on_one_by_one() {
        let mut limiter = Limiter::new(10, 3);
        limiter.hold("a", ms(1000));
        let waits: Vec<_> = (0..3).map(|_| limiter.take("a", ms(0))).collect();
        assert_eq!(waits, [ms(1000), ms(1100), ms(1200)]);
        limiter.hold("a", ms(50));
        assert_eq!(limiter.take("a", ms(1300)), ms(0));
        assert_eq!(limiter.take("b", ms(0)), ms(0));
    }

    #[test]
    fn no_rate_is_one_a_second() {
        let mut limiter = Limiter::new(0, 0);
        assert_eq!([limiter.take("a", ms(0)), limiter.take("a", ms(0))], [ms(0), ms(1000)]);
    }

    proptest! {
        #[test]
        fn no_second_has_more_calls_than_are_allowed(
            per_second in 1_u32..200,
            burst in 1_u32..20,
            steps in prop::collection::vec(0_u64..300, 1..200),
        ) {
            let mut limiter = Limiter::new(per_second, burst);
            let mut now = Duration::ZERO;
            let mut sent: Vec<Duration> = Vec::new();
            for step in steps {
                now += ms(step);
                now += limiter.take("a", now);
                sent.push(now);
            }
            for (at, first) in sent.iter().enumerate() {
                let within = sent[at..].iter().take_while(|one| **one < *first + ms(1000)).count();
                prop_assert!(within <= (per_second + burst) as usize, "{within}");
            }
        }
    }
}
