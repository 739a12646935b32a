//! The page: recent deliveries, live, each as it came and as it was opened.

mod actions;
pub mod guard;
mod live;
mod texts;
mod view;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, Query, State},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use tokio::sync::watch;

use self::{
    guard::Guard,
    texts::Texts,
    view::{DeliveryView, Diagnosis, Page, RowView, Served, Shown, TotalsView},
};
use super::{
    history::{
        Delivery, Filter,
        readers::{ReadError, Readers},
        sqlite::Deliveries,
    },
    reception::Reception,
    response::error,
};
use crate::{
    credentials::Credentials,
    doctor::{Report, diagnosis_input::Delivery as Patient},
    providers::{self, PROVIDERS},
};

/// How many lines the list shows at a time.
const LINES: u32 = 100;

/// The largest body, in bytes, that is diagnosed while somebody waits for the page.
const LARGEST_DIAGNOSED: usize = 64 * 1024;

/// Everything that the page is made of.
#[derive(Clone)]
pub struct Desk(Arc<Parts>);

/// See [`Desk`].
pub struct Parts {
    /// Who may see it.
    pub guard: Guard,
    /// Who receives what the page sends.
    pub reception: Arc<Reception>,
    /// The delivery history.
    pub history: Readers,
    /// What samples are sealed with, and what the diagnosis is made with.
    pub credentials: Credentials,
    /// Where this server is called, without a slash at its end.
    pub url: String,
    /// Turns true once the server is to end, since a live page never does so by itself.
    pub ending: watch::Receiver<bool>,
}

impl std::ops::Deref for Desk {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Where the list begins; with the newest, unless it says otherwise.
#[derive(Debug, Default, Deserialize)]
struct Start {
    before: Option<i64>,
}

/// What a page shows.
#[derive(Default)]
struct Asked {
    filter: Filter,
    before: Option<i64>,
    /// The delivery beside the list.
    id: Option<i64>,
    /// Why what was asked for was not done.
    notice: Option<String>,
}

/// The routes of the page.
pub fn router(parts: Parts) -> Router {
    let desk = Desk(Arc::new(parts));
    Router::new()
        .route("/", get(list))
        .route("/deliveries", get(list))
        .route("/deliveries/live", get(live::stream))
        .route("/deliveries/{id}", get(delivery))
        .route("/deliveries/{id}/body", get(actions::body))
        .route("/deliveries/{id}/message", get(actions::message))
        .route("/deliveries/{id}/curl", get(actions::curl))
        .route("/deliveries/{id}/event", get(actions::event))
        .route("/deliveries/{id}/redeliver", post(actions::redeliver))
        .route("/deliveries/send", post(actions::send))
        .route("/language/{tag}", get(language))
        .route_layer(middleware::from_fn_with_state(desk.clone(), guard::require_access))
        .route("/token", post(guard::submit_token))
        .route("/assets/page.css", get(|| async { asset("text/css", include_str!("../../assets/page.css")) }))
        .route(
            "/assets/page.js",
            get(|| async { asset("text/javascript", include_str!("../../assets/page.js")) }),
        )
        .layer(middleware::from_fn(guard::refuse_other_sites))
        .with_state(desk)
}

fn asset(media_type: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, format!("{media_type}; charset=utf-8")),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
    ];
    (headers, text)
}

async fn list(
    State(desk): State<Desk>,
    Query(filter): Query<Filter>,
    Query(Start { before }): Query<Start>,
    headers: HeaderMap,
) -> Response {
    desk.page(texts::wanted(&headers), Asked { filter, before, ..Asked::default() }).await
}

async fn delivery(
    State(desk): State<Desk>,
    Path(id): Path<i64>,
    Query(filter): Query<Filter>,
    Query(Start { before }): Query<Start>,
    headers: HeaderMap,
) -> Response {
    let asked = Asked { filter, before, id: Some(id), notice: None };
    desk.page(texts::wanted(&headers), asked).await
}

