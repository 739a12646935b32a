//! One delivery: receive, put, reply, in this order and no other.

use std::{fmt, time::Duration};

use http::{HeaderValue, Method, Response, header};
use letterbox_codec::{
    Ambient, Provider, Received, Reject, Reply, Request, Source,
    provider::{Refused, Settled},
};
use tokio::time::Instant;

use crate::{
    Keyring, Message, Queue, QueueError, Renewed, Sources, ambient,
    queue::Trace,
    renewed::{Occasion, Renewal},
};

/// A provider with its keys and its queue: everything that a delivery needs.
pub struct Intake<P: Provider, Q> {
    provider: Renewed<P>,
    keyring: Keyring<P::Credentials>,
    queue: Q,
    deadline: Duration,
    ambient: AmbientSource,
}

/// Where a delivery's clock and entropy come from.
pub type AmbientSource = fn() -> Result<Ambient, getrandom::Error>;

/// What the platform gets, and what the operator reads about it.
#[derive(Debug)]
pub struct Answer {
    /// For the platform.
    pub response: Response<String>,
    /// For the operator.
    pub record: Record,
    /// What was put on the queue, or was to be.
    pub message: Option<Message>,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The queue has the event.
    Queued,
    /// Answered; there was nothing to queue.
    Answered,
    /// Answered with a 4xx.
    Refused,
    /// The queue did not take the event: answered with 503, so that the platform comes again.
    Failed,
    /// The queue did not take the event, and the reply, being what the platform called for, was sent all the same.
    Unqueued,
}

impl Outcome {
    /// A stable word for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unqueued => "unqueued",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The facts of one delivery, without payload, secrets or signatures.
#[derive(Clone, Debug)]
pub struct Record {
    /// [`Provider::NAME`].
    pub provider: &'static str,
    /// The source in the route.
    pub source: String,
    /// Whether that is one of the credentials', and not made up by whoever called.
    pub known: bool,
    /// The event's type.
    pub kind: Option<String>,
    /// The event's id.
    pub id: Option<String>,
    /// The platform's id of the delivery (OpenCard's `rid`, GitHub's GUID).
    pub delivery: Option<String>,
    /// Which of the source's keys opened it, by position; it may be refused all the same, for its payload.
    pub key: Option<usize>,
    /// Whether the source has more keys than that one.
    pub rotating: bool,
    /// What became of it.
    pub outcome: Outcome,
    /// A stable word for why: a refusal's code, or the provider's remark.
    pub reason: Option<&'static str>,
    /// The operator's detail: which field was expected to be what, or what the queue said.
    pub detail: Option<String>,
    /// HTTP status.
    pub status: u16,
    /// From the request's arrival to the answer.
    pub milliseconds: f64,
    /// Of these, what the queue took; none if it was not asked.
    pub queue_milliseconds: Option<f64>,
    /// Whether newer credentials were looked for, and what came of it.
    pub credentials: Renewal,
    /// The same of the provider's document.
    pub document: Renewal,
}

/// Of the deadline, what the answer needs once the queue has spoken or has not.
const FOR_THE_ANSWER: Duration = Duration::from_millis(50);

/// A sender may name any source: that much of an unknown one is logged, in characters.
const LOGGED_SOURCE: usize = 64;

impl Record {
    pub(crate) fn new(provider: &'static str, source: &str) -> Self {
        Self {
            provider,
            source: source.chars().take(LOGGED_SOURCE).collect(),
            known: false,
            kind: None,
            id: None,
            delivery: None,
            key: None,
            rotating: false,
            outcome: Outcome::Refused,
            reason: None,
            detail: None,
            status: 0,
            milliseconds: 0.0,
            queue_milliseconds: None,
            credentials: Renewal::Unchanged,
            document: Renewal::Unchanged,
        }
    }

