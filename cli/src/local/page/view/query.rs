//! Filters in URLs.

use std::collections::BTreeMap;

use serde::Serialize;

/// The filter as a query string with its question mark; empty if the filter matches everything.
pub fn query(filter: &impl Serialize) -> String {
    let fields = serde_json::to_value(filter).ok();
    let fields: BTreeMap<String, String> =
        fields.and_then(|fields| serde_json::from_value(fields).ok()).unwrap_or_default();
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(fields.iter().filter(|(_, value)| !value.is_empty()));
    let query = query.finish();
    if query.is_empty() { query } else { format!("?{query}") }
}
