//! Points in time, and their RFC 3339 form.

use std::{fmt, num::NonZeroU32};

use crate::Reject;

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub enum Unit {
    /// Seconds since the Unix epoch.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds since the Unix epoch.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Microseconds since the Unix epoch.
    #[serde(rename = "us")]
    Microseconds,
    /// RFC 3339, with any offset and precision.
    #[serde(rename = "rfc3339")]
    Rfc3339,
}

/// A time without a unit is in milliseconds from this number on: as seconds it would lie beyond the year 5000.
const FIRST_MILLISECONDS: i64 = 100_000_000_000;

/// And in microseconds from this number on, for the same reason.
const FIRST_MICROSECONDS: i64 = 100_000_000_000_000;

impl Timestamp {
    /// Parses a time that is written in the given unit. `None` for anything else: of a number, a sign and a fraction
    /// included.
    pub fn parse(text: &str, unit: Unit) -> Option<Self> {
        let multiplied = |factor| digits(text)?.checked_mul(factor).map(Self);
        match unit {
            Unit::Seconds => multiplied(1000),
            Unit::Milliseconds => multiplied(1),
            Unit::Microseconds => digits(text).map(|number| Self(number.div_euclid(1000))),
            Unit::Rfc3339 => text.parse().ok().map(|time: jiff::Timestamp| Self(time.as_millisecond())),
        }
    }

    /// Parses digits whose unit only their size shows, as several platforms send them.
    pub fn guess(text: &str) -> Option<(Self, Unit)> {
        let unit = match digits(text)? {
            FIRST_MICROSECONDS.. => Unit::Microseconds,
            FIRST_MILLISECONDS.. => Unit::Milliseconds,
            _ => Unit::Seconds,
        };
        Some((Self::parse(text, unit)?, unit))
    }

    /// Checks that a time, as [`Timestamp::guess`] reads it, is at most so many seconds before or after `now`.
    pub fn check_within(text: &str, seconds: NonZeroU32, now: Self) -> Result<(), Reject> {
        let (sent, _) = Self::guess(text).ok_or(Reject::MalformedTimestamp)?;
        let tolerance = u64::from(seconds.get()).saturating_mul(1000);
        if sent.distance(now) > tolerance { Err(Reject::TimestampOutOfRange) } else { Ok(()) }
    }

    /// Writes a time so that [`Timestamp::parse`] reads it.
    pub fn write(self, unit: Unit) -> String {
        match unit {
            Unit::Seconds => self.0.div_euclid(1000).to_string(),
            Unit::Milliseconds => self.0.to_string(),
            Unit::Microseconds => self.0.saturating_mul(1000).to_string(),
            Unit::Rfc3339 => self.to_string(),
        }
    }

    /// The distance to another time in milliseconds, without overflow.
    pub fn distance(self, other: Self) -> u64 {
        self.0.abs_diff(other.0)
    }

    /// RFC 3339 in UTC with the unit's precision, or `None` outside the years 0000 to 9999.
    pub fn to_rfc3339(self, unit: Unit) -> Option<String> {
        let time =
            jiff::Timestamp::from_millisecond(self.0).ok().filter(|time| time.as_second() >= YEAR_ZERO)?;
        Some(match unit {
            Unit::Seconds => format!("{time:.0}"),
            Unit::Milliseconds | Unit::Rfc3339 => format!("{time:.3}"),
            Unit::Microseconds => format!("{time:.6}"),
        })
    }
}

/// Decimal digits and nothing else.
fn digits(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// `0000-01-01T00:00:00Z` in seconds: RFC 3339 has no earlier years.
const YEAR_ZERO: i64 = -62_167_219_200;

/// Converts a platform's time, which is digits or RFC 3339 with any offset, to RFC 3339 in UTC of the same precision.
/// `None` for anything else.
pub fn to_rfc3339(text: &str) -> Option<String> {
    match Timestamp::guess(text) {
        Some((_, Unit::Microseconds)) => {
            let time = jiff::Timestamp::from_microsecond(digits(text)?).ok()?;
            return Some(format!("{time:.6}"));
        }
        Some((time, unit)) => return time.to_rfc3339(unit),
        None => {}
    }
    let time: jiff::Timestamp =
        text.parse().ok().filter(|time: &jiff::Timestamp| time.as_second() >= YEAR_ZERO)?;
    let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count().min(9);
    Some(format!("{time:.digits$}"))
}

impl fmt::Display for Timestamp {
    /// RFC 3339 with milliseconds, or the plain number outside the years 0000 to 9999.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_rfc3339(Unit::Milliseconds) {
            Some(text) => f.write_str(&text),
            None => self.0.fmt(f),
        }
    }
}