    fn refused(&mut self, reject: &Reject) {
        self.reason = Some(reject.code());
        self.detail = (reject.status() != 401).then(|| reject.message().into_owned());
    }
}

impl<P: Provider, Q: Queue> Intake<P, Q> {
    /// Puts the parts together, with the system's clock and entropy.
    pub fn new(provider: Renewed<P>, keyring: Keyring<P::Credentials>, queue: Q, deadline: Duration) -> Self {
        Self { provider, keyring, queue, deadline, ambient: ambient::system }
    }

    /// Takes clock and entropy from elsewhere, so that whole answers can be compared.
    #[must_use]
    pub fn with_ambient(mut self, ambient: AmbientSource) -> Self {
        self.ambient = ambient;
        self
    }

    /// The sources and their keys.
    pub fn keyring(&self) -> &Keyring<P::Credentials> {
        &self.keyring
    }

    /// Answers one request to one source.
    pub async fn handle(&self, source: &str, request: &Request) -> Answer {
        let started = Instant::now();
        let mut record = Record::new(P::NAME, source);
        let mut queued = None;
        let reply = match self.open_with_newest(source, request, &mut record).await {
            Ok((received, message)) => {
                queued = message;
                let deadline = self.deadline(source);
                self.settle(started, deadline, received, queued.as_ref(), &mut record).await
            }
            Err(Fault::Refused(Refused { reject, delivery, key })) => {
                record.delivery = delivery;
                record.key = key;
                record.refused(&reject);
                P::refuse(&reject)
            }
            Err(Fault::Entropy(error)) => {
                record.outcome = Outcome::Failed;
                record.reason = Some("no_entropy");
                record.detail = Some(error.to_string());
                unavailable()
            }
        };
        record.status = reply.status;
        record.milliseconds = milliseconds_since(started);
        Answer { response: response(reply), record, message: queued }
    }

    /// The deadline of a source's deliveries: the function's, or an earlier one that any of its entries has.
    fn deadline(&self, source: &str) -> Duration {
        let sources = self.keyring.current();
        let entries = sources.get(source).unwrap_or_default();
        entries.iter().filter_map(P::deadline).fold(self.deadline, Duration::min)
    }

    /// Answers what could not even be read as a request to a source, which is empty where that is unknown.
    pub fn refuse(&self, source: &str, reject: &Reject) -> Answer {
        let mut record = Record::new(P::NAME, source);
        record.refused(reject);
        record.status = reject.status();
        Answer { response: response(P::refuse(reject)), record, message: None }
    }

    /// Opens with the credentials and the document in use, and once more if there turn out to be newer ones. A handshake
    /// is answered without a look.
    async fn open_with_newest(
        &self,
        source: &str,
        request: &Request,
        record: &mut Record,
    ) -> Result<(Received, Option<Message>), Fault> {
        let opened = self.open(source, request, record);
        let limit = self.deadline(source) / 3;
        match &opened {
            Ok((_, Some(_))) => {
                (record.credentials, record.document) = tokio::join!(
                    within(limit, self.keyring.renew(Occasion::Opened, "credentials")),
                    within(limit, self.provider.renew(Occasion::Opened, "the document"))
                );
            }
            Err(Fault::Refused(Refused { reject, .. })) if matches!(reject.status(), 401 | 403 | 404) => {
                let renewal = self.keyring.renew(Occasion::Refused, "credentials");
                record.credentials = within(limit, renewal).await;
            }
            _ => {}
        }
        if [record.credentials, record.document].contains(&Renewal::Renewed) {
            return self.open(source, request, record);
        }
        opened
    }

