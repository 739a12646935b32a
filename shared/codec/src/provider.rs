//! The joint between a protocol and the shell that runs it.

use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::{Ambient, Event, Reject};

/// One request with the exact bytes that were signed. Its URI is absolute: the URL that the platform called, as far
/// as the gateway tells.
pub type Request = http::Request<Bytes>;

/// One registered webhook and the keys that may open its letters.
pub struct Source<'a, C> {
    /// [`Provider::NAME`].
    pub provider: &'static str,
    /// The source's name in the route and in the credentials.
    pub name: &'a str,
    /// Never empty; more than one while keys rotate.
    pub keys: &'a [C],
}

/// A file that a provider answers from.
pub struct Document {
    /// The environment variable that says where it is.
    pub variable: &'static str,
    /// Its name beside the binary, where the variable is not set.
    pub file: &'static str,
    /// What is used where neither is there.
    pub sample: &'static [u8],
}

/// One platform's protocol. Pure: everything comes in as an argument.
pub trait Provider: Sized + Send + Sync + 'static {
    /// Folder, crate, binary, route, template block and sample folder share this name.
    const NAME: &'static str;
    /// The whole answer, queue included, is inside this time, unless the operator sets another.
    const DEADLINE: Duration;
    /// The largest body that can be a letter of this platform, in bytes.
    const MAX_BODY: usize = 6 * 1024 * 1024;
    /// The file it answers from, if any.
    const DOCUMENT: Option<Document> = None;
    /// One entry of a source's credentials. Its deserializer refuses what could never verify.
    type Credentials: DeserializeOwned + Send + Sync;

    /// The deadline that an entry's sender imposes, if it is to have the response within its own timeout. The earliest of
    /// this, [`Provider::DEADLINE`] and the operator's setting applies. `None`: the sender imposes none.
    fn deadline(_key: &Self::Credentials) -> Option<Duration> {
        None
    }

    /// Reads the [`Document`] (empty where the provider has none). The error says where in it and what to do.
    fn new(document: &[u8]) -> Result<Self, String>;

    /// Opens one letter: verify, decrypt, parse; the event for the queue, and the platform's own answer.
    fn receive(
        &self,
        source: &Source<'_, Self::Credentials>,
        request: &Request,
        ambient: &Ambient,
    ) -> Result<Received, Refused>;

    /// The platform's own words for a refusal.
    fn refuse(reject: &Reject) -> Reply {
        Reply::error(reject.status(), &reject.message())
    }
}

/// An opened letter: what goes on the queue, and the answer, which only [`Received::settle`] gives out.
#[derive(Debug)]
pub struct Received {
    event: Option<Event>,
    reply: Reply,
    reply_is_delivery: bool,
    /// Which of the source's keys opened it, by position.
    pub key: usize,
    /// A word for the log about an answer that has outcomes of its own (OpenCard's status).
    pub remark: Option<&'static str>,
    /// The platform's id of this delivery, for the log.
    pub delivery: Option<String>,
}

/// What became of an opened letter.
#[derive(Debug)]
pub struct Settled<E> {
    /// Whether the queue has the event; `Ok` where there was none.
    pub put: Result<(), E>,
    /// The answer, if the platform may have it.
    pub reply: Option<Reply>,
}

impl Received {
    /// A handshake: an answer and nothing for the queue.
    pub fn handshake(reply: Reply, key: usize) -> Self {
        Self { event: None, reply, reply_is_delivery: false, key, remark: None, delivery: None }
    }

    /// An event, and the acknowledgement that the platform gets once the queue has it.
    pub fn event(event: Event, reply: Reply, key: usize) -> Self {
        let delivery = event.delivery.clone();
        Self { event: Some(event), reply, reply_is_delivery: false, key, remark: None, delivery }
    }

    /// A query: its answer is what the platform called for, and is sent even if the queue did not take the event.
    pub fn query(event: Option<Event>, reply: Reply, key: usize) -> Self {
        Self { event, reply, reply_is_delivery: true, key, remark: None, delivery: None }
    }

    /// What is to go on the queue.
    pub fn queued_event(&self) -> Option<&Event> {
        self.event.as_ref()
    }

    /// Puts first, answers then: the only way to the reply.
    pub async fn settle<F, E>(self, put: impl FnOnce() -> F) -> Settled<E>
    where
        F: Future<Output = Result<(), E>>,
    {
        let put = match self.event {
            Some(_) => put().await,
            None => Ok(()),
        };
        let reply = (put.is_ok() || self.reply_is_delivery).then_some(self.reply);
        Settled { put, reply }
    }
}

/// A letter that was not opened.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reject: Reject,
    /// The platform's id of this delivery, as far as it was readable; not verified, for the log alone.
    pub delivery: Option<String>,
    /// Which of the source's keys verified it, by position, where it is the payload that is refused.
    pub key: Option<usize>,
}

impl Refused {
    /// A letter whose payload is refused, although that key verified it.
    pub fn payload(reject: Reject, key: usize) -> Self {
        Self { key: Some(key), ..reject.into() }
    }
}

impl From<Reject> for Refused {
    fn from(reject: Reject) -> Self {
        Self { reject, delivery: None, key: None }
    }
}

/// An answer in the platform's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `content-type`; none for an empty body.
    pub content_type: Option<&'static str>,
    /// The body.
    pub body: String,
}

impl Reply {
    /// A JSON answer.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self { status, content_type: Some("application/json"), body: body.to_string() }
    }

    /// `{"error": "..."}`.
    pub fn error(status: u16, error: &str) -> Self {
        Self::json(status, &serde_json::json!({ "error": error }))
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, content_type: None, body: String::new() }
    }
}