/// RFC 3339 as the JSON form of a [`Timestamp`], for `#[serde(with = "…")]`.
pub mod rfc3339 {
    use std::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::{Timestamp, Unit};

    /// Writes UTC with milliseconds.
    pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(time)
    }

    /// Reads any offset and precision.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Timestamp::parse(&text, Unit::Rfc3339).ok_or_else(|| D::Error::custom("expected a time in RFC 3339"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_at_most_the_tolerance_away() {
        const NOW: i64 = 1_795_255_200_000;
        for (text, expected) in [
            (NOW.to_string(), Ok(())),
            ((NOW / 1000).to_string(), Ok(())),
            ((NOW - 60_000).to_string(), Ok(())),
            ((NOW + 60_000).to_string(), Ok(())),
            ((NOW - 60_001).to_string(), Err(Reject::TimestampOutOfRange)),
            ((NOW + 60_001).to_string(), Err(Reject::TimestampOutOfRange)),
            ("soon".to_owned(), Err(Reject::MalformedTimestamp)),
        ] {
            let found = Timestamp::check_within(&text, NonZeroU32::new(60).unwrap(), Timestamp(NOW));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn rfc3339_keeps_the_precision_of_the_platform() {
        for (given, expected) in [
            ("1763719200123", Some("2025-11-21T10:00:00.123Z")),
            ("1763719200000", Some("2025-11-21T10:00:00.000Z")),
            ("1763719200", Some("2025-11-21T10:00:00Z")),
            // The last number that is read as seconds, and the first that is read as milliseconds.
            ("99999999999", Some("5138-11-16T09:46:39Z")),
            ("100000000000", Some("1973-03-03T09:46:40.000Z")),
            // The same for milliseconds and microseconds.
            ("99999999999999", Some("5138-11-16T09:46:39.999Z")),
            ("100000000000000", Some("1973-03-03T09:46:40.000000Z")),
            ("1763719200123456", Some("2025-11-21T10:00:00.123456Z")),
            ("2026-11-21T18:00:00+08:00", Some("2026-11-21T10:00:00Z")),
            ("2026-11-21T10:00:00.12Z", Some("2026-11-21T10:00:00.12Z")),
            ("-1", None),
            ("99999999999999999999", None),
            ("9223372036854775807", None),
            ("2026-12-18 12:33:58", None),
            ("", None),
        ] {
            assert_eq!(to_rfc3339(given).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn a_time_is_read_in_its_unit_alone() {
        use Unit::{Microseconds, Milliseconds, Rfc3339, Seconds};
        for (text, unit, expected) in [
            ("1763719200", Seconds, Some(1_763_719_200_000)),
            ("1763719200123", Milliseconds, Some(1_763_719_200_123)),
            ("1763719200123999", Microseconds, Some(1_763_719_200_123)),
            ("2025-11-21T10:00:00Z", Rfc3339, Some(1_763_719_200_000)),
            ("2025-11-21T10:00:00.123999999Z", Rfc3339, Some(1_763_719_200_123)),
            ("2025-11-21T18:00:00.1+08:00", Rfc3339, Some(1_763_719_200_100)),
            ("1763719200", Rfc3339, None),
            ("2025-11-21", Rfc3339, None),
            ("2025-11-21T10:00:00", Rfc3339, None),
            ("2025-11-21T10:00:00Z", Seconds, None),
            ("1763719200.5", Seconds, None),
            ("+1763719200", Milliseconds, None),
            ("", Microseconds, None),
        ] {
            assert_eq!(Timestamp::parse(text, unit).map(|time| time.0), expected, "{text}");
        }
        for unit in [Seconds, Milliseconds, Microseconds, Rfc3339] {
            let time = Timestamp(1_763_719_200_000);
            assert_eq!(Timestamp::parse(&time.write(unit), unit), Some(time), "{unit:?}");
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        assert_eq!(Timestamp(i64::MIN).distance(Timestamp(i64::MAX)), u64::MAX);
        assert_eq!(Timestamp(i64::MAX).to_string(), i64::MAX.to_string());
        assert_eq!(Timestamp::parse("9223372036854775807", Unit::Seconds), None);
    }
}
