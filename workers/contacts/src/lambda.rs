//! The Lambda function: a batch of events from SQS, or a complete run for any other invocation.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_config::SdkConfig;
use lambda_runtime::{LambdaEvent, service_fn, tracing};
use letterbox_codec::timestamp::Unit;
use letterbox_intake::{
    Message, Queue, ambient, aws, log, queue::sqs::Sqs, secret, settings::WorkerSettings,
};
use letterbox_outbound::store::dynamo::Dynamo;
use serde_json::{Map, Value, json};

use crate::{
    Corps, Mode, Platforms, Scope,
    events::{Batch, CONTINUE},
    report::CorpReport,
    run::run_corp,
    settings::Corp,
};

/// The time limit of reading the secret.
const SECRET: Duration = Duration::from_secs(10);

/// The deadline of one put on the queue.
const PUT: Duration = Duration::from_secs(10);

/// How often a complete run is continued before somebody has to look at it.
const MOST_CONTINUED: u64 = 50;

/// The most conflicts and notes of one line of the log.
const MOST_LOGGED: usize = 50;

/// Set by Lambda and its local substitutes; without it the runtime's client would panic.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// The metrics of an invocation.
pub const METRICS: [&str; 4] = ["ContactsWritten", "ContactsParked", "ContactsHalted", "ContactsFailed"];

/// What the invocations of one environment share.
struct Worker {
    platforms: Platforms,
    settings: WorkerSettings,
    config: SdkConfig,
    store: Dynamo,
    queue: Sqs,
}

/// Runs the function until the runtime ends. An error at start is logged and gives a failure exit code.
pub fn run() -> ExitCode {
    log::init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.map_err(|error| error.to_string()).and_then(|runtime| runtime.block_on(serve()));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(detail = error, "cannot start");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), String> {
    let settings =
        WorkerSettings::read(|name| std::env::var(name).ok()).map_err(|error| error.to_string())?;
    if std::env::var_os(RUNTIME_API).is_none() {
        return Err(format!(
            "{RUNTIME_API} is not set: this binary is a Lambda function; run the contact sync from a shell with \
             `letterbox contacts`"
        ));
    }
    let config = aws::config().await;
    let queue = Sqs::connect(&config, settings.queue_url.clone(), settings.oversize.clone(), PUT).await;
    let store = Dynamo::new(&config, settings.table.clone());
    let worker = Arc::new(Worker { platforms: Platforms::default(), settings, config, store, queue });
    let service = service_fn(move |event: LambdaEvent<Value>| {
        let worker = Arc::clone(&worker);
        async move { worker.invoke(&event.payload, event.context.deadline()).await }
    });
    lambda_runtime::run(service).await.map_err(|error| error.to_string())
}

/// What an invocation did.
#[derive(Default)]
struct Outcome {
    reports: Vec<CorpReport>,
    /// The ids of messages that come back.
    failures: Vec<String>,
    ignored: u64,
}

