//! The check of an answer, as the platform would check it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::StatusCode;

use super::{causes, diagnosis_input::DiagnosisInput, finding::Finding};

/// An answer.
pub struct Reply {
    /// Its status, unless it is a bare body.
    pub status: Option<StatusCode>,
    /// Its body.
    pub body: Bytes,
}

/// Reads an answer with each key of the source. What it says in clear is not told.
pub fn check(delivery: &DiagnosisInput, reply: &Reply) -> Result<(), Finding> {
    if let Some(detail) = header_not_echoed(delivery, reply) {
        return Err(Finding::new(&causes::REPLY_HEADER_NOT_ECHOED, detail));
    }
    let mut refused = String::new();
    let keys = delivery.credentials.keys(delivery.provider);
    for entry in
        keys.and_then(Result::ok).and_then(|keys| keys.entries(&delivery.source).ok()).unwrap_or_default()
    {
        let mut response = http::Response::new(reply.body.clone());
        // A bare body is taken to be that of an answer with the right status.
        let right = StatusCode::from_u16(*entry.delivery_policy().accepted.start()).unwrap_or_default();
        *response.status_mut() = reply.status.unwrap_or(right);
        match entry.read_response(&delivery.request, &response) {
            Ok(_) => return Ok(()),
            Err(error) => refused = format!("{error}."),
        }
    }
    Err(Finding::new(&causes::REPLY_REFUSED, refused))
}

/// Which parameters of a query's JOSE header its answer does not have, or has otherwise.
fn header_not_echoed(delivery: &DiagnosisInput, reply: &Reply) -> Option<String> {
    let header = |token: &[u8]| {
        let segment = token.trim_ascii().split(|byte| *byte == b'.').next()?.to_vec();
        serde_json::from_slice::<serde_json::Map<_, serde_json::Value>>(
            &URL_SAFE_NO_PAD.decode(segment).ok()?,
        )
        .ok()
    };
    let (asked, answered) = (header(delivery.request.body())?, header(&reply.body)?);
    let lost = asked.keys().filter(|name| answered.get(*name) != asked.get(*name));
    let added = answered.keys().filter(|name| !asked.contains_key(*name));
    let names: Vec<_> = lost.chain(added).map(|name| format!("{name:?}")).collect();
    if names.is_empty() { None } else { Some(format!("They differ in {}.", names.join(", "))) }
}
