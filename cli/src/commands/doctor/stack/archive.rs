//! Reads what AWS knows of the archive of a stack.

use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::{
    primitives::DateTime,
    types::{Dimension, Metric, MetricDataQuery, MetricStat},
};

use crate::{
    doctor::stack::survey::{ArchiveActivity, ArchiveFacts, Read},
    stack::{Account, AwsError, Stack},
};

/// Metrics are asked for over this time.
const WINDOW: Duration = Duration::from_hours(3);
/// In these steps, in seconds.
const PERIOD: i32 = 300;

/// The archive of a stack; `None` if it has none.
pub async fn read(account: &Account, stack: &Stack) -> Option<ArchiveFacts> {
    let bucket = stack.output("ArchiveBucketName")?;
    let stream = stack.resource("ArchiveStream").unwrap_or_default();
    Some(ArchiveFacts {
        bucket: bucket.to_owned(),
        has_bucket: exists(account, bucket).await,
        activity: activity(account, &stack.name, stream).await,
    })
}

async fn exists(account: &Account, bucket: &str) -> Read<bool> {
    const ACTION: &str = "s3:ListBucket";
    let client = aws_sdk_s3::Client::new(&account.config);
    match client.head_bucket().bucket(bucket).send().await {
        Ok(_) => Ok(true),
        Err(error) if error.raw_response().is_some_and(|response| response.status().as_u16() == 404) => {
            Ok(false)
        }
        Err(error) => Err(AwsError::of(ACTION, bucket, &error)),
    }
}

async fn activity(account: &Account, stack: &str, stream: &str) -> Read<ArchiveActivity> {
    const ACTION: &str = "cloudwatch:GetMetricData";
    let own = |name: &str| {
        let namespace = format!("Letterbox/{stack}");
        Metric::builder().namespace(namespace).metric_name(name).build()
    };
    let query = |id: &str, metric: Metric, statistic: &str| {
        let statistic = MetricStat::builder().metric(metric).period(PERIOD).stat(statistic).build();
        MetricDataQuery::builder().id(id).metric_stat(statistic).build()
    };
    let dimension = Dimension::builder().name("DeliveryStreamName").value(stream).build();
    let freshness = Metric::builder()
        .namespace("AWS/Firehose")
        .metric_name("DeliveryToS3.DataFreshness")
        .dimensions(dimension)
        .build();
    let now = SystemTime::now();
    let client = aws_sdk_cloudwatch::Client::new(&account.config);
    let request = client
        .get_metric_data()
        .start_time(DateTime::from(now - WINDOW))
        .end_time(DateTime::from(now))
        .metric_data_queries(query("failed", own("ArchiveFailed"), "Sum"))
        .metric_data_queries(query("skipped", own("ArchiveSkipped"), "Sum"))
        .metric_data_queries(query("oldest", freshness, "Maximum"));
    let response = request.send().await.map_err(|error| AwsError::of(ACTION, "", &error))?;
    let values = |id: &str| {
        let found = response.metric_data_results().iter().find(|result| result.id() == Some(id));
        found.map(|result| result.values().to_vec()).unwrap_or_default()
    };
    // Counts of deliveries.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let sum = |id| values(id).iter().sum::<f64>() as u64;
    // The newest value comes first.
    let oldest = values("oldest").first().and_then(|seconds| Duration::try_from_secs_f64(*seconds).ok());
    Ok(ArchiveActivity { failed: sum("failed"), skipped: sum("skipped"), oldest })
}
