//! Metrics in CloudWatch's [embedded metric format][emf], as part of a delivery's log line.
//!
//! The format is one field of the line, `_aws`, which declares the other fields that are metrics or dimensions. A crate
//! for metrics would write separate lines, and CloudWatch charges by the byte.
//!
//! [emf]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

use std::collections::BTreeMap;

use letterbox_codec::Timestamp;
use serde_json::{Value, json};

use crate::{Outcome, Record, archive::Archived, invocation::Invocation, refreshed::RefreshResult};

/// The metric fields of a log line: `_aws`, and the metrics that it declares. The dimensions are in the line already.
pub(crate) fn members(
    record: &Record,
    invocation: &Invocation,
    namespace: &str,
    Timestamp(now): Timestamp,
) -> BTreeMap<&'static str, Value> {
    let measured = metrics(record, invocation);
    let directives: Vec<_> = Per::ALL
        .into_iter()
        .filter_map(|per| {
            let of_it = measured.iter().filter(|metric| metric.per == per);
            let declared: Vec<_> =
                of_it.map(|metric| json!({ "Name": metric.name, "Unit": metric.unit })).collect();
            (!declared.is_empty()).then(|| {
                json!({ "Namespace": namespace, "Dimensions": per.dimensions(record), "Metrics": declared })
            })
        })
        .collect();
    let aws = ("_aws", json!({ "Timestamp": now, "CloudWatchMetrics": directives }));
    measured.into_iter().map(|metric| (metric.name, metric.value)).chain([aws]).collect()
}

/// A metric and its value for one delivery.
struct Metric {
    name: &'static str,
    unit: &'static str,
    per: Per,
    value: Value,
}

/// The dimensions of a metric.
#[derive(Clone, Copy, PartialEq)]
enum Per {
    /// None: one metric for all functions of the namespace, which one alarm can watch. The format allows an empty set.
    Stack,
    Provider,
    Source,
    Outcome,
}

impl Per {
    const ALL: [Self; 4] = [Self::Stack, Self::Provider, Self::Source, Self::Outcome];

    /// The dimension sets, as names of the line's fields. A source that is not configured is not a dimension: the sender
    /// chooses it, and CloudWatch charges for every value of a dimension.
    fn dimensions(self, record: &Record) -> Vec<Vec<&'static str>> {
        let source = record.known.then_some("source");
        let reason = record.reason.map(|_| "reason");
        match self {
            Self::Stack => vec![vec![]],
            Self::Provider => vec![vec!["provider"]],
            Self::Source => vec![["provider"].into_iter().chain(source).collect()],
            Self::Outcome => vec![
                vec!["provider", "outcome"],
                ["provider"].into_iter().chain(source).chain(["outcome"]).chain(reason).collect(),
            ],
        }
    }
}

