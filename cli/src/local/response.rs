//! Responses of the server itself, in no platform's format.

use axum::response::{IntoResponse, Response};
use http::StatusCode;

/// An answer in the words of no provider.
pub fn error(status: StatusCode, text: &str) -> Response {
    (status, axum::Json(serde_json::json!({ "error": text }))).into_response()
}
