//! The Lambda function: a batch of events from SQS, or a complete run for any other invocation.

use std::{collections::BTreeMap, process::ExitCode, sync::Arc, time::SystemTime};

use letterbox_intake::{Message, Queue, ambient};
use letterbox_outbound::worker::{self, Worker, log_line};
use serde_json::{Value, json};

use crate::{
    Corps, Mode, Platforms, Scope,
    events::{Batch, CONTINUE},
    report::CorpReport,
    run::run_corp,
    settings::Corp,
};

/// How often a complete run is continued before somebody has to look at it.
const MOST_CONTINUED: u64 = 50;

/// The most conflicts and notes of one line of the log.
const MOST_LOGGED: usize = 50;

/// The metrics of an invocation.
pub const METRICS: [&str; 4] = ["ContactsWritten", "ContactsParked", "ContactsHalted", "ContactsFailed"];

/// Runs the function until the runtime ends. An error at start is logged and gives a failure exit code.
pub fn run() -> ExitCode {
    let platforms = Arc::new(Platforms::default());
    worker::run("letterbox contacts", move |worker, event, deadline| {
        let platforms = Arc::clone(&platforms);
        async move { Invocation { worker: &worker, platforms: &platforms, deadline }.run(&event).await }
    })
}

/// One invocation.
struct Invocation<'a> {
    worker: &'a Worker,
    platforms: &'a Platforms,
    /// When it must have ended.
    deadline: SystemTime,
}

/// What an invocation did.
#[derive(Default)]
struct Outcome {
    reports: Vec<CorpReport>,
    /// The ids of messages that come back.
    failures: Vec<String>,
    ignored: u64,
}

impl Invocation<'_> {
    /// For a batch, the messages that are to come back are returned; a complete run that fails is an error, so that Lambda counts
    /// the invocation as failed.
    async fn run(&self, event: &Value) -> Result<Value, String> {
        let records = event.get("Records").and_then(Value::as_array);
        let done = match records {
            Some(records) => self.batch(records).await,
            None => self.complete().await,
        };
        for report in done.iter().flat_map(|outcome| &outcome.reports) {
            log_line(report.is_failed(), "corp", logged(report));
        }
        let (counts, error, ignored) = match &done {
            Ok(outcome) => (counts(&outcome.reports), summary(&outcome.reports), outcome.ignored),
            Err(error) => ([0, 0, 0, 1], Some(error.clone()), 0),
        };
        let busy = done.iter().flat_map(|outcome| &outcome.reports).any(|report| report.busy);
        self.worker.log_run(json!({ "busy": busy, "ignored": ignored }), error.as_deref(), METRICS, counts);
        let outcome = done?;
        if records.is_some() {
            let failures: Vec<_> =
                outcome.failures.iter().map(|id| json!({ "itemIdentifier": id })).collect();
            return Ok(json!({ "batchItemFailures": failures }));
        }
        match error {
            Some(error) => Err(error),
            None => Ok(json!({ "busy": busy, "written": counts[0] })),
        }
    }

    /// A complete run for every corp.
    async fn complete(&self) -> Result<Outcome, String> {
        let corps = self.worker.credentials(Corps::read).await?;
        let mut outcome = Outcome::default();
        for corp in &corps {
            let report = self.complete_one(corp, 0).await?;
            outcome.reports.push(report);
        }
        Ok(outcome)
    }

    /// A complete run for one corp. If its time ends, a message makes the next invocation go on.
    async fn complete_one(&self, corp: &Corp, continued: u64) -> Result<CorpReport, String> {
        let mut report = self.of_corp(corp, Scope::All).await;
        if let Some(why) = report.unfinished.clone() {
            if continued < MOST_CONTINUED {
                let message = go_on(&corp.name, continued.saturating_add(1))?;
                let put = self.worker.queue.put(&message).await;
                put.map_err(|error| format!("{}: {why}; QUEUE_URL: {error}", corp.name))?;
            } else {
                report.error = Some(format!("unfinished after {continued} continuations: {why}"));
            }
        }
        Ok(report)
    }

    /// A batch of messages: each corp's records are looked at together.
    async fn batch(&self, records: &[Value]) -> Result<Outcome, String> {
        let mut batch = Batch::default();
        for record in records {
            let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
            batch.add(text("messageId"), text("body"));
        }
        let mut outcome = Outcome { ignored: batch.ignored, ..Outcome::default() };
        if batch.look.is_empty() && batch.complete.is_empty() {
            return Ok(outcome);
        }
        let corps = self.worker.credentials(Corps::read).await?;
        for (corp_id, (hints, messages)) in batch.look {
            let Some(corp) = corps.of_dingtalk(&corp_id) else {
                let count = u64::try_from(messages.len()).unwrap_or(u64::MAX);
                outcome.ignored = outcome.ignored.saturating_add(count);
                continue;
            };
            let report = self.of_corp(corp, Scope::Hints(hints)).await;
            let comes_back = report.busy
                || report.error.is_some()
                || report.unfinished.is_some()
                || report.counts.failed > 0;
            if comes_back {
                outcome.failures.extend(messages);
            }
            outcome.reports.push(report);
        }
        for (name, messages) in batch.complete {
            let Some(corp) = corps.named(&name) else { continue };
            let continued = messages.iter().map(|(_, continued)| *continued).max().unwrap_or_default();
            let report = self.complete_one(corp, continued).await?;
            if report.busy {
                outcome.failures.extend(messages.into_iter().map(|(id, _)| id));
            }
            outcome.reports.push(report);
        }
        Ok(outcome)
    }

    async fn of_corp(&self, corp: &Corp, scope: Scope) -> CorpReport {
        let left = self.deadline.duration_since(SystemTime::now()).unwrap_or_default();
        let milliseconds = i64::try_from(left.as_millis()).unwrap_or_default();
        let mode = Mode {
            scope,
            is_dry: false,
            approve: None,
            is_for_terminal: false,
            milliseconds,
            stop: &|| false,
            progress: &|_| {},
        };
        let platforms = self.platforms.of_run(milliseconds);
        run_corp(corp, &platforms, &self.worker.store, &mode).await
    }
}

