//! How the attempts of one request to SQS or S3 are spread over its deadline.

use std::time::Duration;

use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_sqs::config::retry::{RetryPartition, TokenBucket};

/// The timeouts and retries of one request.
pub(super) struct RetryPolicy {
    pub retries: RetryConfig,
    pub quota: RetryPartition,
    pub timeouts: TimeoutConfig,
}

impl RetryPolicy {
    /// Attempts for one request. The environment is frozen between deliveries and AWS closes idle connections
    /// meanwhile, so the first attempt after a thaw may meet a reset.
    const ATTEMPTS: u32 = 3;

    /// Attempts that fit into `deadline`.
    pub fn within(deadline: Duration) -> Self {
        let attempt = deadline / Self::ATTEMPTS;
        Self {
            retries: RetryConfig::standard()
                .with_max_attempts(Self::ATTEMPTS)
                .with_initial_backoff(deadline / 20)
                .with_max_backoff(deadline / 5),
            // The SDK's own quota is used up by an outage, and then the next lost attempt is the last one. Here the
            // deadline bounds them, and for an OpenCard query there is no second delivery.
            quota: RetryPartition::custom("queue").token_bucket(TokenBucket::unlimited()).build(),
            timeouts: TimeoutConfig::builder()
                .connect_timeout(attempt)
                .operation_attempt_timeout(attempt)
                .build(),
        }
    }
}
