//! The names in the archive bucket: `deliveries/yyyy/MM/dd/HH/<stream>-<version>-yyyy-MM-dd-HH-mm-ss-<uuid>.gz`.
//!
//! [Firehose][name] writes prefix and name with the UTC time at which the oldest record of the object arrived (read
//! 2026-11-27). A record arrives within moments of the delivery, and rarely later than [`LATE`].
//!
//! [name]: https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html

use std::ops::Range;

use letterbox_codec::Timestamp;

use super::{Filter, Order};

/// The prefix of all deliveries.
pub const ROOT: &str = "deliveries/";

/// The levels of folders below it: years, months, days, hours.
pub const LEVELS: usize = 4;

/// In milliseconds: no record arrives later than this after the delivery.
pub const LATE: i64 = 60 * 60 * 1000;

/// In milliseconds: the longest time between the arrivals of the first and the last record of an object, which is the
/// longest buffering interval of Firehose.
pub const BUFFERED: i64 = 15 * 60 * 1000;

/// In milliseconds: how far the clocks of a function, of Firehose and of S3 may differ.
pub const SKEW: i64 = 5 * 1000;

/// How many levels deep a folder is.
pub fn depth(prefix: &str) -> usize {
    prefix.strip_prefix(ROOT).map_or(0, |rest| rest.split_terminator('/').count())
}

