//! Where what is too large for SQS goes: S3, and a pointer to it on the queue.
//!
//! The pointer is that of the [Amazon SQS Extended Client Library][library], so that its clients read such a message
//! as any other.
//!
//! [library]: https://github.com/awslabs/amazon-sqs-java-extended-client-lib

use aws_config::SdkConfig;
use aws_sdk_s3::{Client, config::Builder, operation::put_object::PutObjectOutput, primitives::ByteStream};
use base64::{Engine, engine::general_purpose::STANDARD};
use md5::Md5;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Message, QueueError, sqs::Patience};
use crate::aws::{ResponseLimit, describe};

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
    pub fn new(config: &SdkConfig, Oversize { bucket, threshold }: Oversize, patience: &Patience) -> Self {
        let config = Builder::from(config)
            .retry_config(patience.retries.clone())
            .retry_partition(patience.quota.clone())
            .timeout_config(patience.timeouts.clone())
            .interceptor(ResponseLimit::CONFIRMATION)
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
