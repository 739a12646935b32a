//! Amazon SQS.

use std::time::Duration;

use aws_config::{SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_sqs::{
    Client,
    config::Builder,
    types::{
        MessageAttributeValue, MessageSystemAttributeNameForSends::AwsTraceHeader,
        MessageSystemAttributeValue,
    },
};

use super::{Message, Queue, QueueError};
use crate::aws::describe;

/// One SQS queue over a connection that is kept open.
#[derive(Clone, Debug)]
pub struct Sqs {
    client: Client,
    url: String,
    fifo: bool,
}

impl Sqs {
    /// Attempts for one message. The environment is frozen between deliveries and SQS closes idle connections
    /// meanwhile, so the first attempt after a thaw may meet a reset.
    const ATTEMPTS: u32 = 3;

    /// The longest that opening the connection may hold up the start; and a quarter of the deadline at most, since
    /// the first delivery is waiting.
    const WARM_UP: Duration = Duration::from_secs(1);

    /// Prepares a client whose attempts fit into `deadline`, and opens the connection.
    pub async fn connect(config: &SdkConfig, url: String, deadline: Duration) -> Self {
        let attempt = deadline / Self::ATTEMPTS;
        let config = Builder::from(config)
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(Self::ATTEMPTS)
                    .with_initial_backoff(deadline / 20)
                    .with_max_backoff(deadline / 5),
            )
            .timeout_config(
                TimeoutConfig::builder().connect_timeout(attempt).operation_attempt_timeout(attempt).build(),
            )
            .build();
        // SQS demands this ending of FIFO queues, in this case.
        let fifo = url.rsplit_once('.').is_some_and(|(_, ending)| ending == "fifo");
        let sqs = Self { client: Client::from_conf(config), url, fifo };
        sqs.warm_up(Self::WARM_UP.min(deadline / 4)).await;
        sqs
    }

    /// Opens the connection. A role that may only send is refused here, and the connection is open all the same; a
    /// queue that is down is told by the first delivery.
    async fn warm_up(&self, limit: Duration) {
        let request = self.client.get_queue_attributes().queue_url(&self.url).send();
        let _ = tokio::time::timeout(limit, request).await;
    }
}

impl Queue for Sqs {
    async fn put(&self, message: &Message) -> Result<(), QueueError> {
        let mut request = self.client.send_message().queue_url(&self.url).message_body(&message.body);
        for (name, value) in &message.attributes {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            request =
                request.message_attributes(*name, value.map_err(|error| QueueError(error.to_string()))?);
        }
        if let Some(trace) = &message.trace {
            let value =
                MessageSystemAttributeValue::builder().data_type("String").string_value(trace).build();
            let value = value.map_err(|error| QueueError(error.to_string()))?;
            request = request.message_system_attributes(AwsTraceHeader, value);
        }
        if self.fifo {
            request =
                request.message_group_id(&message.group).message_deduplication_id(&message.deduplication);
        }
        request.send().await.map(drop).map_err(|error| QueueError(describe(&error)))
    }
}
