//! How long and how often a request to SQS or S3 is attempted.

use std::time::Duration;

use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_sqs::config::retry::{RetryPartition, TokenBucket};

/// The SDK's retry and timeout settings for requests that share one deadline.
pub(super) struct RetryPolicy {
    pub retries: RetryConfig,
    pub quota: RetryPartition,
    pub timeouts: TimeoutConfig,
}

impl RetryPolicy {
    /// Attempts for one request. Lambda freezes the environment between deliveries and AWS closes idle connections
    /// meanwhile, so the first attempt after that may meet a reset connection.
    const ATTEMPTS: u32 = 3;

    /// A policy whose attempts fit into `deadline`.
    pub fn within(deadline: Duration) -> Self {
        let attempt = deadline / Self::ATTEMPTS;
        Self {
            retries: RetryConfig::standard()
                .with_max_attempts(Self::ATTEMPTS)
                .with_initial_backoff(deadline / 20)
                .with_max_backoff(deadline / 5),
            // An outage uses up the SDK's own retry quota, after which a single lost attempt fails the request. Here the
            // deadline bounds the attempts, and an OpenCard query is never delivered again.
            quota: RetryPartition::custom("queue").token_bucket(TokenBucket::unlimited()).build(),
            timeouts: TimeoutConfig::builder()
                .connect_timeout(attempt)
                .operation_attempt_timeout(attempt)
                .build(),
        }
    }
}
