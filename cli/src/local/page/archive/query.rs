//! The filter in a URL of the page.

use letterbox_codec::Timestamp;
use letterbox_intake::Outcome;
use serde::{Deserialize, Serialize};

use crate::{
    local::history,
    stack::archive::{Filter, Pattern},
    time,
};

/// The time range without `since`.
const DEFAULT_SINCE: &str = "1d";

/// The outcomes that the archive has, in the order in which the page offers them. Handshakes are not archived.
pub const OUTCOMES: [Outcome; 4] = [Outcome::Queued, Outcome::Refused, Outcome::Failed, Outcome::Unqueued];

/// Which deliveries the list shows; an empty field matches every delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct ArchiveQuery {
    /// The provider.
    pub provider: String,
    /// A substring of the source.
    pub source: String,
    /// The code of the outcome.
    pub outcome: String,
    /// A substring of the event type.
    #[serde(rename = "type")]
    pub kind: String,
    /// A substring of the request or the event.
    pub q: String,
    /// The code of the reason.
    pub reason: String,
    /// Received at this time or later; one day ago if empty.
    pub since: String,
    /// Received before this time; now if empty.
    pub until: String,
}

impl ArchiveQuery {
    /// The fields that the local page has, too.
    pub fn common(&self) -> history::Filter {
        let Self { provider, source, outcome, kind, q, .. } = self.clone();
        history::Filter { provider, source, outcome, kind, q }
    }

    /// True if it chooses by more than the time.
    pub fn is_choosing(&self) -> bool {
        let times = Self { since: self.since.clone(), until: self.until.clone(), ..Self::default() };
        *self != times
    }

    /// The filter of the archive. The error names the field that cannot be read.
    pub fn filter(&self, now: Timestamp) -> Result<Filter, String> {
        let point =
            |name: &str, text: &str| time::point(text, now).map_err(|expected| format!("{name}: {expected}"));
        let since = if self.since.trim().is_empty() { DEFAULT_SINCE } else { &self.since };
        let since = point("since", since)?;
        let until = if self.until.trim().is_empty() { None } else { Some(point("until", &self.until)?) };
        if until.is_some_and(|until| since >= until) {
            return Err("until: expected a later time than since".to_owned());
        }
        let outcome = match self.outcome.as_str() {
            "" => Vec::new(),
            code => {
                let known = OUTCOMES.into_iter().find(|outcome| outcome.as_str() == code);
                vec![known.ok_or("outcome: expected queued, refused, failed or unqueued")?]
            }
        };
        let list = |text: &str| if text.is_empty() { Vec::new() } else { vec![text.to_owned()] };
        let part = |text: &str| {
            let text = text.trim();
            if text.is_empty() { Vec::new() } else { vec![Pattern(format!("*{text}*"))] }
        };
        Ok(Filter {
            since: Some(since),
            until,
            providers: list(&self.provider),
            sources: part(&self.source),
            outcomes: outcome,
            reasons: list(self.reason.trim()),
            types: part(&self.kind),
            text: Some(self.q.clone()).filter(|text| !text.is_empty()),
            ..Filter::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_749_600_000);
    const HOUR: i64 = 3_600_000;

    fn query(fields: &str) -> ArchiveQuery {
        let uri = format!("/deliveries?{fields}").parse().unwrap();
        axum::extract::Query::try_from_uri(&uri).unwrap().0
    }

    #[test]
    fn the_time_range_is_always_bounded() {
        for (fields, since, until) in [
            ("", 24, None),
            ("since=&until=", 24, None),
            ("since=2h", 2, None),
            ("since=3d&until=1d", 72, Some(24)),
            ("since=2026-11-27T02:20:00Z", 1, None),
        ] {
            let ago = |hours: i64| Timestamp(NOW.0 - hours * HOUR);
            let filter = query(fields).filter(NOW).unwrap();
            assert_eq!((filter.since, filter.until), (Some(ago(since)), until.map(ago)), "{fields}");
        }
        for (fields, expected) in [
            ("since=yesterday", "since: "),
            ("until=x", "until: "),
            ("since=1d&until=2d", "until: "),
            ("outcome=answered", "outcome: "),
        ] {
            let error = query(fields).filter(NOW).unwrap_err();
            assert!(error.starts_with(expected), "{fields}: {error}");
        }
    }

    #[test]
    fn source_and_type_match_a_part() {
        let query = query("provider=github&source=ac&outcome=refused&type=push&q=A+b&reason=stale");
        let filter = query.filter(NOW).unwrap();
        assert_eq!(
            (&filter.providers, &filter.reasons),
            (&vec!["github".to_owned()], &vec!["stale".to_owned()])
        );
        assert!(filter.sources[0].matches("acme") && !filter.sources[0].matches("a"));
        assert!(filter.types[0].matches("github.push"));
        assert_eq!((filter.outcomes, filter.text.as_deref()), (vec![Outcome::Refused], Some("A b")));
        assert!(
            query.is_choosing()
                && !ArchiveQuery { since: "2h".to_owned(), ..ArchiveQuery::default() }.is_choosing()
        );
    }
}
