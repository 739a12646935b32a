//! The message is from a topic that the entry does not have.

use serde_json::Value;

use crate::doctor::{
    causes,
    diagnosis_input::DiagnosisInput,
    finding::{Finding, Variants},
};

/// The topic that the message names, in place of the entry's.
pub(super) fn another(delivery: &DiagnosisInput) -> Variants<'_> {
    let named = || {
        let object = delivery.body_object()?;
        serde_json::from_str::<String>(object.get("TopicArn").ok()??.get()).ok()
    };
    let Some(named) = named().filter(|_| delivery.names_certificate()) else {
        return Box::new(std::iter::empty());
    };
    let variants = delivery.entries().into_iter().filter_map(move |entry| {
        let known: Vec<_> = match entry.get("topic_arn")? {
            Value::String(one) => vec![one.as_str()],
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
            _ => return None,
        };
        if known.contains(&named.as_str()) {
            return None;
        }
        let detail = format!("The message is from {named:?}; the entry has {}.", known.join(", "));
        let finding = Finding::new(&causes::TOPIC_MISMATCH, detail);
        Some(finding.corrected(delivery.with_member(&entry, "topic_arn", named.clone())))
    });
    Box::new(variants)
}