/// The times that a folder stands for: a year, a month, a day or an hour; all times for [`ROOT`]; `None` for other names.
pub fn times(prefix: &str) -> Option<Range<i64>> {
    let rest = prefix.strip_prefix(ROOT)?;
    let mut numbers = rest.split_terminator('/').map(|part| {
        let is_number = (2..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<i16>().ok().filter(|_| is_number)
    });
    let Some(year) = numbers.next() else { return Some(i64::MIN..i64::MAX) };
    let [month, day, hour] = [numbers.next(), numbers.next(), numbers.next()];
    if numbers.next().is_some() {
        return None;
    }
    let part = |number: Option<Option<i16>>, least: i8| match number {
        None => Some(least),
        Some(number) => i8::try_from(number?).ok(),
    };
    let start =
        jiff::civil::DateTime::new(year?, part(month, 1)?, part(day, 1)?, part(hour, 0)?, 0, 0, 0).ok()?;
    let end = match (month, day, hour) {
        (None, ..) => start.checked_add(jiff::Span::new().years(1)),
        (_, None, _) => start.checked_add(jiff::Span::new().months(1)),
        (_, _, None) => start.checked_add(jiff::Span::new().days(1)),
        _ => start.checked_add(jiff::Span::new().hours(1)),
    };
    Some(milliseconds(start)?..milliseconds(end.ok()?)?)
}

fn milliseconds(time: jiff::civil::DateTime) -> Option<i64> {
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// True if an object in this folder may have a record that the filter passes.
pub fn may_have(prefix: &str, filter: &Filter) -> bool {
    let Some(times) = times(prefix) else { return false };
    let since = filter.since.map_or(i64::MIN, |Timestamp(since)| since.saturating_sub(BUFFERED + SKEW));
    let until = filter.until.map_or(i64::MAX, |Timestamp(until)| until.saturating_add(LATE));
    times.end > since && times.start <= until
}

/// Sorts folders so that the one to read next is the last.
pub fn sort(folders: &mut [String], order: Order) {
    folders.sort_unstable();
    if order == Order::OldestFirst {
        folders.reverse();
    }
}

/// One object of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// When its records arrived: the first, and at most the last.
    pub arrived: Range<i64>,
}

impl Object {
    /// The object with this key in a folder of an hour. `stored` is when S3 stored it, by its own clock.
    pub fn new(key: String, hour: &Range<i64>, stored: i64) -> Self {
        let first = in_name(&key).filter(|first| hour.contains(first)).unwrap_or(hour.start);
        let latest = if first == hour.start { hour.end } else { first };
        // An object that was copied has a late time.
        let last = stored.clamp(first, latest.saturating_add(BUFFERED));
        Self { key, arrived: first..last }
    }

    /// True if it may have a record that the filter passes.
    pub fn may_have(&self, filter: &Filter) -> bool {
        filter.since.is_none_or(|Timestamp(since)| self.arrived.end.saturating_add(SKEW) >= since)
            && filter.until.is_none_or(|Timestamp(until)| self.arrived.start.saturating_sub(LATE) < until)
    }
}

/// The time in the name of an object.
fn in_name(key: &str) -> Option<i64> {
    const WIDTHS: [usize; 6] = [4, 2, 2, 2, 2, 2];
    let name = key.rsplit('/').next()?;
    let parts: Vec<&str> = name.split('-').collect();
    let time = parts.windows(WIDTHS.len()).find(|window| {
        let fits = |(part, width): (&&str, usize)| {
            part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        window.iter().zip(WIDTHS).all(fits)
    })?;
    let [year, month, day, hour, minute, second] = time else { return None };
    let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}");
    milliseconds(text.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    }

    const HOUR: &str = "deliveries/2026/11/27/03/";

    #[test]
    fn folders_stand_for_times() {
        for (prefix, expected) in [
            ("deliveries/2026/", Some(("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"))),
            ("deliveries/2026/02/", Some(("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"))),
            ("deliveries/2026/12/31/", Some(("2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z"))),
            ("deliveries/2026/12/31/23/", Some(("2026-12-31T23:00:00Z", "2027-01-01T00:00:00Z"))),
            ("deliveries/2026/13/", None),
            ("deliveries/2026/02/30/", None),
            ("deliveries/2026/02/03/24/", None),
            ("deliveries/2026/02/03/04/05/", None),
            ("deliveries/failed/", None),
            ("deliveries/2026/+1/", None),
            ("errors/2026/", None),
        ] {
            assert_eq!(times(prefix), expected.map(|(start, end)| at(start)..at(end)), "{prefix}");
        }
        assert_eq!(times(ROOT), Some(i64::MIN..i64::MAX));
        assert_eq!(["", ROOT, "deliveries/2026/", HOUR].map(depth), [0, 0, 1, LEVELS]);
    }

    #[test]
    fn only_folders_of_the_time_are_read() {
        let filter = |since: &str, until: &str| Filter {
            since: Some(Timestamp(at(since))),
            until: Some(Timestamp(at(until))),
            ..Filter::default()
        };
        for (since, until, expected) in [
            ("2026-11-27T03:10:00Z", "2026-11-27T03:20:00Z", true),
            // The first record of an object may be older.
            ("2026-11-27T04:14:00Z", "2026-11-27T05:00:00Z", true),
            ("2026-11-27T04:16:00Z", "2026-11-27T05:00:00Z", false),
            // A record may arrive late.
            ("2026-11-27T01:00:00Z", "2026-11-27T02:01:00Z", true),
            ("2026-11-27T01:00:00Z", "2026-11-27T01:59:00Z", false),
        ] {
            let filter = filter(since, until);
            assert_eq!(may_have(HOUR, &filter), expected, "{since} {until}");
            for above in ["deliveries/2026/11/27/", "deliveries/2026/11/", "deliveries/2026/", ROOT] {
                assert!(may_have(above, &filter) || !expected, "{above} {since} {until}");
            }
        }
        assert!(may_have(HOUR, &Filter::default()) && !may_have("deliveries/x/", &Filter::default()));
    }

    #[test]
    fn folders_are_sorted_from_the_end() {
        let mut folders = ["b", "a", "c"].map(str::to_owned);
        sort(&mut folders, Order::NewestFirst);
        assert_eq!(folders.last().unwrap(), "c");
        sort(&mut folders, Order::OldestFirst);
        assert_eq!(folders.last().unwrap(), "a");
    }

    #[test]
    fn names_and_stores_say_when_records_arrived() {
        let hour = times(HOUR).unwrap();
        let object =
            |name: &str, stored: &str| Object::new(format!("{HOUR}{name}"), &hour, at(stored)).arrived;
        let named = "hooks-archive-1-2026-11-27-03-20-07-5f0c1c9e-2f4b-4d0e-9d6e-1f0d2b3c4a5b.gz";
        for (name, stored, first, last) in [
            (named, "2026-11-27T03:21:08Z", "2026-11-27T03:20:07Z", "2026-11-27T03:21:08Z"),
            // It was copied, or S3's clock is behind.
            (named, "2026-12-01T00:00:00Z", "2026-11-27T03:20:07Z", "2026-11-27T03:35:07Z"),
            (named, "2026-11-27T03:20:00Z", "2026-11-27T03:20:07Z", "2026-11-27T03:20:07Z"),
            ("other.gz", "2026-11-27T03:21:08Z", "2026-11-27T03:00:00Z", "2026-11-27T03:21:08Z"),
            ("other.gz", "2026-11-28T00:00:00Z", "2026-11-27T03:00:00Z", "2026-11-27T04:15:00Z"),
            // The name is of another hour.
            (
                "a-2026-11-28-03-20-07-b.gz",
                "2026-11-27T03:21:08Z",
                "2026-11-27T03:00:00Z",
                "2026-11-27T03:21:08Z",
            ),
        ] {
            assert_eq!(object(name, stored), at(first)..at(last), "{name} {stored}");
        }
        assert_eq!(in_name("x/2026-13-27-03-20-07"), None);
    }
}
