//! The actions of the page's buttons and links.

use axum::{
    Form,
    extract::{Path, Query, State},
    response::{IntoResponse, Redirect, Response},
};
use http::HeaderMap;
use letterbox_codec::Request;
use letterbox_intake::{ambient, gateway::DEFAULT_SOURCE};
use letterbox_registry::Platform;
use serde::Deserialize;

use super::{
    super::{saved, texts, view},
    state::{PageState, Wanted},
};
use crate::{local::history::Filter, sender::sample::sample};

/// The form that sends a sample.
#[derive(Debug, Deserialize)]
pub struct SampleForm {
    /// `<provider>/<sample>`
    sample: String,
    /// The source; empty means the default source.
    #[serde(default)]
    source: String,
}

/// `POST /deliveries/{id}/redeliver`
pub async fn redeliver(
    State(state): State<PageState>,
    Path(id): Path<i64>,
    Query(filter): Query<Filter>,
    headers: HeaderMap,
) -> Response {
    let delivery = match state.delivery(id).await {
        Ok(delivery) => delivery,
        Err(failed) => return failed,
    };
    let stored = state.reception.redeliver(delivery).await;
    state.redirect_to(stored, Wanted { filter, id: Some(id), ..Wanted::default() }, &headers).await
}

/// `POST /deliveries/send`
pub async fn send(
    State(state): State<PageState>,
    Query(filter): Query<Filter>,
    headers: HeaderMap,
    Form(form): Form<SampleForm>,
) -> Response {
    let source = if form.source.is_empty() { DEFAULT_SOURCE } else { &form.source };
    let stored = match state.build_request(&form.sample, source) {
        Ok((provider, request)) => state.reception.receive(provider, source, request, None).await,
        Err(error) => Err(error),
    };
    state.redirect_to(stored, Wanted { filter, ..Wanted::default() }, &headers).await
}

/// `GET /deliveries/{id}/body`
pub async fn body(State(state): State<PageState>, Path(id): Path<i64>) -> Response {
    state.delivery(id).await.map_or_else(|failed| failed, |delivery| saved::body(delivery.into()))
}

/// `GET /deliveries/{id}/message`
pub async fn message(State(state): State<PageState>, Path(id): Path<i64>) -> Response {
    state.delivery(id).await.map_or_else(|failed| failed, |delivery| saved::message(delivery.into()))
}

/// `GET /deliveries/{id}/curl`
pub async fn curl(State(state): State<PageState>, Path(id): Path<i64>) -> Response {
    state.delivery(id).await.map_or_else(|failed| failed, |delivery| saved::curl(delivery.into()))
}

/// `GET /deliveries/{id}/event`
pub async fn event(State(state): State<PageState>, Path(id): Path<i64>) -> Response {
    state.delivery(id).await.map_or_else(|failed| failed, |delivery| saved::event(delivery.into()))
}

impl PageState {
    /// Builds the request for a sample, signed or encrypted for this server.
    fn build_request(&self, sample: &str, source: &str) -> Result<(&'static dyn Platform, Request), String> {
        let (provider, sample) =
            sample.split_once('/').ok_or("sample: expected `<provider>/<sample>`, such as `github/push`")?;
        let provider = letterbox_registry::find(provider)?;
        let sample = self::sample(provider, Some(sample), None)?;
        let name = provider.name();
        let keys =
            self.credentials.keys(provider).ok_or_else(|| format!("{name} is not served: no credentials"))?;
        let keys = keys.map_err(|error| format!("{name} is not served: {error}"))?;
        let path = if source == DEFAULT_SOURCE { String::new() } else { format!("/{source}") };
        let url = format!("{}/{name}{path}", self.url);
        let ambient = ambient::system().map_err(|error| error.to_string())?;
        Ok((provider, keys.first(source)?.build_request(&sample, &url, &ambient)?))
    }

    /// Redirects to the stored delivery, or shows the current page with the error.
    async fn redirect_to(
        &self,
        stored: Result<i64, String>,
        wanted: Wanted,
        headers: &HeaderMap,
    ) -> Response {
        match stored {
            Ok(id) => {
                Redirect::to(&format!("/deliveries/{id}{}", view::query(&wanted.filter))).into_response()
            }
            Err(error) => self.show(texts::wanted(headers), Wanted { notice: Some(error), ..wanted }).await,
        }
    }
}
