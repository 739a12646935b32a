//! Deliveries as files and commands.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, header};
use letterbox_codec::Request;

use super::delivery::{Delivery, Line};
use crate::{
    formats::{curl::write as shell, gateway},
    local::history::NOT_STORED,
};

/// Headers of one connection: a client that sends the request again writes its own.
const OF_THE_CONNECTION: [HeaderName; 5] =
    [header::HOST, header::CONTENT_LENGTH, header::CONNECTION, header::TRANSFER_ENCODING, header::EXPECT];

/// The exact bytes of the body.
pub fn body(delivery: Delivery) -> Response {
    let name = format!("delivery-{}.body", delivery.name);
    download("application/octet-stream", &name, delivery.request.into_body())
}

/// The body of the queue message.
pub fn message(delivery: Delivery) -> Response {
    let name = format!("delivery-{}.message.json", delivery.name);
    download("application/json", &name, delivery.message.unwrap_or_default().into())
}

/// A curl command that sends the request again.
pub fn curl(delivery: Delivery) -> Response {
    shell::command(&portable(delivery.request)).into_response()
}

/// The delivery as an API Gateway event.
pub fn event(delivery: Delivery) -> Response {
    let Line { provider, received, .. } = &delivery.line;
    let name = event_name(&delivery.line);
    let event = gateway::event(&portable(delivery.request), provider, *received);
    download("application/json", &name, format!("{event:#}\n").into())
}

/// The name of the file with a delivery's API Gateway event.
pub fn event_name(line: &Line) -> String {
    let what = line.kind.as_deref().or(line.reason.as_deref()).unwrap_or("delivery");
    let result = line.response.map_or_else(|| line.outcome.clone(), |(status, _)| status.to_string());
    format!("{what}.{result}.json")
}

/// The request without the headers of its connection and without headers whose values are not stored.
fn portable(mut request: Request) -> Request {
    let headers = request.headers_mut();
    let is_stored = |name: &HeaderName| headers.get(name).is_some_and(|value| value != NOT_STORED);
    let left_out: Vec<_> =
        headers.keys().filter(|name| OF_THE_CONNECTION.contains(name) || !is_stored(name)).cloned().collect();
    for name in left_out {
        headers.remove(name);
    }
    request
}

/// A response that the browser saves as a file.
pub fn download(media_type: &'static str, name: &str, content: bytes::Bytes) -> Response {
    let name: String = name
        .chars()
        .map(|odd| if odd.is_ascii_alphanumeric() || "._-".contains(odd) { odd } else { '_' })
        .collect();
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = [(header::CONTENT_TYPE, media_type.to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    (headers, content).into_response()
}
