//! A page of Stripe's list of events that were not delivered, newest first.
//!
//! <https://docs.stripe.com/api/events/list> and <https://docs.stripe.com/webhooks/process-undelivered-events> (read
//! 2026-11-27): `delivery_success=false` are the events whose delivery failed at one endpoint at least; events of the last 30
//! days; at most 100 a page. Stripe retries by itself for up to three days.

use letterbox_codec::Timestamp;
use letterbox_outbound::http::query;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::limits::{HOUR, MINUTE};

/// How far a run looks back behind what the last one has seen, in seconds.
pub const OVERLAP: i64 = HOUR / 1000;

/// An event is left to Stripe's own first retries for this time, in seconds.
pub const GRACE: i64 = 15 * MINUTE / 1000;

/// How far the first run looks back, in seconds.
pub const FIRST: i64 = 24 * HOUR / 1000;

/// How long Stripe lists an event, in seconds.
pub const KEPT: i64 = 30 * 24 * HOUR / 1000;

/// What is known of an account's list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    /// Every event created until then has been seen, but for those in `rest`. In seconds.
    pub seen: Option<i64>,
    /// Events that a run did not reach.
    pub rest: Option<Window>,
    /// No request before this time, in milliseconds.
    pub blocked: Option<i64>,
}

/// A part of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Events created from then on, in seconds.
    pub from: i64,
    /// Events created until then, in seconds.
    pub to: i64,
    /// Only those behind this event, which is newer.
    pub after: Option<String>,
}

impl Scan {
    /// The part that a run reads first. Empty if its end is before its start.
    pub fn window(&self, now: Timestamp, since: Option<Timestamp>) -> Window {
        let seconds = |time: Timestamp| time.0.div_euclid(1000);
        let now = seconds(now);
        let usual = match self.seen {
            Some(seen) => seen.saturating_sub(OVERLAP),
            None => now.saturating_sub(FIRST),
        };
        let from = since.map_or(usual, seconds).max(now.saturating_sub(KEPT));
        Window { from, to: now.saturating_sub(GRACE), after: None }
    }
}

impl Window {
    /// The query string of its next page.
    pub fn query(&self, types: &[String]) -> String {
        let pairs = [
            ("delivery_success", Some("false".to_owned())),
            ("limit", Some("100".to_owned())),
            ("created[gte]", Some(self.from.to_string())),
            ("created[lte]", Some(self.to.to_string())),
            ("starting_after", self.after.clone()),
        ];
        let pairs = pairs.into_iter().filter_map(|(name, value)| Some((name, value?)));
        query(pairs.chain(types.iter().map(|one| ("types[]", one.clone()))))
    }
}

/// One event: its id, and the whole of it, verbatim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// `evt_...`
    pub id: String,
    /// The event as JSON.
    pub json: String,
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Its events, newest first.
    pub events: Vec<Listed>,
    /// True if there are older ones.
    pub has_more: bool,
}

/// Reads a page. The error says what was expected.
pub fn read(body: &[u8]) -> Result<Page, String> {
    #[derive(Deserialize)]
    struct Written<'p> {
        object: String,
        #[serde(borrow)]
        data: Vec<&'p RawValue>,
        has_more: bool,
    }
    #[derive(Deserialize)]
    struct Event {
        id: String,
    }
    let text = std::str::from_utf8(body).map_err(|_| "not UTF-8".to_owned())?;
    let written: Written<'_> = serde_json::from_str(text).map_err(|error| {
        format!("not a list of events (line {}, column {})", error.line(), error.column())
    })?;
    if written.object != "list" {
        return Err("object: expected `list`".to_owned());
    }
    let events = written.data.into_iter().map(|event| {
        let Event { id } = serde_json::from_str(event.get()).map_err(|_| "an event without an id")?;
        let is_plain = (1..=255).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_plain {
            return Err("id: expected the id of an event".to_owned());
        }
        Ok(Listed { id, json: event.get().to_owned() })
    });
    Ok(Page { events: events.collect::<Result<_, _>>()?, has_more: written.has_more })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_000_000_999);

    #[test]
    fn a_run_reads_what_is_new_and_an_hour_more() {
        let first = Scan::default().window(NOW, None);
        assert_eq!((first.from, first.to), (1_795_000_000 - 86_400, 1_795_000_000 - 900));
        let seen = Scan { seen: Some(first.to), ..Scan::default() };
        assert_eq!(seen.window(NOW, None).from, first.to - 3600);
        assert_eq!(seen.window(NOW, Some(Timestamp(0))).from, 1_795_000_000 - KEPT);
    }

    #[test]
    fn a_query_has_window_cursor_and_types() {
        let window = Window { from: 1, to: 2, after: Some("evt_1".into()) };
        assert_eq!(
            window.query(&["a.b".into(), "c".into()]),
            "delivery_success=false&limit=100&created%5Bgte%5D=1&created%5Blte%5D=2&starting_after=evt_1&types%5B%5D=a.b&types%5B%5D=c"
        );
    }

    #[test]
    fn an_event_stays_verbatim() {
        let body = br#"{"object":"list","url":"/v1/events","has_more":true,"data":[{ "id":"evt_1", "n":1.0, "t":"\u4e2d" }]}"#;
        let page = read(body).unwrap();
        assert!(page.has_more);
        assert_eq!(page.events[0].json, r#"{ "id":"evt_1", "n":1.0, "t":"\u4e2d" }"#);
    }

    #[test]
    fn garbage_is_an_error() {
        for body in [
            "",
            "<html>",
            "{}",
            r#"{"object":"event","data":[],"has_more":false}"#,
            r#"{"object":"list","data":[{}],"has_more":false}"#,
            r#"{"object":"list","data":[{"id":""}],"has_more":false}"#,
            r#"{"object":"list","data":[]}"#,
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
