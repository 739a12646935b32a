//! The page: deliveries, each with its request, verification steps, event and response. It shows those that this machine
//! has received, live, or those in the archive of a deployed stack.

pub mod archive;
mod cookies;
mod delivery;
pub mod entrance;
pub mod guard;
pub mod history;
mod saved;
mod texts;
mod view;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, Query},
    middleware,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use http::{StatusCode, header};
use serde::Deserialize;

use self::guard::Guard;

/// Adds the routes that every page has, and lets `guard` decide about the others.
fn complete(routes: Router, guard: Guard) -> Router {
    let guard = Arc::new(guard);
    routes
        .route("/language/{tag}", get(language))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&guard), entrance::require_access))
        .route("/token", post(entrance::submit_token).with_state(guard))
        .route("/assets/page.css", get(|| async { asset("text/css", include_str!("../../assets/page.css")) }))
        .route("/assets/page.js", script(include_str!("../../assets/page.js")))
        .route("/assets/replay.js", script(include_str!("../../assets/replay.js")))
        .route("/assets/times.js", script(include_str!("../../assets/times.js")))
        .layer(middleware::from_fn(entrance::refuse_other_sites))
}

fn script<S: Clone + Send + Sync + 'static>(text: &'static str) -> MethodRouter<S> {
    get(move || async move { asset("text/javascript", text) })
}

fn asset(media_type: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, format!("{media_type}; charset=utf-8")),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
    ];
    (headers, text)
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
