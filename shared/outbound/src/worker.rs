//! A worker's Lambda function: its start, its credentials, its log and its metrics.

use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_config::SdkConfig;
use lambda_runtime::{LambdaEvent, service_fn, tracing};
use letterbox_codec::timestamp::Unit;
use letterbox_intake::{ambient, aws, log, queue::sqs::Sqs, secret, settings::WorkerSettings};
use serde_json::{Map, Value, json};

use crate::store::dynamo::Dynamo;

/// The time limit of reading the secret.
const SECRET: Duration = Duration::from_secs(10);

/// The deadline of one put on the queue.
const PUT: Duration = Duration::from_secs(10);

/// Set by Lambda and its local substitutes; without it the runtime's client would panic.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// What the invocations of one environment share.
pub struct Worker {
    /// The state between runs.
    pub store: Dynamo,
    /// The queue.
    pub queue: Sqs,
    settings: WorkerSettings,
    config: SdkConfig,
}

/// Runs the function until the runtime ends. `invoke` is one invocation: its event, and when it must have ended; its error
/// makes Lambda count it as failed. `command` does the same from a shell. An error at start is logged and gives a failure exit
/// code.
pub fn run<I, F>(command: &str, invoke: I) -> ExitCode
where
    I: Fn(Arc<Worker>, Value, SystemTime) -> F,
    F: Future<Output = Result<Value, String>>,
{
    log::init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.map_err(|error| error.to_string());
    match served.and_then(|runtime| runtime.block_on(serve(command, invoke))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(detail = error, "cannot start");
            ExitCode::FAILURE
        }
    }
}

async fn serve<I, F>(command: &str, invoke: I) -> Result<(), String>
where
    I: Fn(Arc<Worker>, Value, SystemTime) -> F,
    F: Future<Output = Result<Value, String>>,
{
    let settings =
        WorkerSettings::read(|name| std::env::var(name).ok()).map_err(|error| error.to_string())?;
    if std::env::var_os(RUNTIME_API).is_none() {
        return Err(format!(
            "{RUNTIME_API} is not set: this binary is a Lambda function; run the same from a shell with `{command}`"
        ));
    }
    let config = aws::config().await;
    let queue = Sqs::connect(&config, settings.queue_url.clone(), settings.oversize.clone(), PUT).await;
    let store = Dynamo::new(&config, settings.table.clone());
    let worker = Arc::new(Worker { store, queue, settings, config });
    let service = service_fn(|event: LambdaEvent<Value>| {
        let deadline = event.context.deadline();
        invoke(Arc::clone(&worker), event.payload, deadline)
    });
    lambda_runtime::run(service).await.map_err(|error| error.to_string())
}

impl Worker {
    /// Reads the worker's own credentials, as they are now. The error names the secret, and nothing of its content but what
    /// `read` says.
    pub async fn credentials<T, E: Display>(
        &self,
        read: impl FnOnce(&[u8]) -> Result<T, E>,
    ) -> Result<T, String> {
        let place = &self.settings.secret;
        let error = |error: String| format!("CREDENTIALS_SECRET: {place}: {error}");
        let reading = tokio::time::timeout(SECRET, secret(&self.config, place.clone())(None)).await;
        let content = reading.map_err(|_| error(format!("no response within {} s", SECRET.as_secs())))?;
        let content = content.map_err(error)?.ok_or_else(|| error("nothing was read".to_owned()))?;
        read(&content.bytes).map_err(|wrong| error(wrong.to_string()))
    }

    /// Logs the end of a run, with its metrics and its error, if it has failed.
    pub fn log_run<const N: usize>(
        &self,
        mut fields: Value,
        error: Option<&str>,
        names: [&str; N],
        values: [u64; N],
    ) {
        if let Value::Object(members) = &mut fields {
            members.insert("detail".to_owned(), error.into());
            members.extend(metrics(&self.settings.metrics_namespace, names, values));
        }
        log_line(error.is_some(), "run", fields);
    }
}

/// The metrics of a run in `CloudWatch`'s embedded metric format, without dimensions. They have a value in every run, so that
/// one in which nothing happened differs from none.
fn metrics<const N: usize>(namespace: &str, names: [&str; N], values: [u64; N]) -> Map<String, Value> {
    let declared: Vec<_> = names.iter().map(|name| json!({ "Name": name, "Unit": "Count" })).collect();
    let directive = json!({ "Namespace": namespace, "Dimensions": [[]], "Metrics": declared });
    let about = json!({ "Timestamp": ambient::now().0, "CloudWatchMetrics": [directive] });
    let values = names.into_iter().zip(values).map(|(name, value)| (name.to_owned(), value.into()));
    values.chain([("_aws".to_owned(), about)]).collect()
}

/// Writes one line of the log. Fields that are null are left out.
pub fn log_line(is_error: bool, message: &str, fields: Value) {
    let mut line = Map::new();
    line.insert("timestamp".to_owned(), ambient::now().to_rfc3339(Unit::Milliseconds).into());
    line.insert("level".to_owned(), if is_error { "ERROR" } else { "INFO" }.into());
    line.insert("message".to_owned(), message.into());
    if let Value::Object(fields) = fields {
        line.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
    }
    // A failed write to the log must not fail the run.
    let _ = writeln!(io::stdout().lock(), "{}", Value::Object(line));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_declared_and_has_a_value() {
        let names = ["Found", "Failed"];
        let line = metrics("Letterbox/hooks", names, [3, 0]);
        let declared = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(
            (&declared["Namespace"], &declared["Dimensions"]),
            (&json!("Letterbox/hooks"), &json!([[]]))
        );
        let found = declared["Metrics"].as_array().unwrap().iter().map(|one| one["Name"].as_str().unwrap());
        assert_eq!(found.collect::<Vec<_>>(), names);
        assert_eq!(names.map(|name| line[name].as_u64().unwrap()), [3, 0]);
    }
}
