//! The interface between a protocol and the shell that runs it.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};

use crate::{
    Ambient, Event, Reject, Source, Timestamp,
    credentials::FromEntry,
    fetch::HttpsUrl,
    stage::{Rejected, Stage},
};

/// One request with the exact bytes that were signed. Its URI is absolute: the URL that the platform called, as the
/// gateway reports it.
pub type Request = http::Request<Bytes>;

/// A file that a provider takes its replies from.
pub struct Document {
    /// The environment variable with its location.
    pub variable: &'static str,
    /// Its name next to the binary, used if the variable is not set.
    pub file: &'static str,
    /// The content that is used if neither exists.
    pub sample: &'static [u8],
    /// The metric that counts failed refreshes.
    pub refresh_failed: &'static str,
}

/// The largest body that a platform may send unless its provider says otherwise, and the largest that a compressed one
/// may unpack to, in bytes. Lambda passes on 6 MB
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>, read 2026-11-26).
pub const MAX_BODY: usize = 6 * 1024 * 1024;

/// The protocol of a platform. It is pure: everything comes in as an argument.
pub trait Provider: Sized + Send + Sync + 'static {
    /// The name of the folder, crate, binary, route, template block and sample folder.
    const NAME: &'static str;
    /// The default time limit for the response, the queue call included.
    const DEADLINE: Duration;
    /// The largest body that the platform sends, in bytes.
    const MAX_BODY: usize = MAX_BODY;
    /// The file that it takes its replies from, if any.
    const DOCUMENT: Option<Document> = None;
    /// The platform's own name for the id of a delivery: a further field of the log line.
    const DELIVERY_FIELD: Option<&'static str> = None;
    /// True if it may need documents from URLs ([`Refused::wanted`]), or asks for requests ([`Received::visit`]). Only then
    /// the function contains an HTTP client for them.
    const FETCHES: bool = false;
    /// One entry of a source's credentials.
    type Credentials: FromEntry + Send + Sync;

    /// The deadline that an entry's sender imposes, if it is to have the response within its own timeout. The earliest of
    /// this, [`Provider::DEADLINE`] and the operator's setting applies. `None`: the sender imposes none.
    fn deadline(_key: &Self::Credentials) -> Option<Duration> {
        None
    }

    /// The methods besides POST whose requests an entry answers: the platform tests the URL with them.
    fn handshake_methods(_key: &Self::Credentials) -> &[Method] {
        &[]
    }

    /// The headers whose value is a secret of the entry. Whoever stores a request leaves the value out.
    fn secret_headers(_key: &Self::Credentials) -> Vec<&str> {
        Vec::new()
    }

    /// The query parameters whose value is a secret of the entry. Whoever stores a request leaves the value out.
    fn secret_parameters(_key: &Self::Credentials) -> Vec<&str> {
        Vec::new()
    }

    /// Creates the provider from its [`Document`], which is empty if it has none. The error names the place in the document
    /// and what was expected.
    fn new(document: &[u8]) -> Result<Self, String>;

    /// Verifies, decrypts and parses one delivery, and returns its event for the queue and the reply to the platform. The
    /// method of the request is POST, or one of the [`Provider::handshake_methods`] of an entry.
    fn receive(
        &self,
        source: &Source<'_, Self::Credentials>,
        request: &Request,
        ambient: &Ambient,
    ) -> Result<Received, Refused>;

    /// The response to a refused delivery.
    fn refuse(reject: &Reject) -> Reply {
        Reply::error(reject.status(), &reject.message())
    }

    /// The response to a delivery that could not be processed now, such as one whose event the queue did not accept. The
    /// shell sets its status, 503.
    fn unavailable(message: &str) -> Reply {
        Reply::error(503, message)
    }
}

