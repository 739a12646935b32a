//! Parses and formats times and durations.

use std::time::Duration;

use letterbox_codec::Timestamp;

/// Parses RFC 3339, or Unix seconds or milliseconds.
pub fn parse(text: &str) -> Result<Timestamp, String> {
    if let Some((time, _)) = Timestamp::guess(text) {
        return Ok(time);
    }
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|_| "expected RFC 3339, such as 2026-11-21T10:00:00Z, or Unix seconds or milliseconds")?;
    Ok(Timestamp(time.as_millisecond()))
}

/// Parses a point in time as people write it: RFC 3339, a date, a date and a time of day (both in UTC), Unix seconds or
/// milliseconds, or how long before `now` it was, such as `2h`, `3d` or `1h30m`.
pub fn point(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    const EXPECTED: &str = "expected a time such as 2026-11-21T10:00:00Z, 2026-11-21 or '2026-11-21 10:00' (UTC), or how long ago: 30m, 2h, 3d";
    let text = text.trim();
    if let Ok(time) = parse(text) {
        return Ok(time);
    }
    if let Ok(time) = text.parse::<jiff::civil::DateTime>() {
        let time = time.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| EXPECTED)?;
        return Ok(Timestamp(time.timestamp().as_millisecond()));
    }
    let ago: jiff::Span = text.parse().map_err(|_| EXPECTED)?;
    let ago = ago.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| EXPECTED)?;
    let ago = i64::try_from(ago.abs().as_millis()).map_err(|_| EXPECTED)?;
    Ok(Timestamp(now.0.saturating_sub(ago)))
}

/// Like [`point`], before the present.
pub fn past(text: &str) -> Result<Timestamp, String> {
    let now = letterbox_intake::ambient::system().map_err(|error| error.to_string())?.now;
    point(text, now)
}

/// An exact duration: `1500 ms`, `10 s`, `5 min`, `2 h`.
pub fn span(time: Duration) -> String {
    match (time.as_millis(), time.as_secs()) {
        (milliseconds, _) if milliseconds % 1000 != 0 => format!("{milliseconds} ms"),
        (_, seconds) if seconds > 0 && seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        (_, seconds) if seconds > 0 && seconds % 60 == 0 => format!("{} min", seconds / 60),
        (_, seconds) => format!("{seconds} s"),
    }
}

/// An approximate duration: `5 minutes`, `2 days`.
pub fn about(milliseconds: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(86_400_000, "days"), (3_600_000, "hours"), (60_000, "minutes"), (1000, "seconds")];
    // A unit is used from two on: "90 minutes" is more precise than "1 hours".
    let found = UNITS.iter().find(|(length, _)| milliseconds / length >= 2);
    found.map_or_else(
        || format!("{milliseconds} milliseconds"),
        |(length, name)| format!("{} {name}", milliseconds / length),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_parsed_from_several_formats() {
        for (text, expected) in [
            ("1763719200", Some(1_763_719_200_000)),
            ("1763719200123", Some(1_763_719_200_123)),
            ("2025-11-21T10:00:00.123Z", Some(1_763_719_200_123)),
            ("2025-11-21T18:00:00+08:00", Some(1_763_719_200_000)),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(parse(text).ok(), expected.map(Timestamp), "{text}");
        }
    }

    #[test]
    fn points_in_time_are_parsed_as_people_write_them() {
        let now = Timestamp(1_763_719_200_000);
        for (text, expected) in [
            ("2025-11-21T10:00:00.123Z", Some("2025-11-21T10:00:00.123Z")),
            ("2025-11-21T18:00:00+08:00", Some("2025-11-21T10:00:00.000Z")),
            ("2025-11-21", Some("2025-11-21T00:00:00.000Z")),
            ("2025-11-21 09:30", Some("2025-11-21T09:30:00.000Z")),
            ("2025-11-21T09:30:05", Some("2025-11-21T09:30:05.000Z")),
            ("1763719200", Some("2025-11-21T10:00:00.000Z")),
            ("30m", Some("2025-11-21T09:30:00.000Z")),
            ("90s", Some("2025-11-21T09:58:30.000Z")),
            ("2h", Some("2025-11-21T08:00:00.000Z")),
            ("2 hours ago", Some("2025-11-21T08:00:00.000Z")),
            ("1h30m", Some("2025-11-21T08:30:00.000Z")),
            ("3d", Some("2025-11-18T10:00:00.000Z")),
            ("1w", Some("2025-11-14T10:00:00.000Z")),
            ("2025-13-01", None),
            ("3 months", None),
            ("soon", None),
            ("", None),
        ] {
            let point = point(text, now).ok().map(|time| time.to_string());
            assert_eq!(point.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn spans_are_exact() {
        for (milliseconds, expected) in [
            (0, "0 s"),
            (1_500, "1500 ms"),
            (10_000, "10 s"),
            (90_000, "90 s"),
            (300_000, "5 min"),
            (7_200_000, "2 h"),
        ] {
            assert_eq!(span(Duration::from_millis(milliseconds)), expected);
        }
    }

    #[test]
    fn approximate_durations_use_the_largest_fitting_unit() {
        for (milliseconds, expected) in [
            (1500, "1500 milliseconds"),
            (301_000, "5 minutes"),
            (5_400_000, "90 minutes"),
            (200_000_000, "2 days"),
        ] {
            assert_eq!(about(milliseconds), expected);
        }
    }
}
