//! Amazon SQS.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::{
    Client,
    config::Builder,
    types::{
        MessageAttributeValue, MessageSystemAttributeNameForSends::AwsTraceHeader,
        MessageSystemAttributeValue,
    },
};

use super::{
    LARGEST_MESSAGE, Message, Queue, QueueError,
    oversize::{Bucket, Oversize, Pointer},
    retry_policy::RetryPolicy,
};
use crate::aws::describe;

/// One SQS queue over a connection that is kept open, and perhaps a bucket for what is too large for it.
#[derive(Clone, Debug)]
pub struct Sqs {
    client: Client,
    url: String,
    fifo: bool,
    bucket: Option<Bucket>,
}

impl Sqs {
    /// The longest that opening the connection may hold up the start; and a quarter of the deadline at most, since
    /// the first delivery is waiting.
    const WARM_UP: Duration = Duration::from_secs(1);

    /// Prepares a client whose attempts fit into `deadline`, and opens the connection.
    pub async fn connect(
        config: &SdkConfig,
        url: String,
        oversize: Option<Oversize>,
        deadline: Duration,
    ) -> Self {
        let patience = RetryPolicy::within(deadline);
        let bucket = oversize.map(|oversize| Bucket::new(config, oversize, &patience));
        let config = Builder::from(config)
            .retry_config(patience.retries)
            .retry_partition(patience.quota)
            .timeout_config(patience.timeouts)
            .build();
        // SQS demands this ending of FIFO queues, in this case.
        let fifo = url.rsplit_once('.').is_some_and(|(_, ending)| ending == "fifo");
        let sqs = Self { client: Client::from_conf(config), url, fifo, bucket };
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

/// A message attribute. Types are those of SQS: `String`, `Number`.
fn attribute(kind: &str, value: impl Into<String>) -> Result<MessageAttributeValue, QueueError> {
    let value = MessageAttributeValue::builder().data_type(kind).string_value(value).build();
    value.map_err(|error| QueueError(error.to_string()))
}

impl Queue for Sqs {
    fn largest(&self) -> usize {
        if self.bucket.is_some() { usize::MAX } else { LARGEST_MESSAGE }
    }

    async fn put(&self, message: &Message) -> Result<(), QueueError> {
        let mut request = self.client.send_message().queue_url(&self.url);
        for (name, value) in &message.attributes {
            request = request.message_attributes(*name, attribute("String", value)?);
        }
        request = match self.bucket.as_ref().filter(|bucket| bucket.takes(message)) {
            None => request.message_body(&message.body),
            Some(bucket) => {
                // Boxed, so that the many small messages do not carry the room for it.
                let Pointer { body, size } = Box::pin(bucket.store(message)).await?;
                let size = attribute("Number", size.to_string())?;
                request.message_body(body).message_attributes(Pointer::ATTRIBUTE, size)
            }
        };
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