/// The metrics of one delivery.
fn metrics(record: &Record, invocation: &Invocation) -> Vec<Metric> {
    let one = |happened: bool| happened.then(|| json!(1));
    let failed = |renewal: RefreshResult| one(renewal == RefreshResult::Failed);
    let answer = invocation.milliseconds.unwrap_or(record.milliseconds);
    // A replay was counted as a delivery when the platform sent it, and no platform waits for its response.
    let is_delivery = !record.replayed;
    let is_slow = is_delivery && record.limit.is_some_and(|limit| answer > limit / 2.0);
    let key = record.key.filter(|_| record.rotating && is_delivery);
    let refreshes = [record.credentials, record.document];
    let table = [
        ("Refused", "Count", Per::Stack, one(is_delivery && record.outcome == Outcome::Refused)),
        ("Unqueued", "Count", Per::Stack, one(is_delivery && record.outcome == Outcome::Unqueued)),
        ("Slow", "Count", Per::Stack, one(is_slow)),
        ("RefreshFailed", "Count", Per::Stack, one(refreshes.contains(&RefreshResult::Failed))),
        ("ArchiveFailed", "Count", Per::Stack, one(matches!(record.archived, Archived::Failed(_)))),
        ("ArchiveSkipped", "Count", Per::Stack, one(record.archived == Archived::Skipped)),
        ("Deliveries", "Count", Per::Outcome, one(is_delivery)),
        ("Replayed", "Count", Per::Outcome, one(record.replayed)),
        ("AnswerLatency", "Milliseconds", Per::Provider, is_delivery.then(|| json!(answer))),
        ("QueueLatency", "Milliseconds", Per::Provider, record.queue_milliseconds.map(|value| json!(value))),
        ("ColdStart", "Count", Per::Provider, one(invocation.cold_start)),
        ("KeyPosition", "None", Per::Source, key.map(|key| json!(key))),
        ("CredentialsRefreshFailed", "Count", Per::Provider, failed(record.credentials)),
        ("VisitFailed", "Count", Per::Provider, one(record.visit.as_ref().is_some_and(Result::is_err))),
    ];
    let document = record.names.document_refresh_failed;
    let document = document.map(|name| (name, "Count", Per::Provider, failed(record.document)));
    let measured = table.into_iter().chain(document);
    measured.filter_map(|(name, unit, per, value)| Some(Metric { name, unit, per, value: value? })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::ArchiveError;

    const NOW: Timestamp = Timestamp(1_795_255_200_123);

    fn line(record: &Record, cold_start: bool) -> Value {
        let invocation = Invocation { cold_start, ..Invocation::default() };
        let mut line = serde_json::to_value(members(record, &invocation, "Letterbox/hooks", NOW)).unwrap();
        for (name, value) in [
            ("provider", Some(record.provider)),
            ("source", Some(record.source.as_str())),
            ("outcome", Some(record.outcome.as_str())),
            ("reason", record.reason),
        ] {
            if let Some(value) = value {
                line[name] = value.into();
            }
        }
        line
    }

    /// The declared dimension sets of each metric. The format requires that every declared field exists.
    fn declared(line: &Value) -> BTreeMap<String, Vec<String>> {
        let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
        let mut declared = BTreeMap::new();
        for directive in directives {
            assert_eq!(directive["Namespace"], "Letterbox/hooks");
            let sets = directive["Dimensions"].as_array().unwrap().iter().map(|set| {
                let names = set.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
                names.inspect(|name| assert!(line[name].is_string(), "{name}")).collect::<Vec<_>>().join(",")
            });
            let sets: Vec<_> = sets.collect();
            for metric in directive["Metrics"].as_array().unwrap() {
                let name = metric["Name"].as_str().unwrap();
                assert!(line[name].is_number(), "{name}");
                declared.insert(name.to_owned(), sets.clone());
            }
        }
        declared
    }

    #[test]
    fn a_queued_delivery() {
        let mut record = Record::new("github", "acme");
        (record.known, record.outcome) = (true, Outcome::Queued);
        (record.key, record.queue_milliseconds) = (Some(0), Some(1.5));
        let line = line(&record, true);
        let declared = declared(&line);
        assert_eq!(declared["Deliveries"], ["provider,outcome", "provider,source,outcome"]);
        assert_eq!(declared["QueueLatency"], ["provider"]);
        assert_eq!(
            declared.keys().collect::<Vec<_>>(),
            ["AnswerLatency", "ColdStart", "Deliveries", "QueueLatency"]
        );
        assert_eq!(line["_aws"]["Timestamp"], NOW.0);
    }

    #[test]
    fn an_unconfigured_source_is_not_a_dimension() {
        let mut record = Record::new("github", "made-up");
        record.reason = Some("method_not_allowed");
        let declared = declared(&line(&record, false));
        assert_eq!(declared["Deliveries"], ["provider,outcome", "provider,outcome,reason"]);
        assert_eq!(declared["Refused"], [""]);
    }

    #[test]
    fn what_an_alarm_watches_has_no_dimension_and_no_value_while_all_is_well() {
        let mut record = Record::new("opencard", "default");
        (record.outcome, record.limit, record.milliseconds) = (Outcome::Unqueued, Some(800.0), 401.0);
        let slow = declared(&line(&record, false));
        assert_eq!((&slow["Unqueued"], &slow["Slow"]), (&vec![String::new()], &vec![String::new()]));
        (record.outcome, record.milliseconds) = (Outcome::Queued, 400.0);
        let well = declared(&line(&record, false));
        assert!(
            ["Refused", "Unqueued", "Slow", "RefreshFailed"].iter().all(|name| !well.contains_key(*name))
        );
    }

    #[test]
    fn the_key_counts_while_there_are_several() {
        let mut record = Record::new("github", "acme");
        (record.known, record.key, record.rotating) = (true, Some(1), true);
        let line = line(&record, false);
        assert_eq!(declared(&line)["KeyPosition"], ["provider,source"]);
        assert_eq!(line["KeyPosition"], 1);
    }

    #[test]
    fn a_replay_is_no_delivery() {
        for outcome in [Outcome::Refused, Outcome::Unqueued] {
            let mut record = Record::new("github", "acme");
            (record.known, record.replayed, record.outcome) = (true, true, outcome);
            (record.key, record.rotating, record.limit, record.milliseconds) =
                (Some(1), true, Some(800.0), 401.0);
            let declared = declared(&line(&record, false));
            assert_eq!(declared.keys().collect::<Vec<_>>(), ["Replayed"], "{outcome}");
            assert_eq!(declared["Replayed"], ["provider,outcome", "provider,source,outcome"]);
        }
    }

    #[test]
    fn what_is_not_archived_counts() {
        for (archived, metric) in [
            (Archived::No, None),
            (Archived::Stored, None),
            (Archived::Failed(ArchiveError("down".to_owned())), Some("ArchiveFailed")),
            (Archived::Skipped, Some("ArchiveSkipped")),
        ] {
            let mut record = Record::new("github", "default");
            record.archived = archived;
            let declared = declared(&line(&record, false));
            let counted = declared.iter().find(|(name, _)| name.starts_with("Archive"));
            assert_eq!(
                counted,
                metric.map(|name| (name.to_owned(), vec![String::new()])).as_ref().map(|(n, d)| (n, d))
            );
        }
    }

    #[test]
    fn a_visit_that_failed_counts() {
        for (visit, counts) in [(None, false), (Some(Ok(())), false), (Some(Err("down".to_owned())), true)] {
            let mut record = Record::new("sns", "default");
            record.visit = visit;
            assert_eq!(
                declared(&line(&record, false)).contains_key("VisitFailed"),
                counts,
                "{:?}",
                record.visit
            );
        }
    }

    #[test]
    fn a_refresh_that_failed_counts() {
        let mut record = Record::new("opencard", "default");
        (record.credentials, record.document) = (RefreshResult::Failed, RefreshResult::Failed);
        record.names.document_refresh_failed = Some("CardsRefreshFailed");
        let declared = declared(&line(&record, false));
        assert_eq!(declared["CredentialsRefreshFailed"], ["provider"]);
        assert_eq!(declared["CardsRefreshFailed"], ["provider"]);
        assert_eq!(declared["RefreshFailed"], [""]);
    }
}
