//! The page: recent deliveries, live, each with its request, verification steps, event and response.

mod actions;
mod cookies;
pub mod entrance;
pub mod guard;
mod live;
pub mod state;
mod texts;
mod view;

use axum::{
    Router,
    extract::{Path, Query, State},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use self::state::{PageContext, PageState, Wanted};
use super::history::Filter;

/// Where the list begins: below the number `before`, or with the newest delivery.
#[derive(Debug, Default, Deserialize)]
struct Start {
    before: Option<i64>,
}

/// The routes of the page.
pub fn router(context: PageContext) -> Router {
    let state = PageState::new(context);
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
        .route_layer(middleware::from_fn_with_state(state.clone(), entrance::require_access))
        .route("/token", post(entrance::submit_token))
        .route("/assets/page.css", get(|| async { asset("text/css", include_str!("../../assets/page.css")) }))
        .route(
            "/assets/page.js",
            get(|| async { asset("text/javascript", include_str!("../../assets/page.js")) }),
        )
        .layer(middleware::from_fn(entrance::refuse_other_sites))
        .with_state(state)
}

fn asset(media_type: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, format!("{media_type}; charset=utf-8")),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
    ];
    (headers, text)
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

/// Stores the language in a cookie, and redirects back to the previous page.
async fn language(Path(tag): Path<String>, Query(Back { back }): Query<Back>) -> Response {
    let tag = if tag == "zh" { "zh" } else { "en" };
    let cookie = format!("{}={tag}; SameSite=Strict; Path=/; Max-Age=31536000", texts::COOKIE);
    // Only a path on this server: `//` would begin another host's URL.
    let back = Some(back).filter(|back| {
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
