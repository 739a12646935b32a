//! Any card catalogue, and any query to it.

use letterbox_codec::json::Object;
use opencard::catalogue::{Catalogue, Found, Query};
use serde_json::Value;

/// The catalogue and, after a line of `--`, a query.
pub(super) fn property(input: &[u8]) -> bool {
    let separator = b"\n--\n";
    let at = input.windows(separator.len()).position(|window| window == separator);
    let (catalogue, query) = input.split_at(at.unwrap_or(input.len()));
    let query = query.get(separator.len()..).unwrap_or_default();
    let parsed = match Catalogue::parse(catalogue) {
        Ok(parsed) => parsed,
        Err(error) => {
            assert!(!error.is_empty());
            return false;
        }
    };
    let document: Value = serde_json::from_slice(catalogue).expect("an accepted catalogue is JSON");
    let Ok(text) = std::str::from_utf8(query) else { return false };
    let Ok(object) = Object::parse(text) else { return false };
    let Ok(query) = Query::read(&object) else { return false };
    match parsed.find(&query) {
        Found::UnknownSrcid => assert!(document.get(&query.srcid).is_none()),
        Found::Nothing => assert!(document[&query.srcid].get("default").is_none_or(Value::is_null)),
        Found::Entry(entry) => {
            let data: Value = serde_json::from_str(entry.data.get()).expect("JSON");
            let card = &document[&query.srcid];
            let entries = card["entries"].as_array().into_iter().flatten().chain(card.get("default"));
            assert!(entries.into_iter().any(|entry| entry["data"] == data), "a reply from elsewhere");
        }
    }
    true
}
