//! Responses of the server itself, which are in no platform's format.

use axum::response::{IntoResponse, Response};
use http::StatusCode;

/// A JSON response `{"error": text}`.
pub fn error(status: StatusCode, text: &str) -> Response {
    (status, axum::Json(serde_json::json!({ "error": text }))).into_response()
}
