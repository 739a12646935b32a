//! New deliveries as server-sent events: `delivery` is a line of the list, `totals` the top of the page. `reset` makes a
//! page reload whose deliveries no longer exist, because the file was replaced.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::{Query, State},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use http::HeaderMap;
use serde::Deserialize;

use super::{
    super::{
        texts::{self, Texts},
        view::{
            self, RowView,
            totals::{BARS, TotalsView},
        },
    },
    state::{LINES, PageState},
};
use crate::local::history::Filter;

/// The interval between two reads; under load, one read returns many deliveries.
const PAUSE: Duration = Duration::from_millis(200);

/// Shorter than the idle timeout of common proxies.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The number of the last delivery that the page has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Since {
    after: i64,
}

/// The state of one browser's stream.
struct Reader {
    state: PageState,
    t: &'static Texts,
    filter: Filter,
    newest: tokio::sync::watch::Receiver<i64>,
    ending: tokio::sync::watch::Receiver<bool>,
    seen: i64,
    /// True if the browser's last seen number is higher than any in this file: the file was replaced.
    is_reset_needed: bool,
}

/// `GET /deliveries/live`
pub async fn stream(
    State(state): State<PageState>,
    Query(filter): Query<Filter>,
    Query(Since { after }): Query<Since>,
    headers: HeaderMap,
) -> Response {
    // A browser that reconnects sends the id of the last event that it received.
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let seen = last.unwrap_or(after);
    let is_reset_needed =
        state.read(move |_, deliveries| Ok(seen > deliveries.last()?)).await.unwrap_or(false);
    let reader = Reader {
        t: texts::wanted(&headers),
        filter,
        newest: state.reception.recorder().newest(),
        ending: state.ending.clone(),
        seen,
        is_reset_needed,
        state,
    };
    let batches = stream::unfold(reader, |mut reader| async move {
        let batch = reader.next().await?;
        Some((stream::iter(batch.into_iter().map(Ok::<_, Infallible>)), reader))
    });
    let events = futures_util::StreamExt::flatten(batches);
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

impl Reader {
    /// Waits for deliveries that this browser has not received. `None` when the server shuts down or cannot read them.
    async fn next(&mut self) -> Option<Vec<Event>> {
        let seen = self.seen;
        if std::mem::take(&mut self.is_reset_needed) {
            self.seen = 0;
            return Some(vec![Event::default().event("reset").data("")]);
        }
        tokio::select! {
            newer = self.newest.wait_for(|newest| *newest > seen) => drop(newer.ok()?),
            _ = self.ending.wait_for(|ending| *ending) => return None,
        }
        tokio::time::sleep(PAUSE).await;
        let newest = *self.newest.borrow_and_update();
        let (t, filter) = (self.t, self.filter.clone());
        let read = self.state.read(move |_, deliveries| {
            let summaries = deliveries.after(&filter, seen, LINES)?;
            let totals = TotalsView::new(t, deliveries.totals(BARS)?);
            Ok((summaries, totals, view::query(&filter)))
        });
        let (summaries, totals, query) = read.await.ok()?;
        // If there are more than fit in one batch, the next read returns the rest. More may have arrived since this read.
        let is_full = u32::try_from(summaries.len()).is_ok_and(|count| count == LINES);
        let last = summaries.last().map_or(newest, |last| last.id);
        self.seen = if is_full { last } else { last.max(newest) };
        let seen = self.seen;
        let mut batch = Vec::new();
        for delivery in summaries {
            let id = delivery.id;
            let row = RowView { t, line: delivery.into(), query: query.clone(), is_shown: false };
            batch.push(event("delivery", id, &row)?);
        }
        batch.push(event("totals", seen, &totals)?);
        Some(batch)
    }
}

fn event(name: &str, id: i64, template: &impl askama::Template) -> Option<Event> {
    Some(Event::default().event(name).id(id.to_string()).data(template.render().ok()?))
}
