//! Where what is too large for SQS goes: S3, and a pointer to it on the queue.
//!
//! The pointer is that of the [Amazon SQS Extended Client Library][library], so that its clients read such a message
//! as any other.
//!
//! [library]: https://github.com/awslabs/amazon-sqs-java-extended-client-lib

use aws_config::SdkConfig;
use aws_sdk_s3::{Client, config::Builder, primitives::ByteStream};
use serde_json::json;

use super::{Message, QueueError, retry_policy::RetryPolicy};
use crate::aws::describe;

/// The bucket, and from which size on a message goes there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oversize {
    /// The bucket's name.
    pub bucket: String,
    /// The largest message that still goes onto the queue itself, in bytes as SQS counts them.
    pub threshold: usize,
}

/// What stands on the queue instead of a body.
pub(super) struct Pointer {
    /// The pointer, as the library writes it.
    pub body: String,
    /// Bytes of the body that it points to.
    pub size: usize,
}

impl Pointer {
    /// The library's class, which is what its readers look for.
    const CLASS: &str = "software.amazon.payloadoffloading.PayloadS3Pointer";
    /// The message attribute, a Number, that tells its readers that there is a pointer.
    pub const ATTRIBUTE: &str = "ExtendedPayloadSize";
}

/// A bucket that takes the bodies of large messages.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    client: Client,
    name: String,
    threshold: usize,
}

impl Bucket {
    pub fn new(config: &SdkConfig, Oversize { bucket, threshold }: Oversize, patience: &RetryPolicy) -> Self {
        let config = Builder::from(config)
            .retry_config(patience.retries.clone())
            .retry_partition(patience.quota.clone())
            .timeout_config(patience.timeouts.clone())
            .build();
        Self { client: Client::from_conf(config), name: bucket, threshold }
    }

    pub fn takes(&self, message: &Message) -> bool {
        message.size() > self.threshold
    }

    /// Stores the body. Every delivery has an object of its own, since the library's readers delete it with the message.
    pub async fn store(&self, message: &Message) -> Result<Pointer, QueueError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| QueueError(error.to_string()))?;
        let key = format!("{}/{}", message.source.trim_start_matches('/'), hex::encode(random));
        self.client
            .put_object()
            .bucket(&self.name)
            .key(&key)
            .content_type(Message::CONTENT_TYPE)
            .body(ByteStream::from(message.body.clone().into_bytes()))
            .send()
            .await
            .map_err(|error| QueueError(format!("S3: {}", describe(&error))))?;
        let body = json!([Pointer::CLASS, { "s3BucketName": self.name, "s3Key": key }]).to_string();
        Ok(Pointer { body, size: message.body.len() })
    }
}
