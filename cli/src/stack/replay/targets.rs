//! Where a delivery is replayed to: the queue and the functions of a stack.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use aws_sdk_lambda::{
    Client,
    config::{Builder, retry::RetryConfig, timeout::TimeoutConfig},
    primitives::Blob,
};
use letterbox_codec::Timestamp;
use letterbox_intake::{
    Message, Outcome, Queue,
    queue::{oversize::Oversize, sqs::Sqs},
    replay::{MEMBER, Marker, Verdict},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::stack::{Account, AwsError, Stack, archive::ArchivedDelivery, logical_name};

const INVOKE: &str = "lambda:InvokeFunction";

/// How long a message may take to be put on the queue, retries included.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(15);

/// How long one attempt of an invocation may take: longer than any function's timeout and start.
const INVOKE_TIMEOUT: Duration = Duration::from_mins(1);

/// The largest message without the bucket, as the template has it in `OVERSIZE_THRESHOLD`.
const OVERSIZE_THRESHOLD: usize = 262_144;

/// The queue and the functions of a stack.
pub struct Targets {
    queue: Sqs,
    lambda: Client,
    /// The names of the functions, by provider.
    functions: BTreeMap<String, String>,
}

/// Why a delivery could not be replayed now.
#[derive(Debug)]
pub enum Failure {
    /// It would be the same with every other one. The text says why.
    OfAll(String),
    /// Others may succeed, or this one another time.
    OfThis(String),
}

impl Targets {
    /// Those of a stack; `None` if it has no queue.
    pub async fn of(account: &Account, stack: &Stack) -> Option<Self> {
        let url = stack.output("QueueUrl")?.to_owned();
        let bucket = stack.output("OversizeBucketName").map(str::to_owned);
        let oversize = bucket.map(|bucket| Oversize { bucket, threshold: OVERSIZE_THRESHOLD });
        let providers = letterbox_registry::PROVIDERS.iter().map(|provider| provider.name());
        let functions = providers.filter_map(|name| {
            let function = stack.resource(&format!("{}Function", logical_name(name)))?;
            Some((name.to_owned(), function.to_owned()))
        });
        let config = Builder::from(&account.config)
            .retry_config(RetryConfig::standard().with_max_attempts(4))
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(INVOKE_TIMEOUT).build())
            .build();
        Some(Self {
            queue: Sqs::connect(&account.config, url, oversize, QUEUE_TIMEOUT).await,
            lambda: Client::from_conf(config),
            functions: functions.collect(),
        })
    }

    /// The providers whose functions the stack has.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(String::as_str)
    }

    /// Puts the event of an accepted delivery on the queue again.
    pub async fn queue(&self, message: &RawValue, now: Timestamp) -> Result<Verdict, Failure> {
        let no_event = || Failure::OfThis("the archive has no CloudEvents object as its message".to_owned());
        let message = Message::replayed(message.get(), now).ok_or_else(no_event)?;
        match tokio::time::timeout(QUEUE_TIMEOUT, self.queue.put(&message)).await {
            Err(_) => Err(Failure::OfThis("the queue did not respond in time".to_owned())),
            Ok(Err(error)) => Err(classify(&error.0, &format!("sqs:SendMessage: {error}"))),
            Ok(Ok(())) => {
                let attribute = |name| {
                    let found = message.attributes.iter().find(|(key, _)| *key == name);
                    found.map(|(_, value)| value.clone())
                };
                Ok(Verdict {
                    outcome: Outcome::Queued,
                    reason: None,
                    detail: None,
                    id: attribute("id"),
                    kind: attribute("type"),
                })
            }
        }
    }

    /// Hands a delivery to its function, to be judged as of its receipt.
    pub async fn invoke(&self, delivery: &ArchivedDelivery) -> Result<Verdict, Failure> {
        let name = self.functions.get(&delivery.record.provider);
        let name = name.ok_or_else(|| Failure::OfAll("the stack has no such function".to_owned()))?;
        let payload = marked(&delivery.record.event, delivery.record.time)
            .ok_or_else(|| Failure::OfThis("the archive has no API Gateway event".to_owned()))?;
        let invoked = self.lambda.invoke().function_name(name).payload(Blob::new(payload)).send().await;
        let response = invoked.map_err(|error| match AwsError::of(INVOKE, name, &error) {
            error @ (AwsError::Unreachable { .. } | AwsError::Other(_)) => Failure::OfThis(error.to_string()),
            error => Failure::OfAll(error.to_string()),
        })?;
        if let Some(error) = response.function_error() {
            return Err(Failure::OfThis(format!("{name} ended with an error ({error}); its log says why")));
        }
        let payload = response.payload().map_or(&b""[..], Blob::as_ref);
        verdict(payload).ok_or_else(|| {
            Failure::OfAll(format!(
                "{name} does not know replays: update the stack to this version of Letterbox"
            ))
        })
    }
}

