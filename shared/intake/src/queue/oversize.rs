//! Events that are too large for SQS: their body is stored in S3, and the queue message contains a pointer to it.
//!
//! The pointer has the format of the [Amazon SQS Extended Client Library][library], so its clients read such a message
//! like any other.
//!
//! [library]: https://github.com/awslabs/amazon-sqs-java-extended-client-lib

use aws_config::SdkConfig;
use aws_sdk_s3::{Client, config::Builder, operation::put_object::PutObjectOutput, primitives::ByteStream};
use base64::{Engine, engine::general_purpose::STANDARD};
use md5::Md5;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Message, QueueError, retry_policy::RetryPolicy};
use crate::aws::{ResponseLimit, describe};

/// The bucket for large events, and the size above which an event is large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oversize {
    /// The bucket's name.
    pub bucket: String,
    /// The largest message that is put on the queue without the bucket, in bytes as SQS counts them.
    pub threshold: usize,
}

/// The content of the queue message in place of the event.
pub(super) struct Pointer {
    /// The pointer as JSON, in the library's format.
    pub body: String,
    /// The size of the stored body, in bytes.
    pub size: usize,
}

impl Pointer {
    /// The library's Java class, by which its readers recognise a pointer.
    const CLASS: &str = "software.amazon.payloadoffloading.PayloadS3Pointer";
    /// The message attribute, a `Number`, by which its readers recognise a message with a pointer.
    pub const ATTRIBUTE: &str = "ExtendedPayloadSize";
}

/// A client of the bucket that stores the bodies of large messages.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    client: Client,
    name: String,
    threshold: usize,
}

impl Bucket {
    /// Creates a client whose attempts follow `retry_policy`.
    pub fn new(
        config: &SdkConfig,
        Oversize { bucket, threshold }: Oversize,
        retry_policy: &RetryPolicy,
    ) -> Self {
        let config = Builder::from(config)
            .retry_config(retry_policy.retries.clone())
            .retry_partition(retry_policy.quota.clone())
            .timeout_config(retry_policy.timeouts.clone())
            .interceptor(ResponseLimit::CONFIRMATION)
            .build();
        Self { client: Client::from_conf(config), name: bucket, threshold }
    }

    /// True if the message is large.
    pub fn takes(&self, message: &Message) -> bool {
        message.size() > self.threshold
    }

    /// Stores the body under a random key. Every delivery gets its own object, because the library's readers delete the
    /// object together with the message.
    pub async fn store(&self, message: &Message) -> Result<Pointer, QueueError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| QueueError(error.to_string()))?;
        let key = format!("{}/{}", message.source.trim_start_matches('/'), hex::encode(random));
        let sha256 = STANDARD.encode(Sha256::digest(&message.body));
        let stored = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(&key)
            .content_type(Message::CONTENT_TYPE)
            .checksum_sha256(&sha256)
            .body(ByteStream::from(message.body.clone().into_bytes()))
            .send()
            .await
            .map_err(|error| QueueError(format!("S3: {}", describe(&error))))?;
        confirm(&stored, &sha256, &message.body)?;
        let body = json!([Pointer::CLASS, { "s3BucketName": self.name, "s3Key": key }]).to_string();
        Ok(Pointer { body, size: message.body.len() })
    }
}

/// Accepts only a response that proves that S3 stored `body`: a captive proxy responds 200 to every request.
///
/// S3 returns the checksum that it verified. Some S3-compatible servers return none; the `ETag` is then the MD5 of the
/// body, as [S3's own][etag] is for objects that are not encrypted with KMS (documentation of aws-sdk-s3 1.157).
///
/// [etag]: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
fn confirm(stored: &PutObjectOutput, sha256: &str, body: &str) -> Result<(), QueueError> {
    let is_stored = match (stored.checksum_sha256(), stored.e_tag()) {
        (Some(checksum), _) => checksum == sha256,
        (None, Some(tag)) => tag.trim_matches('"').eq_ignore_ascii_case(&hex::encode(Md5::digest(body))),
        (None, None) => false,
    };
    if is_stored {
        return Ok(());
    }
    Err(QueueError("S3: a successful response without the checksum of the object that was sent".into()))
}
