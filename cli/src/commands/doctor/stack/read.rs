//! Reads what AWS knows of the parts of a stack.

use std::{
    collections::HashMap,
    str::FromStr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_sdk_cloudwatch::{
    primitives::DateTime,
    types::{Dimension, Metric, MetricDataQuery, MetricStat},
};
use aws_sdk_sns::operation::get_topic_attributes::GetTopicAttributesError;
use aws_sdk_sqs::{operation::get_queue_attributes::GetQueueAttributesError, types::QueueAttributeName};
use letterbox_intake::{Object, queue::memory::Memory};
use letterbox_registry::{HandlerParts, Platform};

use crate::{
    doctor::stack::survey::{Activity, QueueFacts, Read, Subscriptions},
    stack::{Account, AwsError},
};

/// Metrics are asked for over this time.
const WINDOW: Duration = Duration::from_hours(3);
/// In these steps, in seconds.
const PERIOD: i32 = 300;
/// The largest file that a function reads, in bytes.
const LARGEST_OBJECT: i64 = 16 * 1024 * 1024;

/// The attributes of a queue; `None` if there is no such queue.
pub async fn queue(account: &Account, url: &str) -> Read<Option<QueueFacts>> {
    const ACTION: &str = "sqs:GetQueueAttributes";
    let client = aws_sdk_sqs::Client::new(&account.config);
    let request = client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
    let attributes = match request.send().await {
        Ok(response) => response.attributes.unwrap_or_default(),
        Err(error)
            if error.as_service_error().is_some_and(GetQueueAttributesError::is_queue_does_not_exist) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(AwsError::of(ACTION, url, &error)),
    };
    Ok(Some(queue_facts(&attributes)))
}

fn queue_facts(attributes: &HashMap<QueueAttributeName, String>) -> QueueFacts {
    let number = |name| attributes.get(&name).and_then(|text| text.parse().ok()).unwrap_or_default();
    let redrive = attributes.get(&QueueAttributeName::RedrivePolicy);
    let redrive =
        redrive.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok()).and_then(|policy| {
            // SQS writes the number as a string or as a number.
            let receives = &policy["maxReceiveCount"];
            let receives = receives.as_u64().or_else(|| receives.as_str()?.parse().ok())?;
            Some((policy["deadLetterTargetArn"].as_str()?.to_owned(), receives))
        });
    QueueFacts {
        waiting: number(QueueAttributeName::ApproximateNumberOfMessages),
        in_flight: number(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        visibility_timeout: number(QueueAttributeName::VisibilityTimeout),
        retention: number(QueueAttributeName::MessageRetentionPeriod),
        redrive,
        is_encrypted: attributes.contains_key(&QueueAttributeName::KmsMasterKeyId)
            || attributes.get(&QueueAttributeName::SqsManagedSseEnabled).is_some_and(|value| value == "true"),
    }
}

/// What CloudWatch recorded of the queues with these URLs.
pub async fn activity(account: &Account, queue: &str, dead_letters: Option<&str>) -> Read<Activity> {
    const ACTION: &str = "cloudwatch:GetMetricData";
    const AGE: &str = "ApproximateAgeOfOldestMessage";
    let query = |id: &str, url: &str, name: &str, statistic: &str| {
        let queue = url.rsplit('/').next().unwrap_or_default();
        let dimension = Dimension::builder().name("QueueName").value(queue).build();
        let metric = Metric::builder().namespace("AWS/SQS").metric_name(name).dimensions(dimension).build();
        let statistic = MetricStat::builder().metric(metric).period(PERIOD).stat(statistic).build();
        MetricDataQuery::builder().id(id).metric_stat(statistic).build()
    };
    let now = SystemTime::now();
    let client = aws_sdk_cloudwatch::Client::new(&account.config);
    let request =
        client.get_metric_data().start_time(DateTime::from(now - WINDOW)).end_time(DateTime::from(now));
    let queries = [
        Some(query("oldest", queue, AGE, "Maximum")),
        Some(query("received", queue, "NumberOfMessagesReceived", "Sum")),
        Some(query("empty", queue, "NumberOfEmptyReceives", "Sum")),
        dead_letters.map(|url| query("dead", url, AGE, "Maximum")),
    ];
    let request = request.set_metric_data_queries(Some(queries.into_iter().flatten().collect()));
    let response = request.send().await.map_err(|error| AwsError::of(ACTION, "", &error))?;
    // The newest value comes first.
    let results: HashMap<_, _> = response
        .metric_data_results()
        .iter()
        .map(|result| (result.id().unwrap_or_default(), result.values()))
        .collect();
    let seconds = |id| {
        let newest: Option<&f64> = results.get(id).and_then(|values| values.first());
        newest.and_then(|seconds| Duration::try_from_secs_f64(*seconds).ok())
    };
    let sum = |id| {
        let values = results.get(id).filter(|values| !values.is_empty())?;
        // Counts of requests.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Some(values.iter().sum::<f64>() as u64)
    };
    let receives = match (sum("received"), sum("empty")) {
        (None, None) => None,
        (received, empty) => Some(received.unwrap_or_default().saturating_add(empty.unwrap_or_default())),
    };
    Ok(Activity { oldest: seconds("oldest"), oldest_dead_letter: seconds("dead"), receives })
}

/// The subscriptions of a topic; `None` if there is no such topic.
pub async fn subscriptions(account: &Account, topic: &str) -> Read<Option<Subscriptions>> {
    const ACTION: &str = "sns:GetTopicAttributes";
    let client = aws_sdk_sns::Client::new(&account.config);
    let attributes = match client.get_topic_attributes().topic_arn(topic).send().await {
        Ok(response) => response.attributes.unwrap_or_default(),
        Err(error)
            if error.as_service_error().is_some_and(GetTopicAttributesError::is_not_found_exception) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(AwsError::of(ACTION, topic, &error)),
    };
    let number = |name: &str| attributes.get(name).and_then(|text| text.parse().ok()).unwrap_or_default();
    Ok(Some(Subscriptions {
        confirmed: number("SubscriptionsConfirmed"),
        pending: number("SubscriptionsPending"),
    }))
}

/// The account's quota "Concurrent executions" of Lambda, as applied to it.
pub async fn concurrency(account: &Account) -> Read<u32> {
    const ACTION: &str = "servicequotas:GetServiceQuota";
    let client = aws_sdk_servicequotas::Client::new(&account.config);
    let request = client.get_service_quota().service_code("lambda").quota_code("L-B99A9384");
    let response = request.send().await.map_err(|error| AwsError::of(ACTION, "", &error))?;
    let value = response.quota.and_then(|quota| quota.value);
    let value = value.and_then(|value| u32::from_str(&format!("{value:.0}")).ok());
    value.ok_or_else(|| AwsError::Other(format!("{ACTION}: the response has no value")))
}

/// Whether the function would accept the file in S3; `None` if there is none.
pub async fn document(
    account: &Account,
    platform: &dyn Platform,
    credentials: &str,
    place: &str,
) -> Read<Option<Result<(), String>>> {
    const ACTION: &str = "s3:GetObject";
    let Some(Object { bucket, key }) = Object::parse(place) else {
        return Ok(Some(Err("expected s3://bucket/key".to_owned())));
    };
    let client = aws_sdk_s3::Client::new(&account.config);
    let object = match client.get_object().bucket(bucket).key(key).send().await {
        Ok(object) => object,
        Err(error) => {
            use aws_sdk_s3::error::ProvideErrorMetadata as _;
            return match error.code() {
                Some("NoSuchKey" | "NoSuchBucket") => Ok(None),
                _ => Err(AwsError::of(ACTION, place, &error)),
            };
        }
    };
    if object.content_length.is_none_or(|length| length > LARGEST_OBJECT) {
        return Ok(Some(Err(format!("expected at most {LARGEST_OBJECT} bytes"))));
    }
    let bytes = object.body.collect().await.map_err(|error| AwsError::Other(format!("{ACTION}: {error}")))?;
    let parts = HandlerParts {
        credentials,
        document: Some((place, &bytes.to_vec())),
        queue: Arc::new(Memory::default()),
        ambient: None,
        fetches: false,
    };
    Ok(Some(platform.handler(parts).map(drop).map_err(|error| error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_a_queue_are_read_as_sqs_writes_them() {
        use QueueAttributeName as Name;
        let attributes = |policy: &str| {
            let pairs = [
                (Name::ApproximateNumberOfMessages, "3"),
                (Name::ApproximateNumberOfMessagesNotVisible, "2"),
                (Name::VisibilityTimeout, "60"),
                (Name::MessageRetentionPeriod, "1209600"),
                (Name::SqsManagedSseEnabled, "true"),
                (Name::RedrivePolicy, policy),
            ];
            queue_facts(&pairs.map(|(name, value)| (name, value.to_owned())).into())
        };
        for (policy, expected) in [
            (r#"{"deadLetterTargetArn":"a","maxReceiveCount":5}"#, Some(("a".to_owned(), 5))),
            (r#"{"deadLetterTargetArn":"a","maxReceiveCount":"5"}"#, Some(("a".to_owned(), 5))),
            ("{}", None),
            ("", None),
        ] {
            let facts = attributes(policy);
            assert_eq!(facts.redrive, expected, "{policy}");
            assert_eq!((facts.waiting, facts.in_flight, facts.visibility_timeout), (3, 2, 60));
            assert!(facts.is_encrypted);
        }
        assert!(!queue_facts(&HashMap::new()).is_encrypted);
    }
}