/// The message for which the next invocation continues a complete run.
fn go_on(corp: &str, continued: u64) -> Result<Message, String> {
    let ambient = ambient::system().map_err(|error| error.to_string())?;
    let id = format!("{}-{continued}", ambient.now.0);
    let source = "/contacts".to_owned();
    let body = json!({
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": CONTINUE,
        "subject": corp,
        "data": { "continued": continued },
    });
    Ok(Message {
        source,
        body: body.to_string(),
        attributes: vec![("type", CONTINUE.to_owned())],
        deduplication: id,
        group: CONTINUE.to_owned(),
        trace: None,
    })
}

/// The report for the log: ids only, and of each list the beginning.
fn logged(report: &CorpReport) -> Value {
    let mut short = report.clone();
    let more = short.conflicts.len().saturating_sub(MOST_LOGGED);
    short.conflicts.truncate(MOST_LOGGED);
    short.notes.truncate(MOST_LOGGED);
    let mut line = json!(short);
    if let (Value::Object(members), true) = (&mut line, more > 0) {
        members.insert("more_conflicts".to_owned(), more.into());
    }
    line
}

/// Written, parked, halted, failed.
fn counts(reports: &[CorpReport]) -> [u64; 4] {
    let sum = |of: fn(&CorpReport) -> u64| reports.iter().map(of).fold(0, u64::saturating_add);
    // Two runs for one corp count the same parked records.
    let parked: BTreeMap<_, _> = reports.iter().map(|report| (&report.corp, report.counts.parked)).collect();
    [
        sum(|report| report.counts.written()),
        parked.into_values().fold(0, u64::saturating_add),
        sum(|report| u64::from(report.halt.is_some())),
        sum(|report| u64::from(report.error.is_some())),
    ]
}

/// The errors and halts of all corps; `None` if there are none.
fn summary(reports: &[CorpReport]) -> Option<String> {
    let failed = reports.iter().filter_map(|report| {
        let halted = report.halt.as_ref().map(|halt| format!("halted: {}", halt.reasons.join("; ")));
        Some(format!("{}: {}", report.corp, report.error.clone().or(halted)?))
    });
    let failed: Vec<_> = failed.collect();
    (!failed.is_empty()).then(|| failed.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Halt;

    fn report(corp: &str, error: Option<&str>) -> CorpReport {
        let mut report = CorpReport { error: error.map(Into::into), ..CorpReport::new(corp) };
        (report.counts.members_created, report.counts.parked) = (2, 3);
        report
    }

    #[test]
    fn what_was_written_parked_halted_and_failed_is_counted() {
        let halt = Halt {
            code: "0".into(),
            reasons: vec!["too many".into()],
            people: vec![],
            people_count: 11,
            departments: vec![],
            departments_count: 0,
            tags_count: 0,
            since: String::new(),
        };
        let halted = CorpReport { halt: Some(halt), ..report("b", None) };
        let reports = [report("a", Some("no")), report("a", None), halted];
        assert_eq!(counts(&reports), [6, 6, 1, 1]);
        assert_eq!(summary(&reports).unwrap(), "a: no; b: halted: too many");
        assert_eq!(summary(&[report("a", None)]), None);
    }

    #[test]
    fn the_message_for_the_next_invocation_is_read_as_what_it_is() {
        let mut batch = Batch::default();
        batch.add("m", &go_on("acme", 3).unwrap().body);
        assert_eq!(batch.complete, BTreeMap::from([("acme".into(), vec![("m".into(), 3)])]));
    }
}
