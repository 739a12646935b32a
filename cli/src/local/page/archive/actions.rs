//! The downloads of a delivery.

use axum::{
    extract::{Path, State},
    response::Response,
};

use super::{
    super::saved,
    judge,
    state::{PageState, unreadable},
};
use crate::stack::archive::ArchivedDelivery;

/// `GET /deliveries/{key}/body`
pub async fn body(State(state): State<PageState>, Path(key): Path<String>) -> Response {
    with(&state, &key, |delivery| Ok(saved::body(judge::stored(delivery)?))).await
}

/// `GET /deliveries/{key}/message`
pub async fn message(State(state): State<PageState>, Path(key): Path<String>) -> Response {
    with(&state, &key, |delivery| Ok(saved::message(judge::stored(delivery)?))).await
}

/// `GET /deliveries/{key}/curl`
pub async fn curl(State(state): State<PageState>, Path(key): Path<String>) -> Response {
    with(&state, &key, |delivery| Ok(saved::curl(judge::stored(delivery)?))).await
}

/// `GET /deliveries/{key}/event`: the API Gateway event as the archive has it.
pub async fn event(State(state): State<PageState>, Path(key): Path<String>) -> Response {
    with(&state, &key, |delivery| {
        let name = saved::event_name(&judge::line(delivery));
        Ok(saved::download("application/json", &name, format!("{}\n", delivery.record.event.get()).into()))
    })
    .await
}

async fn with(
    state: &PageState,
    key: &str,
    make: impl FnOnce(&ArchivedDelivery) -> Result<Response, String>,
) -> Response {
    match state.find(key).await {
        Ok(delivery) => make(&delivery).unwrap_or_else(|reason| unreadable(&reason)),
        Err(failed) => failed,
    }
}
