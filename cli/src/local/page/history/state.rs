//! The state of the page: the history, the functions and their credentials.

use std::{ops::Deref, sync::Arc};

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use letterbox_intake::Outcome;
use letterbox_registry::PROVIDERS;
use tokio::sync::watch;

use super::super::{
    delivery::Delivery,
    texts::Texts,
    view::{
        self, Page, RowView, Shown,
        delivery::{DeliveryView, Diagnosis, Origin},
        place::{HistoryPlace, Place, Served},
        totals::{BARS, TotalsView},
    },
};
use crate::{
    credentials::Credentials,
    doctor::{Report, diagnosis_input::DiagnosisInput},
    local::{
        history::{
            Filter, OUTCOMES, StoredDelivery,
            readers::{ReadError, Readers},
            sqlite::Deliveries,
        },
        reception::Reception,
        response::error,
    },
};

/// How many deliveries the list shows at a time.
pub const LINES: u32 = 100;

/// The largest body, in bytes, that is diagnosed while the page is built; a larger one would delay the response.
const LARGEST_DIAGNOSED: usize = 64 * 1024;

/// A shared [`PageContext`].
#[derive(Clone)]
pub struct PageState(Arc<PageContext>);

/// Everything that a request for the page needs.
pub struct PageContext {
    /// Receives the deliveries that the page sends.
    pub reception: Arc<Reception>,
    /// The delivery history.
    pub history: Readers,
    /// The credentials for samples and for the diagnosis.
    pub credentials: Credentials,
    /// The base URL of this server, without a slash at the end.
    pub url: String,
    /// Becomes true when the server shuts down; without it, a live page's response would never end.
    pub ending: watch::Receiver<bool>,
}

impl Deref for PageState {
    type Target = PageContext;

    fn deref(&self) -> &PageContext {
        &self.0
    }
}

/// What a request asks the page to show.
#[derive(Default)]
pub struct Wanted {
    /// Which deliveries the list shows.
    pub filter: Filter,
    /// Lists deliveries below this number; `None` begins with the newest.
    pub before: Option<i64>,
    /// The delivery to show beside the list.
    pub id: Option<i64>,
    /// Why an action was not carried out.
    pub notice: Option<String>,
}

impl PageState {
    /// Shares the context among all requests.
    pub fn new(context: PageContext) -> Self {
        Self(Arc::new(context))
    }

    /// Reads the history; the error is the response.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Self, &Deliveries) -> Result<T, String> + Send + 'static,
    ) -> Result<T, Response> {
        let state = self.clone();
        let read = self.history.read(move |deliveries| read(&state, deliveries)).await;
        read.map_err(|failed| {
            let status = match failed {
                ReadError::TimedOut => StatusCode::SERVICE_UNAVAILABLE,
                ReadError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            error(status, &failed.to_string())
        })
    }

    /// The delivery with this number; the error is the response.
    pub async fn delivery(&self, id: i64) -> Result<StoredDelivery, Response> {
        let found = self.read(move |_, deliveries| deliveries.get(id)).await?;
        found
            .ok_or_else(|| error(StatusCode::NOT_FOUND, "no such delivery: it was removed, or never existed"))
    }

    /// The whole page.
    pub async fn show(&self, t: &'static Texts, wanted: Wanted) -> Response {
        self.read(move |state, deliveries| state.render(deliveries, t, wanted))
            .await
            .unwrap_or_else(|failed| failed)
    }

    fn render(&self, deliveries: &Deliveries, t: &'static Texts, wanted: Wanted) -> Result<Response, String> {
        let Wanted { filter, before, id, notice } = wanted;
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
            .map(|summary| RowView {
                t,
                is_shown: id == Some(summary.id),
                line: summary.into(),
                query: query.clone(),
            })
            .collect();
        let shown = match found {
            None => Shown::Nothing,
            Some(None) => Shown::Gone(t.gone),
            Some(Some(delivery)) => {
                let diagnosis = self.diagnosis(&delivery);
                let origin = Origin::History {
                    doctor: format!("letterbox doctor --delivery {}", delivery.summary.id),
                };
                let delivery = Delivery::from(delivery);
                Shown::Delivery(Box::new(DeliveryView {
                    t,
                    delivery,
                    query: query.clone(),
                    diagnosis,
                    origin,
                }))
            }
        };
        let page = Page {
            t,
            filter: &filter,
            query,
            outcomes: &OUTCOMES,
            names: deliveries.names()?,
            rows,
            is_newest: before.is_none(),
            older,
            here,
            shown,
            notice,
            place: Place::History(HistoryPlace {
                totals: TotalsView::new(t, deliveries.totals(BARS)?),
                newest,
                served: self.served(),
            }),
            version: env!("CARGO_PKG_VERSION"),
        };
        Ok((status, view::html(&page)).into_response())
    }

    /// The diagnosis of a refused delivery.
    fn diagnosis(&self, delivery: &StoredDelivery) -> Option<Diagnosis> {
        if delivery.summary.known_outcome() != Some(Outcome::Refused) || delivery.trace.body_is_lost {
            return None;
        }
        if delivery.request.body().len() > LARGEST_DIAGNOSED {
            return Some(Diagnosis::TooLarge);
        }
        let input = DiagnosisInput {
            provider: letterbox_registry::find(&delivery.summary.provider).ok()?,
            source: delivery.summary.source.clone(),
            request: delivery.request.clone(),
            now: delivery.summary.received,
            credentials: self.credentials.clone(),
        };
        let report = Report::new(&input, None);
        Some(if report.opens { Diagnosis::Accepted } else { Diagnosis::Cause(Box::new(report)) })
    }

    fn served(&self) -> Vec<Served> {
        let served = PROVIDERS
            .iter()
            .filter_map(|provider| Some((provider, self.reception.sources(provider.name())?)));
        let served = served.enumerate().map(|(position, (provider, sources))| {
            let is_first = |name: &str| position == 0 && name == provider.facts().first_sample;
            let samples = provider.samples().into_iter().map(|sample| (is_first(&sample.name), sample.name));
            Served { name: provider.name(), sources, samples: samples.collect() }
        });
        served.collect()
    }
}