impl Worker {
    /// One invocation. For a batch, the messages that are to come back are returned; a complete run that fails is an error, so
    /// that Lambda counts the invocation as failed.
    async fn invoke(&self, event: &Value, deadline: SystemTime) -> Result<Value, String> {
        let records = event.get("Records").and_then(Value::as_array);
        let done = match records {
            Some(records) => self.batch(records, deadline).await,
            None => self.complete(deadline).await,
        };
        for report in done.iter().flat_map(|outcome| &outcome.reports) {
            let level = if report.is_failed() { "ERROR" } else { "INFO" };
            write_line(level, "corp", &logged(report), Value::Null);
        }
        let (counts, error, ignored) = match &done {
            Ok(outcome) => (counts(&outcome.reports), summary(&outcome.reports), outcome.ignored),
            Err(error) => ([0, 0, 0, 1], Some(error.clone()), 0),
        };
        let metrics = metrics(&self.settings.metrics_namespace, counts);
        let busy = done.iter().flat_map(|outcome| &outcome.reports).any(|report| report.busy);
        let detail = json!({ "busy": busy, "ignored": ignored, "detail": error });
        write_line(if error.is_some() { "ERROR" } else { "INFO" }, "run", &detail, metrics);
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
    async fn complete(&self, deadline: SystemTime) -> Result<Outcome, String> {
        let corps = self.corps().await?;
        let mut outcome = Outcome::default();
        for corp in &corps {
            let report = self.complete_one(corp, deadline, 0).await?;
            outcome.reports.push(report);
        }
        Ok(outcome)
    }

    /// A complete run for one corp. If its time ends, a message makes the next invocation go on.
    async fn complete_one(
        &self,
        corp: &Corp,
        deadline: SystemTime,
        continued: u64,
    ) -> Result<CorpReport, String> {
        let mut report = self.of_corp(corp, Scope::All, deadline).await;
        if let Some(why) = report.unfinished.clone() {
            if continued < MOST_CONTINUED {
                let message = go_on(&corp.name, continued.saturating_add(1))?;
                let put = self.queue.put(&message).await;
                put.map_err(|error| format!("{}: {why}; QUEUE_URL: {error}", corp.name))?;
            } else {
                report.error = Some(format!("unfinished after {continued} continuations: {why}"));
            }
        }
        Ok(report)
    }

    /// A batch of messages: each corp's records are looked at together.
    async fn batch(&self, records: &[Value], deadline: SystemTime) -> Result<Outcome, String> {
        let mut batch = Batch::default();
        for record in records {
            let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
            batch.add(text("messageId"), text("body"));
        }
        let mut outcome = Outcome { ignored: batch.ignored, ..Outcome::default() };
        if batch.look.is_empty() && batch.complete.is_empty() {
            return Ok(outcome);
        }
        let corps = self.corps().await?;
        for (corp_id, (hints, messages)) in batch.look {
            let Some(corp) = corps.of_dingtalk(&corp_id) else {
                let count = u64::try_from(messages.len()).unwrap_or(u64::MAX);
                outcome.ignored = outcome.ignored.saturating_add(count);
                continue;
            };
            let report = self.of_corp(corp, Scope::Hints(hints), deadline).await;
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
            let report = self.complete_one(corp, deadline, continued).await?;
            if report.busy {
                outcome.failures.extend(messages.into_iter().map(|(id, _)| id));
            }
            outcome.reports.push(report);
        }
        Ok(outcome)
    }

    async fn of_corp(&self, corp: &Corp, scope: Scope, deadline: SystemTime) -> CorpReport {
        let left = deadline.duration_since(SystemTime::now()).unwrap_or_default();
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
        run_corp(corp, &platforms, &self.store, &mode).await
    }

    async fn corps(&self) -> Result<Corps, String> {
        let place = &self.settings.secret;
        let error = |error: String| format!("CREDENTIALS_SECRET: {place}: {error}");
        let read = secret(&self.config, place.clone())(None);
        let read = tokio::time::timeout(SECRET, read).await;
        let read = read.map_err(|_| error(format!("no response within {} s", SECRET.as_secs())))?;
        let content = read.map_err(error)?.ok_or_else(|| error("nothing was read".to_owned()))?;
        Corps::read(&content.bytes).map_err(|wrong| error(wrong.to_string()))
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

/// The metrics of an invocation in `CloudWatch`'s embedded metric format, without dimensions. They have a value in every
/// invocation, so that one without changes differs from none.
fn metrics(namespace: &str, values: [u64; 4]) -> Value {
    let mut members = Map::new();
    let mut declared = Vec::new();
    for (name, value) in METRICS.into_iter().zip(values) {
        members.insert(name.to_owned(), value.into());
        declared.push(json!({ "Name": name, "Unit": "Count" }));
    }
    let directive = json!({ "Namespace": namespace, "Dimensions": [[]], "Metrics": declared });
    let now = ambient::now().0;
    members.insert("_aws".to_owned(), json!({ "Timestamp": now, "CloudWatchMetrics": [directive] }));
    Value::Object(members)
}

/// Writes one line of the log.
fn write_line(level: &str, message: &str, fields: &Value, metrics: Value) {
    let mut line = Map::new();
    line.insert("timestamp".to_owned(), ambient::now().to_rfc3339(Unit::Milliseconds).into());
    line.insert("level".to_owned(), level.into());
    line.insert("message".to_owned(), message.into());
    for more in [fields.clone(), metrics] {
        if let Value::Object(members) = more {
            line.extend(members.into_iter().filter(|(_, value)| !value.is_null()));
        }
    }
    // A failed write to the log must not fail the run.
    let _ = writeln!(io::stdout().lock(), "{}", Value::Object(line));
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
    fn every_metric_is_declared_and_has_a_value() {
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
        let line = metrics("Letterbox/hooks", counts(&reports));
        let declared = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
        let names: Vec<_> = declared.iter().map(|one| one["Name"].as_str().unwrap()).collect();
        assert_eq!(names, METRICS);
        assert_eq!(METRICS.map(|name| line[name].as_u64().unwrap()), [6, 6, 1, 1]);
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
