//! Faults around OpenCard's pre-shared keys.

use letterbox_codec::jwe::Token;
use serde_json::{Map, Value};

use crate::doctor::{
    causes,
    diagnosis_input::DiagnosisInput,
    finding::{Finding, Variants},
    keys::{key_tables, kid_for_display, with_table},
};

/// A key that decrypts the query, but is configured elsewhere: under another kid, or in another source.
pub(super) fn key_under_another_kid(delivery: &DiagnosisInput) -> Variants<'_> {
    let Some(kid) = Token::parse(delivery.request.body()).ok().and_then(|token| token.header.kid) else {
        return Box::new(std::iter::empty());
    };
    let own = key_tables(delivery).into_iter().map(|table| (delivery.source.clone(), table));
    let others = delivery.others().into_iter().filter_map(|(source, entry)| {
        let table: Map<_, _> = entry.get("keys")?.as_object()?.clone();
        Some((source, table))
    });
    let known = key_tables(delivery).iter().any(|table| table.contains_key(&kid));
    let cause = if known { &causes::JWE_KEY_MISMATCH } else { &causes::JWE_UNKNOWN_KID };
    let mut variants = Vec::new();
    for (source, table) in own.chain(others) {
        for (name, key) in table.into_iter().filter(|(name, _)| *name != kid || source != delivery.source) {
            let (place, named) = (kid_for_display(&name), kid_for_display(&kid));
            let detail = format!(
                "The key that decrypts it is the one of source {source:?} under the kid {place}; the query names {named}."
            );
            let table: Map<String, Value> = [(kid.clone(), key)].into_iter().collect();
            let finding = Finding::new(cause, detail).remedy(format!("Add that key under the kid {named}."));
            variants.push(finding.corrected(with_table(delivery, table)));
        }
    }
    Box::new(variants.into_iter())
}
