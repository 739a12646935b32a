//! The check of an answer, as the platform would check it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::StatusCode;

use super::{causes, delivery::Delivery, hypotheses::Finding};
use crate::providers::Key;

/// The status of the answer that a platform expects.
pub fn expected(delivery: &Delivery) -> StatusCode {
    match delivery.row.name {
        "dingtalk" | "opencard" => StatusCode::OK,
        _ => StatusCode::ACCEPTED,
    }
}

/// Reads an answer with each key of the source. What it says in clear is not told.
pub fn check(delivery: &Delivery, reply: &http::Response<Bytes>) -> Result<(), Finding> {
    if let Some(detail) = header_not_echoed(delivery, reply) {
        return Err(Finding::new(&causes::REPLY_HEADER_NOT_ECHOED, detail));
    }
    let mut refused = String::new();
    for entry in delivery.entries() {
        let alone = delivery.with_entry(entry);
        let credentials = alone.credentials.get(delivery.row.name).map_or("{}", String::as_str);
        let key = Key { credentials, source: &delivery.source };
        match (delivery.row.read_reply)(&key, &delivery.request, reply) {
            Ok(_) => return Ok(()),
            Err(error) => refused = format!("{error}."),
        }
    }
    Err(Finding::new(&causes::REPLY_REFUSED, refused))
}

/// Which parameters of a query's JOSE header its answer does not have, or has otherwise.
fn header_not_echoed(delivery: &Delivery, reply: &http::Response<Bytes>) -> Option<String> {
    let header = |token: &[u8]| {
        let segment = token.trim_ascii().split(|byte| *byte == b'.').next()?.to_vec();
        serde_json::from_slice::<serde_json::Map<_, serde_json::Value>>(
            &URL_SAFE_NO_PAD.decode(segment).ok()?,
        )
        .ok()
    };
    let (asked, answered) = (header(delivery.request.body())?, header(reply.body())?);
    let lost = asked.keys().filter(|name| answered.get(*name) != asked.get(*name));
    let added = answered.keys().filter(|name| !asked.contains_key(*name));
    let names: Vec<_> = lost.chain(added).map(|name| format!("{name:?}")).collect();
    if names.is_empty() { None } else { Some(format!("They differ in {}.", names.join(", "))) }
}
