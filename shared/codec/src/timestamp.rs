//! Points in time, and their RFC 3339 form.

use std::fmt;

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// The unit of a number that is a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub enum Unit {
    /// Seconds since the Unix epoch.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds since the Unix epoch.
    #[serde(rename = "ms")]
    Milliseconds,
}

/// A time without a unit is in milliseconds from this number on: as seconds it would lie beyond the year 5000.
const FIRST_MILLISECONDS: i64 = 100_000_000_000;

impl Timestamp {
    /// Parses decimal digits in the given unit; `None` for anything else, a sign and a fraction included.
    pub fn from_digits(text: &str, unit: Unit) -> Option<Self> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number: i64 = text.parse().ok()?;
        match unit {
            Unit::Seconds => number.checked_mul(1000).map(Self),
            Unit::Milliseconds => Some(Self(number)),
        }
    }

    /// Parses digits whose unit only their size shows, as several platforms send them.
    pub fn guess(text: &str) -> Option<(Self, Unit)> {
        let unit = match Self::from_digits(text, Unit::Milliseconds)? {
            Self(number) if number < FIRST_MILLISECONDS => Unit::Seconds,
            _ => Unit::Milliseconds,
        };
        Some((Self::from_digits(text, unit)?, unit))
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
            Unit::Milliseconds => format!("{time:.3}"),
        })
    }
}

/// `0000-01-01T00:00:00Z` in seconds: RFC 3339 has no earlier years.
const YEAR_ZERO: i64 = -62_167_219_200;

/// Converts a platform's time, which is digits or RFC 3339 with any offset, to RFC 3339 in UTC of the same precision.
/// `None` for anything else.
pub fn to_rfc3339(text: &str) -> Option<String> {
    if let Some((time, unit)) = Timestamp::guess(text) {
        return time.to_rfc3339(unit);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_keeps_the_precision_of_the_platform() {
        for (given, expected) in [
            ("1763719200123", Some("2025-11-21T10:00:00.123Z")),
            ("1763719200000", Some("2025-11-21T10:00:00.000Z")),
            ("1763719200", Some("2025-11-21T10:00:00Z")),
            // The last number that is read as seconds, and the first that is read as milliseconds.
            ("99999999999", Some("5138-11-16T09:46:39Z")),
            ("100000000000", Some("1973-03-03T09:46:40.000Z")),
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
    fn extremes_do_not_overflow() {
        assert_eq!(Timestamp(i64::MIN).distance(Timestamp(i64::MAX)), u64::MAX);
        assert_eq!(Timestamp(i64::MAX).to_string(), i64::MAX.to_string());
        assert_eq!(Timestamp::from_digits("9223372036854775807", Unit::Seconds), None);
    }
}