/// Remembers the language, and goes on where the browser was.
async fn language(Path(tag): Path<String>, Query(asked): Query<Back>) -> Response {
    let tag = if tag == "zh" { "zh" } else { "en" };
    let cookie = format!("{}={tag}; SameSite=Strict; Path=/; Max-Age=31536000", texts::COOKIE);
    // A path of this server and no other: `//` would lead to another.
    let back = Some(asked.back).filter(|back| {
        back.starts_with('/')
            && !back.starts_with("//")
            && !back.contains(|odd: char| odd == '\\' || odd.is_control())
    });
    let headers = [(header::SET_COOKIE, cookie), (header::LOCATION, back.unwrap_or_else(|| "/".to_owned()))];
    (StatusCode::SEE_OTHER, headers).into_response()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Back {
    back: String,
}

impl Desk {
    /// Reads the history; the error is the response.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Self, &Deliveries) -> Result<T, String> + Send + 'static,
    ) -> Result<T, Response> {
        let desk = self.clone();
        let read = self.history.read(move |deliveries| read(&desk, deliveries)).await;
        read.map_err(|failed| {
            let status = match failed {
                ReadError::TimedOut => StatusCode::SERVICE_UNAVAILABLE,
                ReadError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            error(status, &failed.to_string())
        })
    }

    async fn delivery(&self, id: i64) -> Result<Delivery, Response> {
        let found = self.read(move |_, deliveries| deliveries.get(id)).await?;
        found.ok_or_else(|| {
            error(StatusCode::NOT_FOUND, "no such delivery: it was removed, or there never was one")
        })
    }

    async fn page(&self, t: &'static Texts, asked: Asked) -> Response {
        self.read(move |desk, deliveries| desk.render(deliveries, t, asked))
            .await
            .unwrap_or_else(|failed| failed)
    }

    fn render(&self, deliveries: &Deliveries, t: &'static Texts, asked: Asked) -> Result<Response, String> {
        let Asked { filter, before, id, notice } = asked;
        let query = view::query(&filter);
        let newest = *self.reception.recorder().newest().borrow();
        let summaries = deliveries.newest(&filter, before, LINES)?;
        let is_full = u32::try_from(summaries.len()).is_ok_and(|count| count == LINES);
        let older = summaries.last().filter(|_| is_full).map(|last| {
            let separator = if query.is_empty() { '?' } else { '&' };
            format!("/deliveries{query}{separator}before={}", last.id)
        });
        let found = id.map(|id| deliveries.get(id)).transpose()?;
        let status = if notice.is_some() {
            StatusCode::BAD_REQUEST
        } else if matches!(found, Some(None)) {
            StatusCode::NOT_FOUND
        } else {
            StatusCode::OK
        };
        let path = id.map_or_else(|| "/deliveries".to_owned(), |id| format!("/deliveries/{id}"));
        let here = form_urlencoded::byte_serialize(format!("{path}{query}").as_bytes()).collect();
        let rows = summaries
            .into_iter()
            .map(|delivery| RowView { t, is_shown: id == Some(delivery.id), delivery, query: query.clone() })
            .collect();
        let shown = match &found {
            None => Shown::Nothing,
            Some(None) => Shown::Gone,
            Some(Some(delivery)) => {
                let diagnosis = self.diagnosis(delivery);
                Shown::Delivery(Box::new(DeliveryView { t, delivery, query: query.clone(), diagnosis }))
            }
        };
        let page = Page {
            t,
            filter: &filter,
            query,
            totals: TotalsView::new(t, deliveries.totals(view::BARS)?),
            names: deliveries.names()?,
            rows,
            older,
            here,
            is_newest: before.is_none(),
            newest,
            shown,
            notice,
            served: self.served(),
            version: env!("CARGO_PKG_VERSION"),
        };
        Ok((status, view::html(&page)).into_response())
    }

    /// What doctor says of a refused delivery.
    fn diagnosis(&self, delivery: &Delivery) -> Option<Diagnosis> {
        if delivery.summary.outcome != "refused" || delivery.trace.body_is_lost {
            return None;
        }
        if delivery.request.body().len() > LARGEST_DIAGNOSED {
            return Some(Diagnosis::TooLarge);
        }
        let patient = Patient {
            row: providers::find(&delivery.summary.provider).ok()?,
            source: delivery.summary.source.clone(),
            request: delivery.request.clone(),
            now: delivery.summary.received,
            credentials: self.credentials.clone(),
        };
        let report = Report::of(&patient, None);
        Some(if report.opens { Diagnosis::Opens } else { Diagnosis::Cause(Box::new(report)) })
    }

    fn served(&self) -> Vec<Served> {
        let served = PROVIDERS.iter().filter_map(|row| Some((row, self.reception.sources(row.name)?)));
        let served = served.enumerate().map(|(position, (row, sources))| {
            let is_first = |name: &str| position == 0 && name == row.try_sample;
            let samples = (row.samples)().into_iter().map(|sample| (is_first(&sample.name), sample.name));
            Served { name: row.name, sources, samples: samples.collect() }
        });
        served.collect()
    }
}
