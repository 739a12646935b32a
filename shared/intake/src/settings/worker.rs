//! The settings of a worker: a function that receives no webhooks.

use super::{Environment, StartError};
use crate::queue::oversize::Oversize;

/// The settings that all workers have.
#[derive(Debug, PartialEq, Eq)]
pub struct WorkerSettings {
    /// The URL of the SQS queue.
    pub queue_url: String,
    /// The bucket for large events, if there is one.
    pub oversize: Option<Oversize>,
    /// The id or ARN of the secret with the worker's own credentials.
    pub secret: String,
    /// The table with the worker's state.
    pub table: String,
    /// The `CloudWatch` namespace of the metrics.
    pub metrics_namespace: String,
}

impl WorkerSettings {
    /// Reads the environment through `variable`. An empty variable counts as not set.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, StartError> {
        let environment = Environment(variable);
        let required = |name: &'static str, expected: &'static str| {
            environment.get(name).ok_or_else(|| StartError::value(name, expected))
        };
        Ok(Self {
            queue_url: environment.queue_url()?,
            oversize: environment.oversize()?,
            secret: required(
                "CREDENTIALS_SECRET",
                "the Secrets Manager secret that contains the worker's credentials",
            )?,
            table: required("STATE_TABLE", "the name of the DynamoDB table with the worker's state")?,
            metrics_namespace: environment.metrics_namespace()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_names_its_variable() {
        let all = [("QUEUE_URL", "https://q"), ("CREDENTIALS_SECRET", "s"), ("STATE_TABLE", "t")];
        let read = |without: &str| {
            let set = all.iter().filter(|(name, _)| *name != without);
            let set: Vec<_> = set.copied().collect();
            WorkerSettings::read(|name| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let settings = read("").unwrap();
        assert_eq!((settings.secret.as_str(), settings.table.as_str()), ("s", "t"));
        assert_eq!(settings.metrics_namespace, "Letterbox");
        for (name, _) in all {
            let error = read(name).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
