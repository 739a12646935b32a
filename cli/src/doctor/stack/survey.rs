//! What was read of a stack, as plain data.

use std::time::Duration;

use super::probe::{Expected, Kind};
use crate::stack::{AwsError, Stack};

/// What was read, or why it could not be.
pub type Read<T> = Result<T, AwsError>;

/// The names of the sources of a secret and the number of their entries, or why the function would not accept it.
pub type Sources = Result<Vec<(String, usize)>, String>;

/// Everything that was read of a stack. It contains no secret.
#[derive(Debug, Default)]
pub struct Survey {
    /// What `CloudFormation` reports.
    pub stack: Stack,
    /// True if the calls went to an endpoint other than AWS's.
    pub is_emulated: bool,
    /// The providers that are on.
    pub providers: Vec<ProviderFacts>,
    /// The queue; `None` if the stack names none.
    pub queue: Option<Read<Option<QueueFacts>>>,
    /// The dead-letter queue that the stack created, if it did.
    pub dead_letters: Option<Read<Option<QueueFacts>>>,
    /// What `CloudWatch` recorded of the queues; `None` if there is no queue to ask for.
    pub activity: Option<Read<Activity>>,
    /// The subscriptions of the alarms' topic, if there are alarms; the inner `None` is a topic that does not exist.
    pub alarms: Option<Read<Option<Subscriptions>>>,
    /// The archive, if the stack has one.
    pub archive: Option<ArchiveFacts>,
    /// The account's quota of concurrent executions of Lambda functions in the region. `None` if an emulator has none.
    pub concurrency: Option<Read<u32>>,
    /// The certificate of the stack's own domain, if it has one.
    pub certificate: Option<CertificateFacts>,
    /// True if no probe was to be sent.
    pub is_unprobed: bool,
}

/// What was read of one provider.
#[derive(Debug)]
pub struct ProviderFacts {
    /// Its name.
    pub name: &'static str,
    /// The ARN of the secret with its credentials.
    pub secret_id: String,
    /// The sources and the number of their entries, or why the function would not accept the credentials; `None` if there
    /// is no such secret.
    pub secret: Read<Option<Sources>>,
    /// The file with its replies, if it has one.
    pub document: Option<DocumentFacts>,
    /// Its probes, one per source.
    pub probes: Vec<Probed>,
}

/// What was read of a provider's file.
#[derive(Debug)]
pub struct DocumentFacts {
    /// The file, such as `s3://bucket/cards.json`; empty if the stack names none.
    pub place: String,
    /// Whether the function would accept it; `None` if there is no such file.
    pub content: Read<Option<Result<(), String>>>,
}

/// What SQS reports of a queue.
#[derive(Clone, Debug, Default)]
pub struct QueueFacts {
    /// Messages that wait.
    pub waiting: u64,
    /// Messages that a consumer has received and not deleted.
    pub in_flight: u64,
    /// Seconds that a received message stays hidden.
    pub visibility_timeout: u64,
    /// Seconds that a message is kept.
    pub retention: u64,
    /// The ARN of its dead-letter queue, and the number of receives after which a message goes there.
    pub redrive: Option<(String, u64)>,
    /// True if it is encrypted at rest.
    pub is_encrypted: bool,
}

/// What `CloudWatch` recorded of the queues in the last hours. `None` where it has no data.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    /// The age of the queue's oldest message.
    pub oldest: Option<Duration>,
    /// The age of the dead-letter queue's oldest message.
    pub oldest_dead_letter: Option<Duration>,
    /// How often a consumer asked for messages.
    pub receives: Option<u64>,
}

/// What was read of the archive.
#[derive(Debug)]
pub struct ArchiveFacts {
    /// The name of its bucket.
    pub bucket: String,
    /// True if that exists.
    pub has_bucket: Read<bool>,
    /// What `CloudWatch` recorded of it in the last hours.
    pub activity: Read<ArchiveActivity>,
}

/// What `CloudWatch` recorded of an archive.
#[derive(Clone, Debug, Default)]
pub struct ArchiveActivity {
    /// Deliveries that could not be archived.
    pub failed: u64,
    /// Refused deliveries that were too many.
    pub skipped: u64,
    /// The age of the oldest record that is not in the bucket; `None` if there is no data.
    pub oldest: Option<Duration>,
}

/// The subscriptions of a topic.
#[derive(Clone, Copy, Debug)]
pub struct Subscriptions {
    /// That receive the alarms.
    pub confirmed: u64,
    /// That wait for their confirmation.
    pub pending: u64,
}

/// What was read of a domain's certificate.
#[derive(Debug)]
pub struct CertificateFacts {
    /// The domain.
    pub domain: String,
    /// Until when it is valid, in whole days from now; negative if it has expired. The error says why it was not read.
    pub days_left: Result<i64, String>,
}

/// A probe, and what came of it.
#[derive(Debug)]
pub struct Probed {
    /// The source.
    pub source: String,
    /// The URL.
    pub url: String,
    /// What was sent, and the response. The error says why nothing could be built to send.
    pub result: Result<(Kind, Expected, Response), String>,
}

/// What came back.
#[derive(Debug)]
pub enum Response {
    /// Nothing: the reason.
    Nothing(String),
    /// A response.
    Answered {
        /// Its status.
        status: u16,
        /// The start of its body.
        body: String,
        /// Why the platform would not accept it, if it would not.
        rejected: Option<String>,
        /// Until its last byte.
        took: Duration,
        /// How long the platform waits, if it says so.
        timeout: Option<Duration>,
        /// The time in its header `Date`, minus that of this machine, in seconds.
        skew: Option<i64>,
    },
}
