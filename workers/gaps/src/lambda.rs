//! The Lambda function: one run for each invocation, whose event does not matter.

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_config::SdkConfig;
use lambda_runtime::{LambdaEvent, service_fn, tracing};
use letterbox_codec::{Timestamp, timestamp::Unit};
use letterbox_intake::{ambient, aws, log, queue::sqs::Sqs, secret, settings::WorkerSettings};
use letterbox_outbound::store::dynamo::Dynamo;
use serde_json::{Map, Value, json, value::RawValue};

use crate::{Accounts, Filler, Mode, Report};

/// The time limit of reading the secret.
const SECRET: Duration = Duration::from_secs(10);

/// The deadline of one put on the queue.
const PUT: Duration = Duration::from_secs(10);

/// Set by Lambda and its local substitutes; without it the runtime's client would panic.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// What the invocations of one environment share.
struct Worker {
    filler: Filler,
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
            "{RUNTIME_API} is not set: this binary is a Lambda function; run the gap filler from a shell with `letterbox gaps`"
        ));
    }
    let config = aws::config().await;
    let queue = Sqs::connect(&config, settings.queue_url.clone(), settings.oversize.clone(), PUT).await;
    let store = Dynamo::new(&config, settings.table.clone());
    let worker = Arc::new(Worker { filler: Filler::default(), settings, config, store, queue });
    let service = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let worker = Arc::clone(&worker);
        async move { worker.invoke(event.context.deadline()).await }
    });
    lambda_runtime::run(service).await.map_err(|error| error.to_string())
}

impl Worker {
    /// One run. It errs if an account could not be done, so that Lambda counts the invocation as failed.
    async fn invoke(&self, deadline: SystemTime) -> Result<Value, String> {
        let left = deadline.duration_since(SystemTime::now()).unwrap_or_default();
        let milliseconds = i64::try_from(left.as_millis()).unwrap_or_default();
        let done = self.run(milliseconds).await;
        if let Ok(report) = &done {
            for account in &report.accounts {
                let is_failed = account.error.is_some() || account.given_up > 0;
                write_line(if is_failed { "ERROR" } else { "INFO" }, "account", &json!(account), Value::Null);
            }
        }
        let (counts, error) = match &done {
            Ok(report) => {
                let failed = report.failed_accounts().saturating_add(report.given_up());
                ([report.found(), report.filled(), failed, report.given_up()], summary(report))
            }
            Err(error) => ([0, 0, 1, 0], Some(error.clone())),
        };
        let metrics = metrics(&self.settings.metrics_namespace, counts);
        let detail = json!({ "busy": done.as_ref().is_ok_and(|report| report.busy), "detail": error });
        write_line(if error.is_some() { "ERROR" } else { "INFO" }, "run", &detail, metrics);
        let report = done?;
        match error {
            Some(error) => Err(error),
            None => Ok(json!({ "busy": report.busy, "found": report.found(), "filled": report.filled() })),
        }
    }

    async fn run(&self, milliseconds: i64) -> Result<Report, String> {
        let place = &self.settings.secret;
        let error = |error: String| format!("CREDENTIALS_SECRET: {place}: {error}");
        let read = secret(&self.config, place.clone())(None);
        let read = tokio::time::timeout(SECRET, read).await;
        let read = read.map_err(|_| error(format!("no response within {} s", SECRET.as_secs())))?;
        let content = read.map_err(error)?.ok_or_else(|| error("nothing was read".to_owned()))?;
        let accounts = Accounts::read(&content.bytes).map_err(|wrong| error(wrong.to_string()))?;
        let mode = Mode { is_dry: false, since: None, milliseconds };
        let run = self.filler.run(&accounts, &self.store, &self.queue, mode, &|_| {});
        run.await.map_err(|error| error.to_string())
    }
}

/// The errors of all accounts; `None` if there are none.
fn summary(report: &Report) -> Option<String> {
    let failed = report.accounts.iter().filter_map(|account| {
        let error = account.error.as_ref()?;
        Some(format!("{}: {error}", account.account))
    });
    let failed: Vec<_> = failed.collect();
    (!failed.is_empty()).then(|| failed.join("; "))
}

/// The metrics of a run in `CloudWatch`'s embedded metric format, without dimensions. They have a value in every run, so that
/// a run without gaps differs from none.
fn metrics(namespace: &str, [found, filled, failed, given_up]: [u64; 4]) -> Value {
    let now = now().map_or(0, |now| now.0);
    let mut members = Map::new();
    let mut declared = Vec::new();
    for (name, value) in METRICS.into_iter().zip([found, filled, failed, given_up]) {
        members.insert(name.to_owned(), value.into());
        declared.push(json!({ "Name": name, "Unit": "Count" }));
    }
    let directive = json!({ "Namespace": namespace, "Dimensions": [[]], "Metrics": declared });
    members.insert("_aws".to_owned(), json!({ "Timestamp": now, "CloudWatchMetrics": [directive] }));
    Value::Object(members)
}

/// The metrics of a run.
pub const METRICS: [&str; 4] = ["GapsFound", "GapsFilled", "GapsFailed", "GapsGivenUp"];

fn now() -> Option<Timestamp> {
    ambient::system().ok().map(|ambient| ambient.now)
}

/// Writes one line of the log.
fn write_line(level: &str, message: &str, fields: &Value, metrics: Value) {
    let mut line = Map::new();
    let time = now().and_then(|now| now.to_rfc3339(Unit::Milliseconds));
    line.insert("timestamp".to_owned(), time.into());
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
    use crate::report::AccountReport;

    #[test]
    fn every_metric_is_declared_and_has_a_value() {
        let line = metrics("Letterbox/hooks", [3, 2, 1, 0]);
        let declared = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(
            (&declared["Namespace"], &declared["Dimensions"]),
            (&json!("Letterbox/hooks"), &json!([[]]))
        );
        let names: Vec<_> =
            declared["Metrics"].as_array().unwrap().iter().map(|one| one["Name"].as_str().unwrap()).collect();
        assert_eq!(names, METRICS);
        assert_eq!(METRICS.map(|name| line[name].as_u64().unwrap()), [3, 2, 1, 0]);
    }

    #[test]
    fn a_run_fails_if_an_account_does() {
        let good = AccountReport::new("stripe/payment/default".into());
        let bad = AccountReport { error: Some("HTTP 401".into()), ..AccountReport::new("dingtalk/a".into()) };
        let report = |accounts| Report { accounts, ..Report::default() };
        assert_eq!(summary(&report(vec![good.clone()])), None);
        assert_eq!(summary(&report(vec![good, bad])).as_deref(), Some("dingtalk/a: HTTP 401"));
    }
}