/// An accepted delivery: the event for the queue, and the reply, which only [`Received::settle`] returns.
#[derive(Debug)]
pub struct Received {
    event: Option<Event>,
    reply: Reply,
    reply_is_delivery: bool,
    /// The position of the credential entry that verified it.
    pub key: usize,
    /// A code for the log, if the reply has outcomes of its own (OpenCard's status).
    pub remark: Option<&'static str>,
    /// The platform's id of this delivery, for the log.
    pub delivery: Option<String>,
    /// A URL that the shell calls with GET once the queue has accepted the event. What comes of it does not change the
    /// reply. Only of a provider that [fetches](Provider::FETCHES).
    pub visit: Option<HttpsUrl>,
}

/// An accepted delivery after the queue call.
#[derive(Debug)]
pub struct Settled<E> {
    /// The result of the queue call; `Ok` if there was no event.
    pub put: Result<(), E>,
    /// The reply, if it may be sent.
    pub reply: Option<Reply>,
}

impl Received {
    /// A handshake: a reply and no event.
    pub fn handshake(reply: Reply, key: usize) -> Self {
        Self { event: None, reply, reply_is_delivery: false, key, remark: None, delivery: None, visit: None }
    }

    /// An event, and the acknowledgement that is sent once the queue has accepted the event.
    pub fn event(event: Event, reply: Reply, key: usize) -> Self {
        let delivery = event.delivery.clone();
        Self { event: Some(event), reply, reply_is_delivery: false, key, remark: None, delivery, visit: None }
    }

    /// A query: its reply is what the platform asked for, and is sent even if the queue did not accept the event.
    pub fn query(event: Option<Event>, reply: Reply, key: usize) -> Self {
        Self { event, reply, reply_is_delivery: true, key, remark: None, delivery: None, visit: None }
    }

    /// The same for a delivery that is replayed at that time: its event says so.
    #[must_use]
    pub fn replayed(mut self, at: Timestamp) -> Self {
        if let Some(event) = &mut self.event {
            event.replayed = Some(at.to_string());
        }
        self
    }

    /// The event for the queue; `None` for a handshake or a query that is not an event.
    pub fn queued_event(&self) -> Option<&Event> {
        self.event.as_ref()
    }

    /// Runs `put` if there is an event, and returns the reply only if that succeeded (for a query, in any case). Nothing else
    /// returns the reply.
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

/// A refused delivery.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// The reason.
    pub reject: Reject,
    /// The stage that it did not pass.
    pub stage: Stage,
    /// The platform's id of this delivery, if it could be read. It is not verified, and only for the log.
    pub delivery: Option<String>,
    /// The position of the credential entry that verified it, if only its payload is refused.
    pub key: Option<usize>,
    /// The document without which the delivery cannot be verified; the provider has checked that its URL is one of the
    /// platform's. The shell may fetch it and hand the request in again, with [`Fetched`](crate::fetch::Fetched) among its
    /// extensions. Only of a provider that [fetches](Provider::FETCHES).
    pub wanted: Option<HttpsUrl>,
}

impl Refused {
    /// Refuses the payload of a delivery that the entry at `key` verified.
    pub fn payload(reject: Reject, key: usize) -> Self {
        Self { key: Some(key), ..reject.at(Stage::Payload).into() }
    }
}

impl From<Rejected> for Refused {
    fn from(Rejected { reject, stage }: Rejected) -> Self {
        Self { reject, stage, delivery: None, key: None, wanted: None }
    }
}

/// The response to a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The `content-type`; `None` for an empty body.
    pub content_type: Option<Cow<'static, str>>,
    /// Further headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: String,
}

impl Reply {
    /// A response with a body of that media type.
    pub fn new(status: u16, content_type: impl Into<Cow<'static, str>>, body: String) -> Self {
        Self { status, content_type: Some(content_type.into()), headers: Vec::new(), body }
    }

    /// A response with a JSON body.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// A response with plain text.
    pub fn text(status: u16, body: String) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body)
    }

    /// A response with the body `{"error": "..."}`.
    pub fn error(status: u16, error: &str) -> Self {
        Self::json(status, &serde_json::json!({ "error": error }))
    }

    /// A response without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, content_type: None, headers: Vec::new(), body: String::new() }
    }

    /// The same with another header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}
