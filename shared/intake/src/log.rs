//! Structured logs: JSON lines on standard output, one per delivery.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use lambda_runtime::tracing::subscriber::{self, filter::LevelFilter};
use letterbox_codec::{Timestamp, timestamp::Unit};
use serde::Serialize;
use serde_json::Value;

use crate::{Outcome, Record, ambient, archive::Archived, invocation::Invocation, metrics};

/// Configures the runtime's tracing to write JSON.
pub fn init() {
    subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_span_list(false)
        .with_max_level(level(|name| std::env::var(name).ok()))
        .init();
}

/// The level of `AWS_LAMBDA_LOG_LEVEL`, else of `RUST_LOG`, else `info`. It is at most `debug`, since at `trace` the
/// runtime logs whole events, payloads and signatures included. An empty variable counts as not set.
fn level(variable: impl Fn(&str) -> Option<String>) -> LevelFilter {
    let mut set = ["AWS_LAMBDA_LOG_LEVEL", "RUST_LOG"].into_iter().filter_map(variable);
    let level = set.find(|level| !level.is_empty());
    level.and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO).min(LevelFilter::DEBUG)
}

/// The log line of a delivery; its fields are written in this order.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: Option<String>,
    level: &'static str,
    message: &'static str,
    provider: &'a str,
    source: &'a str,
    #[serde(flatten)]
    found: BTreeMap<&'static str, Value>,
    outcome: &'static str,
    status: u16,
    milliseconds: f64,
    #[serde(rename = "requestId")]
    request_id: &'a str,
    #[serde(flatten)]
    metrics: BTreeMap<&'static str, Value>,
}

/// Writes the log line of a delivery, at any log level, since it carries the metrics.
pub(crate) fn delivery(record: &Record, invocation: &Invocation, namespace: &str) {
    let now = ambient::system().map_or(Timestamp(0), |ambient| ambient.now);
    // A failed write to the log must not fail the delivery.
    if let Ok(line) = serde_json::to_string(&line(record, invocation, namespace, now)) {
        let _ = writeln!(io::stdout().lock(), "{line}");
    }
}

fn line<'a>(record: &'a Record, invocation: &'a Invocation, namespace: &str, now: Timestamp) -> Line<'a> {
    let found = [
        ("type", record.kind.clone().map(Value::from)),
        ("id", record.id.clone().map(Value::from)),
        ("deliveryid", record.delivery.clone().map(Value::from)),
        ("key", record.key.map(Value::from)),
        ("reason", record.reason.map(Value::from)),
        ("detail", record.detail.clone().map(Value::from)),
        ("replayed", record.replayed.then_some(true.into())),
        ("archived", (record.archived != Archived::No).then(|| (record.archived == Archived::Stored).into())),
        ("archiveDetail", record.archived.detail().map(Value::from)),
        ("visited", record.visit.as_ref().map(|visit| visit.is_ok().into())),
        ("xrayTraceId", invocation.trace.clone().map(Value::from)),
    ];
    let own = record.names.delivery_field.map(|name| (name, record.delivery.clone().map(Value::from)));
    Line {
        timestamp: now.to_rfc3339(Unit::Milliseconds),
        level: match record.outcome {
            Outcome::Queued | Outcome::Answered => "INFO",
            Outcome::Refused => "WARN",
            Outcome::Failed | Outcome::Unqueued => "ERROR",
        },
        message: "delivery",
        provider: record.provider,
        source: &record.source,
        found: found.into_iter().chain(own).filter_map(|(name, value)| Some((name, value?))).collect(),
        outcome: record.outcome.as_str(),
        status: record.status,
        milliseconds: record.milliseconds,
        request_id: &invocation.request_id,
        metrics: metrics::members(record, invocation, namespace, now),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_platforms_own_name_of_the_delivery_id_is_a_further_field() {
        let mut record = Record::new("any", "default");
        record.delivery = Some("d1".to_owned());
        for (field, expected) in [(Some("rid"), json!("d1")), (None, Value::Null)] {
            record.names.delivery_field = field;
            let invocation = Invocation::default();
            let line = line(&record, &invocation, "Letterbox", Timestamp(0));
            let line = serde_json::to_value(line).unwrap();
            assert_eq!((&line["rid"], &line["deliveryid"]), (&expected, &json!("d1")), "{field:?}");
        }
    }

    #[test]
    fn the_level_is_lambdas_or_rusts_and_never_trace() {
        for (lambda, rust, expected) in [
            (None, None, LevelFilter::INFO),
            (Some("WARN"), Some("debug"), LevelFilter::WARN),
            (None, Some("error"), LevelFilter::ERROR),
            (Some(""), Some("debug"), LevelFilter::DEBUG),
            (Some(""), Some(""), LevelFilter::INFO),
            (Some("loud"), None, LevelFilter::INFO),
            (Some("TRACE"), None, LevelFilter::DEBUG),
        ] {
            let set = |name: &str| (if name == "RUST_LOG" { rust } else { lambda }).map(str::to_owned);
            assert_eq!(level(set), expected, "{lambda:?} {rust:?}");
        }
    }
}
