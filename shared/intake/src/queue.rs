//! The joint to a queue, and the message that is put there.

pub mod memory;
pub mod oversize;
mod retry_policy;
pub mod sqs;

use std::fmt;

use letterbox_codec::{Event, Reject};
use sha2::{Digest, Sha256};

/// The largest message that SQS takes, attributes included, in bytes.
pub const LARGEST_MESSAGE: usize = 1024 * 1024;

/// Where events go. `Ok` means that the queue holds the message and will not forget it.
pub trait Queue: Send + Sync + 'static {
    /// The largest message that it takes, in bytes as SQS counts them.
    fn largest(&self) -> usize {
        LARGEST_MESSAGE
    }

    /// Puts one message.
    fn put(&self, message: &Message) -> impl Future<Output = Result<(), QueueError>> + Send;
}

impl<Q: Queue> Queue for std::sync::Arc<Q> {
    fn largest(&self) -> usize {
        Q::largest(self)
    }

    fn put(&self, message: &Message) -> impl Future<Output = Result<(), QueueError>> + Send {
        Q::put(self, message)
    }
}

/// The queue did not take a message. The text is for the operator's log and holds nothing of the message.
#[derive(Debug, PartialEq, Eq)]
pub struct QueueError(pub String);

impl fmt::Display for QueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One message: a CloudEvents object and what lets a consumer filter without parsing it.
#[derive(Clone)]
pub struct Message {
    /// The event's source.
    pub source: String,
    /// The CloudEvents object.
    pub body: String,
    /// Message attributes, all of type String.
    pub attributes: Vec<(&'static str, String)>,
    /// FIFO deduplication id.
    pub deduplication: String,
    /// FIFO group id: events of one subject stay in order.
    pub group: String,
    /// The X-Ray trace that the delivery is part of.
    pub trace: Option<String>,
}

impl fmt::Debug for Message {
    /// Which message it is: what it says is nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} {} bytes)", self.deduplication, self.size())
    }
}

/// A request's X-Ray trace, as the runtime (not the sender) tells it: an extension of the request.
#[derive(Clone, Debug)]
pub struct Trace(pub String);

impl Message {
    /// What the body is.
    pub const CONTENT_TYPE: &str = "application/cloudevents+json";

    /// The message of an event; [`Reject::TooLarge`] if it has more than `largest` bytes.
    pub fn of(event: &Event, largest: usize) -> Result<Self, Reject> {
        let json = event.to_json().map_err(|_| Reject::InvalidJson)?;
        let attributes = [
            ("content-type", Some(Self::CONTENT_TYPE)),
            ("type", Some(event.kind.as_str())),
            ("source", Some(event.source.as_str())),
            ("id", Some(event.id.as_str())),
            ("subject", event.subject.as_deref()),
        ];
        let attributes: Vec<_> = attributes
            .into_iter()
            .filter_map(|(name, value)| value.map(|value| (name, value.to_owned())))
            .collect();
        let group = match &event.subject {
            Some(subject) => format!("{}/{subject}", event.source),
            None => event.source.clone(),
        };
        let message = Self {
            source: event.source.clone(),
            body: escape_noncharacters(json),
            attributes,
            deduplication: fifo_id(&event.id),
            group: fifo_id(&group),
            trace: None,
        };
        if message.size() > largest { Err(Reject::TooLarge { limit: largest }) } else { Ok(message) }
    }

    /// Bytes as SQS counts them: body, and name, type and value of each attribute.
    pub fn size(&self) -> usize {
        let attributes =
            self.attributes.iter().map(|(name, value)| name.len() + "String".len() + value.len());
        self.body.len() + attributes.sum::<usize>()
    }
}

/// SQS refuses these two characters. They can stand only inside a JSON text, where their escapes mean the same.
fn escape_noncharacters(json: String) -> String {
    if json.contains(['\u{fffe}', '\u{ffff}']) {
        return json.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff");
    }
    json
}

/// SQS takes 1 to 128 printable ASCII characters without spaces; anything else is hashed.
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
    fn what_sqs_would_refuse_is_replaced_or_hashed() {
        assert_eq!(escape_noncharacters("\"a\u{ffff}\u{fffe}\"".into()), r#""a\uffff\ufffe""#);
        assert_eq!(fifo_id("/github/default/acme/widget"), "/github/default/acme/widget");
        for text in ["", "a b", "中", &"x".repeat(129)] {
            assert_eq!(fifo_id(text).len(), 64, "{text}");
        }
    }
}
