//! The data that the page's templates show.

pub mod delivery;
pub mod place;
mod query;
pub mod replay;
pub mod totals;

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use letterbox_intake::Outcome;
use letterbox_registry::PROVIDERS;

pub use self::query::query;
use self::{delivery::DeliveryView, place::Place};
use super::{delivery::Line, texts::Texts};
use crate::local::history::{Filter, sqlite::Names};

/// Suggestions for the time range.
const AGES: [&str; 6] = ["1h", "6h", "1d", "3d", "7d", "14d"];

/// The page.
#[derive(Template)]
#[template(path = "page.html")]
pub struct Page<'a> {
    pub t: &'static Texts,
    pub place: Place,
    pub filter: &'a Filter,
    /// The filter as a query string with its question mark; empty if the filter matches everything.
    pub query: String,
    /// The outcomes that the filter offers.
    pub outcomes: &'static [Outcome],
    pub names: Names,
    pub rows: Vec<RowView>,
    /// True if the list begins with the newest delivery.
    pub is_newest: bool,
    /// The URL of the page with older deliveries.
    pub older: Option<String>,
    /// This page's path and query string, encoded as a value in a query string.
    pub here: String,
    pub shown: Shown,
    pub notice: Option<String>,
    pub version: &'static str,
}

/// The content beside the list.
pub enum Shown {
    Nothing,
    /// The requested delivery is not stored, as this text says.
    Gone(&'static str),
    /// It could not be read: what failed, and the reason in English.
    Failed(&'static str, String),
    Delivery(Box<DeliveryView>),
}

/// A line of the list.
#[derive(Template)]
#[template(path = "row.html")]
pub struct RowView {
    pub t: &'static Texts,
    pub line: Line,
    pub query: String,
    pub is_shown: bool,
}

/// The form that asks for the token.
#[derive(Template)]
#[template(path = "token.html")]
struct Token {
    t: &'static Texts,
    is_wrong: bool,
}

impl Page<'_> {
    /// True if the list ends because the search has taken long enough.
    fn is_unfinished(&self) -> bool {
        matches!(&self.place, Place::Archive(archive) if archive.listing.is_unfinished)
    }
}

impl RowView {
    fn label(&self) -> &str {
        let Line { kind, reason, .. } = &self.line;
        kind.as_deref().or(reason.as_deref()).unwrap_or(self.t.nothing_to_queue)
    }
}

/// The form that asks for the token.
pub fn token(t: &'static Texts, is_wrong: bool) -> Response {
    (StatusCode::UNAUTHORIZED, html(&Token { t, is_wrong })).into_response()
}

/// Renders a template as a response.
pub fn html(template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => crate::local::response::error(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}
