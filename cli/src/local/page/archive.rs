//! The page over the archive of a deployed stack.

mod actions;
mod judge;
mod key;
mod query;
mod reading;
mod replay;
mod state;
mod target;

use axum::{
    Router,
    extract::{Path, Query, State},
    response::Response,
    routing::{get, post},
};
use http::HeaderMap;

use self::{
    key::Cursor,
    query::ArchiveQuery,
    state::{PageState, Wanted},
};
pub use self::{state::PageContext, target::Target};
use super::{guard::Guard, texts};

/// Sent by the page's script if it shows only the delivery of the response: the list is not read again for it.
const WITHOUT_LIST: (&str, &str) = ("x-requested-with", "delivery");

/// The routes of the page.
pub fn router(context: PageContext, guard: Guard) -> Router {
    let routes = Router::new()
        .route("/", get(list))
        .route("/deliveries", get(list))
        .route("/deliveries/{key}", get(delivery))
        .route("/deliveries/{key}/body", get(actions::body))
        .route("/deliveries/{key}/message", get(actions::message))
        .route("/deliveries/{key}/curl", get(actions::curl))
        .route("/deliveries/{key}/event", get(actions::event))
        .route("/replay", get(replay::show).post(replay::plan))
        .route("/replay/run", post(replay::run))
        .route("/replay/cancel", post(replay::cancel))
        .route("/replay/live", get(replay::live))
        .with_state(PageState::new(context));
    super::complete(routes, guard)
}

async fn list(
    State(state): State<PageState>,
    Query(query): Query<ArchiveQuery>,
    Query(cursor): Query<Cursor>,
    headers: HeaderMap,
) -> Response {
    let wanted = Wanted { query, cursor, key: None, has_list: true };
    state.show(texts::wanted(&headers), wanted).await
}

async fn delivery(
    State(state): State<PageState>,
    Path(key): Path<String>,
    Query(query): Query<ArchiveQuery>,
    Query(cursor): Query<Cursor>,
    headers: HeaderMap,
) -> Response {
    let (name, value) = WITHOUT_LIST;
    let has_list = headers.get(name).is_none_or(|given| given != value);
    let wanted = Wanted { query, cursor, key: Some(key), has_list };
    state.show(texts::wanted(&headers), wanted).await
}