    /// Everything that happens before the queue: pure but for the ambient.
    fn open(
        &self,
        source: &str,
        request: &Request,
        record: &mut Record,
    ) -> Result<(Received, Option<Message>), Fault> {
        let sources = self.keyring.current();
        let keys = sources.get(source);
        (record.known, record.rotating) = (keys.is_some(), keys.is_some_and(|keys| keys.len() > 1));
        let ambient = (self.ambient)().map_err(Fault::Entropy)?;
        let received =
            open(&*self.provider.current(), &sources, source, request, &ambient).map_err(Fault::Refused)?;
        let message = received.queued_event().map(|event| Message::of(event, self.queue.largest()));
        let mut message =
            message.transpose().map_err(|reject| Fault::Refused(Refused::payload(reject, received.key)))?;
        if let Some(message) = &mut message {
            message.trace = request.extensions().get().map(|Trace(trace)| trace.clone());
        }
        Ok((received, message))
    }

    async fn settle(
        &self,
        started: Instant,
        deadline: Duration,
        received: Received,
        message: Option<&Message>,
        record: &mut Record,
    ) -> Reply {
        record.key = Some(received.key);
        record.delivery.clone_from(&received.delivery);
        record.reason = received.remark;
        if let Some(event) = received.queued_event() {
            record.kind = Some(event.kind.clone());
            record.id = Some(event.id.clone());
        }
        let remaining = deadline.saturating_sub(started.elapsed()).saturating_sub(FOR_THE_ANSWER);
        let queues = message.is_some();
        let asked = Instant::now();
        let settled = received
            .settle(|| async move {
                let Some(message) = message else { return Ok(()) };
                match tokio::time::timeout(remaining, self.queue.put(message)).await {
                    Ok(put) => put,
                    Err(_) => Err(QueueError("no answer within the deadline".into())),
                }
            })
            .await;
        record.queue_milliseconds = queues.then(|| milliseconds_since(asked));
        match settled {
            Settled { put: Ok(()), reply: Some(reply) } => {
                record.outcome = if queues { Outcome::Queued } else { Outcome::Answered };
                reply
            }
            Settled { put: Err(error), reply: Some(reply) } => {
                record.outcome = Outcome::Unqueued;
                record.reason = Some("queue_unavailable");
                record.detail = Some(error.to_string());
                reply
            }
            Settled { put, reply: None } => {
                record.outcome = Outcome::Failed;
                record.reason = Some("queue_unavailable");
                record.detail = put.err().map(|error| error.to_string());
                unavailable()
            }
        }
    }
}

/// Waits for a refresh for at most `limit`. One that takes longer continues, and a later delivery finds it done.
async fn within(limit: Duration, renewal: impl Future<Output = Renewal>) -> Renewal {
    tokio::time::timeout(limit, renewal).await.unwrap_or(Renewal::Unchanged)
}

/// Opens a letter to one source, or says why not: the whole of a delivery but for the queue.
pub fn open<P: Provider>(
    provider: &P,
    sources: &Sources<P::Credentials>,
    source: &str,
    request: &Request,
    ambient: &Ambient,
) -> Result<Received, Refused> {
    if request.method() != Method::POST {
        return Err(Reject::MethodNotAllowed.into());
    }
    let keys = sources.get(source).ok_or(Reject::UnknownSource)?;
    if request.body().len() > P::MAX_BODY {
        return Err(Reject::TooLarge { limit: P::MAX_BODY }.into());
    }
    provider.receive(&Source { provider: P::NAME, name: source, keys }, request, ambient)
}

/// Why a delivery did not come as far as the queue.
enum Fault {
    Refused(Refused),
    Entropy(getrandom::Error),
}

/// To the microsecond.
fn milliseconds_since(start: Instant) -> f64 {
    (start.elapsed().as_secs_f64() * 1e6).round() / 1e3
}

fn unavailable() -> Reply {
    Reply::error(503, "not accepted now: send it again")
}

fn response(reply: Reply) -> Response<String> {
    let mut response = Response::new(reply.body);
    *response.status_mut() =
        http::StatusCode::from_u16(reply.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if let Some(content_type) = reply.content_type {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    match reply.status {
        405 => headers.insert(header::ALLOW, HeaderValue::from_static("POST")),
        503 => headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1")),
        _ => None,
    };
    response
}
