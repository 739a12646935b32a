//! The page over the delivery history of this machine: recent deliveries, live.

mod actions;
mod live;
mod state;

use axum::{
    Router,
    extract::{Path, Query, State},
    response::Response,
    routing::{get, post},
};
use http::HeaderMap;
use serde::Deserialize;

pub use self::state::PageContext;
use self::state::{PageState, Wanted};
use super::{guard::Guard, texts};
use crate::local::history::Filter;

/// Where the list begins: below the number `before`, or with the newest delivery.
#[derive(Debug, Default, Deserialize)]
struct Start {
    before: Option<i64>,
}

/// The routes of the page.
pub fn router(context: PageContext, guard: Guard) -> Router {
    let routes = Router::new()
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
        .with_state(PageState::new(context));
    super::complete(routes, guard)
}

async fn list(
    State(state): State<PageState>,
    Query(filter): Query<Filter>,
    Query(Start { before }): Query<Start>,
    headers: HeaderMap,
) -> Response {
    state.show(texts::wanted(&headers), Wanted { filter, before, ..Wanted::default() }).await
}

async fn delivery(
    State(state): State<PageState>,
    Path(id): Path<i64>,
    Query(filter): Query<Filter>,
    Query(Start { before }): Query<Start>,
    headers: HeaderMap,
) -> Response {
    let wanted = Wanted { filter, before, id: Some(id), notice: None };
    state.show(texts::wanted(&headers), wanted).await
}