/// The queue's error: a permission that is missing, or a queue that is, is so for every delivery.
fn classify(code: &str, text: &str) -> Failure {
    const FATAL: [&str; 7] = [
        "AccessDenied",
        "KmsAccessDenied",
        "QueueDoesNotExist",
        "NonExistentQueue",
        "InvalidClientTokenId",
        "ExpiredToken",
        "NoSuchBucket",
    ];
    let is_fatal = FATAL.iter().any(|fatal| code.contains(fatal));
    if is_fatal { Failure::OfAll(text.to_owned()) } else { Failure::OfThis(text.to_owned()) }
}

/// The API Gateway event with the marker of a replay; `None` if it is no object.
fn marked(event: &RawValue, received: Timestamp) -> Option<String> {
    let mut members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(event.get()).ok()?;
    let marker = serde_json::value::to_raw_value(&Marker { received }).ok()?;
    members.insert(MEMBER.into(), &marker);
    serde_json::to_string(&members).ok()
}

/// The verdict in the response of a function.
fn verdict(payload: &[u8]) -> Option<Verdict> {
    #[derive(Deserialize)]
    struct Response {
        letterbox: Verdict,
    }

    serde_json::from_slice(payload).ok().map(|Response { letterbox }| letterbox)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_stands_beside_what_the_gateway_wrote() {
        let event = r#"{"rawPath":"/github","body":"{\"letterbox\":1}","letterbox":"forged","n":1.0}"#;
        let event: Box<RawValue> = serde_json::from_str(event).unwrap();
        assert_eq!(
            marked(&event, Timestamp(1_795_749_600_123)).unwrap(),
            r#"{"body":"{\"letterbox\":1}","letterbox":{"receivedtime":"2026-11-27T03:20:00.123Z"},"n":1.0,"rawPath":"/github"}"#
        );
        let other: Box<RawValue> = serde_json::from_str("[]").unwrap();
        assert_eq!(marked(&other, Timestamp(0)), None);
    }

    #[test]
    fn the_response_says_what_became_of_it() {
        let response = br#"{"statusCode":401,"headers":{},"body":"","letterbox":{"outcome":"refused","reason":"signature_mismatch","detail":null,"id":null,"type":null}}"#;
        let verdict = verdict(response).unwrap();
        assert_eq!(
            (verdict.outcome, verdict.reason.as_deref()),
            (Outcome::Refused, Some("signature_mismatch"))
        );
        for other in [&b""[..], b"null", br#"{"statusCode":401}"#] {
            assert_eq!(super::verdict(other), None);
        }
    }

    #[test]
    fn a_missing_permission_stops_the_replay() {
        assert!(matches!(classify("AccessDenied: no", "sqs:SendMessage: no"), Failure::OfAll(_)));
        assert!(matches!(classify("ServiceUnavailable: later", ""), Failure::OfThis(_)));
    }
}
