//! How long and how often a request to SQS or S3 is attempted.

use std::time::Duration;

use aws_config::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_sqs::{
    config::{
        http::HttpResponse,
        interceptors::InterceptorContext,
        retry::{ClassifyRetry, RetryAction, RetryPartition, TokenBucket},
    },
    error::ProvideErrorMetadata,
    operation::send_message::{SendMessageError, SendMessageOutput},
};

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

/// Repeats a request to send a message if the response is not SQS's, or if SQS found the signature too old or too new.
///
/// The SDK repeats a request after an error of SQS, of the connection, or of its own clock. It takes any other server's response
/// for final. And it signs with the time of the last response: after a jump of the clock that is wrong once, and SQS's error
/// then has the time for the next signature.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unanswered;

impl Unanswered {
    /// The codes of a signature that is too old or too new: that of SQS's [common errors] (read 2026-11-27), and those for which
    /// the SDK looks at its clock. Some also mean a wrong key, which further attempts do not change.
    ///
    /// [common errors]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
    const SKEWED: [&str; 4] =
        ["RequestExpired", "InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed"];

    /// True if another attempt has the right signature: its time is that of this response.
    fn is_skewed(context: &InterceptorContext, code: &str) -> bool {
        let is_dated = |response: &HttpResponse| response.headers().contains_key("date");
        Self::SKEWED.contains(&code) && context.response().is_some_and(is_dated)
    }
}

impl ClassifyRetry for Unanswered {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let is_unanswered = match context.output_or_error() {
            None => false,
            Some(Ok(output)) => output.downcast_ref().is_some_and(|sent: &SendMessageOutput| {
                sent.message_id().is_none_or(str::is_empty) || sent.md5_of_message_body().is_none()
            }),
            Some(Err(error)) => {
                let of_service = error.as_operation_error().and_then(|error| error.downcast_ref());
                match of_service.map(SendMessageError::code) {
                    Some(Some(code)) => Self::is_skewed(context, code),
                    // SQS's errors have a code.
                    Some(None) => true,
                    None => error.is_connector_error(),
                }
            }
        };
        if is_unanswered { RetryAction::transient_error() } else { RetryAction::NoActionIndicated }
    }

    fn name(&self) -> &'static str {
        "Unanswered"
    }
}
