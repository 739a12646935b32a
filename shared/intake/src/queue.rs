//! The interface to a queue, and the queue message.

pub mod memory;
pub mod oversize;
mod replayed;
mod retry_policy;
pub mod sqs;

use std::{fmt, pin::Pin};

use letterbox_codec::{Event, Reject, reject::JsonPart};
use sha2::{Digest, Sha256};

/// The largest message that SQS accepts, in bytes, attributes included.
pub const LARGEST_MESSAGE: usize = 1024 * 1024;

/// The result of [`Queue::put`], once it is there.
pub type Put<'a> = Pin<Box<dyn Future<Output = Result<(), QueueError>> + Send + 'a>>;

/// A queue for events. Used as `dyn Queue`, so that nothing that handles deliveries depends on which queue it is.
pub trait Queue: Send + Sync + 'static {
    /// The largest message that the queue accepts, in bytes as SQS counts them.
    fn largest(&self) -> usize {
        LARGEST_MESSAGE
    }

    /// Puts one message on the queue. `Ok` means that the queue has stored it durably.
    fn put<'a>(&'a self, message: &'a Message) -> Put<'a>;
}

/// The queue did not accept a message. The text is for the operator's log and contains nothing of the message.
#[derive(Debug, PartialEq, Eq)]
pub struct QueueError(pub String);

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One queue message: a CloudEvents object, and attributes by which a consumer can filter without parsing it.
#[derive(Clone)]
pub struct Message {
    /// The event's source.
    pub source: String,
    /// The CloudEvents object.
    pub body: String,
    /// Message attributes, all of type `String`.
    pub attributes: Vec<(&'static str, String)>,
    /// FIFO deduplication id.
    pub deduplication: String,
    /// FIFO group id: events of one subject stay in order.
    pub group: String,
    /// The X-Ray trace header of the delivery.
    pub trace: Option<String>,
}

impl fmt::Debug for Message {
    /// Prints only the deduplication id and the size: the content may be personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} {} bytes)", self.deduplication, self.size())
    }
}

/// What of an event becomes attributes of its message.
#[derive(Clone, Copy)]
struct Filterable<'a> {
    kind: &'a str,
    source: &'a str,
    id: &'a str,
    subject: Option<&'a str>,
}

/// The X-Ray trace header of a request, as an extension of it. It comes from the Lambda runtime, not from the sender.
#[derive(Clone, Debug)]
pub struct Trace(pub String);

impl Message {
    /// The media type of the body.
    pub const CONTENT_TYPE: &str = "application/cloudevents+json";

    /// Creates the message of an event, or [`Reject::TooLarge`] if it has more than `largest` bytes.
    pub fn of(event: &Event, largest: usize) -> Result<Self, Reject> {
        let json = event.to_json().map_err(|_| Reject::InvalidJson(JsonPart::Payload))?;
        let message = Self::new(
            Filterable {
                kind: &event.kind,
                source: &event.source,
                id: &event.id,
                subject: event.subject.as_deref(),
            },
            json,
        );
        if message.size() > largest { Err(Reject::TooLarge { limit: largest }) } else { Ok(message) }
    }

    /// The message with these attributes and this body.
    fn new(Filterable { kind, source, id, subject }: Filterable<'_>, json: String) -> Self {
        let attributes = [
            ("content-type", Some(Self::CONTENT_TYPE)),
            ("type", Some(kind)),
            ("source", Some(source)),
            ("id", Some(id)),
            ("subject", subject),
        ];
        let attributes: Vec<_> = attributes
            .into_iter()
            .filter_map(|(name, value)| value.map(|value| (name, value.to_owned())))
            .collect();
        let group = match subject {
            Some(subject) => format!("{source}/{subject}"),
            None => source.to_owned(),
        };
        Self {
            source: source.to_owned(),
            body: escape_noncharacters(json),
            attributes,
            deduplication: fifo_id(id),
            group: fifo_id(&group),
            trace: None,
        }
    }

    /// The size in bytes as SQS counts it: body, and name, type and value of each attribute.
    pub fn size(&self) -> usize {
        let attributes =
            self.attributes.iter().map(|(name, value)| name.len() + "String".len() + value.len());
        self.body.len() + attributes.sum::<usize>()
    }
}

/// Escapes the two characters that SQS rejects. In JSON they can appear only in strings, where an escape means the same.
fn escape_noncharacters(json: String) -> String {
    // Each by itself: a search for one character skips through the bytes, one for several decodes every character.
    if json.contains('\u{fffe}') || json.contains('\u{ffff}') {
        return json.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff");
    }
    json
}

/// Returns `text` if SQS accepts it as an id (1 to 128 printable ASCII characters without spaces), else its SHA-256.
fn fifo_id(text: &str) -> String {
    if (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        text.to_owned()
    } else {
        hex::encode(Sha256::digest(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sqs_would_reject_is_escaped_or_hashed() {
        assert_eq!(escape_noncharacters("\"a\u{ffff}\u{fffe}\"".into()), r#""a\uffff\ufffe""#);
        assert_eq!(fifo_id("/github/default/acme/widget"), "/github/default/acme/widget");
        for text in ["", "a b", "中", &"x".repeat(129)] {
            assert_eq!(fifo_id(text).len(), 64, "{text}");
        }
    }
}
