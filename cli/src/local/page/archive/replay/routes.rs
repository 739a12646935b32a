//! The routes of a replay.

use std::{convert::Infallible, sync::Arc, time::Duration};

use askama::Template;
use axum::{
    Form,
    extract::{Query, State as Extract},
    response::{
        IntoResponse, Redirect, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use http::{HeaderMap, StatusCode};
use letterbox_codec::Timestamp;
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout};

use super::{
    super::{
        super::{
            texts::{self, Texts},
            view::{
                self,
                replay::{ReplayPage, State, StateView},
            },
        },
        key,
        query::ArchiveQuery,
        state::PageState,
    },
    job::Job,
};
use crate::{
    local::reception::now,
    stack::{archive::Filter, replay::LOST},
};

/// The interval of progress, at most.
const PROGRESS: Duration = Duration::from_millis(500);

/// Shorter than the idle timeout of common proxies.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How many deliveries a second are replayed at most, and without another number.
const RATES: std::ops::RangeInclusive<f64> = 0.01..=10_000.0;
const RATE: f64 = 50.0;

/// The one delivery to replay; without it, all that the filter passes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct One {
    key: String,
}

/// The form that confirms or cancels a replay.
#[derive(Debug, Deserialize)]
pub struct Confirmation {
    job: u64,
    #[serde(default)]
    rate: String,
}

/// `POST /replay`: plans.
pub async fn plan(
    Extract(state): Extract<PageState>,
    Query(query): Query<ArchiveQuery>,
    Query(One { key }): Query<One>,
    headers: HeaderMap,
) -> Response {
    let t = texts::wanted(&headers);
    let filter = match filter(&query, &key) {
        Ok(filter) => filter,
        Err(error) => return page(&state, t, Some(error)),
    };
    if state.replays.plan(Arc::clone(&state.target), filter, view::query(&query)).is_none() {
        return page(&state, t, Some(t.archive.replay.is_running.to_owned()));
    }
    Redirect::to("/replay").into_response()
}

/// The filter of a replay. The error says what is wrong with the query.
fn filter(query: &ArchiveQuery, key: &str) -> Result<Filter, String> {
    if !key.is_empty() {
        let position = key::position(key).ok_or("key: expected that of a delivery on the page")?;
        return Ok(Filter {
            since: Some(position.time),
            until: Some(Timestamp(position.time.0.saturating_add(1))),
            id: Some(position.request_id),
            ..Filter::default()
        });
    }
    let now = now();
    let mut filter = query.filter(now)?;
    if filter.outcomes.is_empty() {
        filter.outcomes = LOST.to_vec();
    }
    // What arrives from now on is no part of the replay.
    filter.until = Some(filter.until.map_or(now, |until| until.min(now)));
    Ok(filter)
}

/// `GET /replay`
pub async fn show(Extract(state): Extract<PageState>, headers: HeaderMap) -> Response {
    page(&state, texts::wanted(&headers), None)
}

fn page(state: &PageState, t: &'static Texts, notice: Option<String>) -> Response {
    let job = state.replays.current();
    if let Some(job) = &job {
        job.look();
    }
    let status = if notice.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let current = job.as_ref().map(|job| job.state().borrow().clone());
    let page = ReplayPage {
        t,
        stack: &state.target.stack.name,
        region: &state.target.account.region,
        query: job.as_ref().map(|job| job.query.clone()).unwrap_or_default(),
        is_moving: current.as_ref().is_some_and(State::is_moving),
        state: job.as_ref().zip(current).map(|(job, current)| state_view(state, t, job, current)),
        notice,
        version: env!("CARGO_PKG_VERSION"),
    };
    (status, view::html(&page)).into_response()
}

fn state_view(state: &PageState, t: &'static Texts, job: &Job, current: State) -> StateView {
    StateView {
        t,
        job: job.number,
        is_lost: job.is_lost(),
        rate: RATE,
        resume: state.target.command("replay"),
        state: current,
    }
}

/// `POST /replay/run`
pub async fn run(Extract(state): Extract<PageState>, Form(form): Form<Confirmation>) -> Response {
    let rate = form.rate.trim().parse().ok().filter(|rate| RATES.contains(rate)).unwrap_or(RATE);
    state.replays.run(Arc::clone(&state.target), form.job, rate);
    Redirect::to("/replay").into_response()
}

/// `POST /replay/cancel`
pub async fn cancel(Extract(state): Extract<PageState>, Form(form): Form<Confirmation>) -> Response {
    state.replays.cancel(form.job);
    Redirect::to("/replay").into_response()
}

/// `GET /replay/live`: the progress as server-sent events, until the replay needs the user or has ended. The replay runs
/// as long as a browser reads them.
pub async fn live(Extract(state): Extract<PageState>, headers: HeaderMap) -> Response {
    let t = texts::wanted(&headers);
    let Some(job) = state.replays.current() else { return StatusCode::NO_CONTENT.into_response() };
    let mut changes = job.state();
    changes.mark_changed();
    let reader = Reader { ending: state.ending.clone(), state, t, job, changes, is_over: false };
    let events = stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// The state of one browser's stream.
struct Reader {
    state: PageState,
    t: &'static Texts,
    job: Arc<Job>,
    changes: tokio::sync::watch::Receiver<State>,
    ending: tokio::sync::watch::Receiver<bool>,
    is_over: bool,
}

impl Reader {
    /// The next event; `None` at the end of the replay, and when the server shuts down.
    async fn next(&mut self) -> Option<Event> {
        if self.is_over {
            return None;
        }
        self.job.look();
        let started = Instant::now();
        let changed = tokio::select! {
            changed = timeout(PROGRESS, self.changes.changed()) => changed,
            _ = self.ending.wait_for(|ending| *ending) => return None,
        };
        match changed {
            Ok(changed) => changed.ok()?,
            // Without anything to send, a browser that is gone would not be noticed.
            Err(_) => return Some(Event::default().comment("")),
        }
        let is_moving = self.changes.borrow().is_moving();
        if is_moving {
            sleep(PROGRESS.saturating_sub(started.elapsed())).await;
        }
        let current = self.changes.borrow_and_update().clone();
        self.is_over = !current.is_moving();
        let name = if self.is_over { "end" } else { "state" };
        let view = state_view(&self.state, self.t, &self.job, current);
        Some(Event::default().event(name).data(view.render().ok()?))
    }
}
