//! Handles one delivery: verify and decode it, put the event on the queue, respond. The order is fixed.

mod time;

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, Method, Response, header};
use letterbox_codec::{
    Ambient, Provider, Received, Reject, Reply, Request, Source, Sources, Stage, Timestamp,
    fetch::{Fetched, HttpsUrl},
    provider::{Refused, Settled},
};
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::{
    Fetcher, Keyring, Message, Outcome, Queue, QueueError, Record, Refreshed, ambient,
    archive::{Archived, Archivist, Conclusion, Draft, mask::Secrets},
    fetch::FetchError,
    queue::Trace,
    refreshed::{RefreshResult, RefreshTrigger},
    replay::Marker,
};
use time::Time;

/// A provider with its credentials and its queue: everything that a delivery needs.
pub struct Intake<P: Provider> {
    provider: Refreshed<P>,
    keyring: Keyring<P::Credentials>,
    queue: Arc<dyn Queue>,
    deadline: Duration,
    ambient: AmbientSource,
    fetcher: Option<Fetcher>,
    archive: Option<Archivist>,
}

/// The source of a delivery's time and entropy.
pub type AmbientSource = fn() -> Result<Ambient, getrandom::Error>;

/// What the invocation of a function says of a delivery besides its request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Circumstances<'a> {
    /// The API Gateway event as it came, for the archive.
    pub event: Option<&'a RawValue>,
    /// Marks a replay; it comes from the invoker, never from the sender.
    pub replay: Option<Marker>,
}

/// One delivery, and the time as of which it is judged.
struct Occasion<'a> {
    source: &'a str,
    request: &'a Request,
    ambient: &'a Ambient,
    /// When it is replayed.
    replayed: Option<Timestamp>,
}

/// The response to a delivery, and its record for the operator.
#[derive(Debug)]
pub struct Answer {
    /// For the platform.
    pub response: Response<String>,
    /// For the operator.
    pub record: Record,
    /// The queue message, whether or not the queue accepted it; `None` if the delivery has no event.
    pub message: Option<Message>,
}

/// The archive, and the delivery that is archived.
struct Archiving<'a> {
    archivist: &'a Archivist,
    draft: Draft<'a>,
}

/// What the archive records of the outcome.
fn conclusion<'a>(record: &'a Record, message: Option<&'a Message>) -> Conclusion<'a> {
    Conclusion {
        outcome: record.outcome,
        reason: record.reason,
        id: record.id.as_deref(),
        kind: record.kind.as_deref(),
        message: message.map(|message| message.body.as_str()),
    }
}

impl<P: Provider> Intake<P> {
    /// Creates an intake that uses the system's clock and entropy.
    pub fn new(
        provider: Refreshed<P>,
        keyring: Keyring<P::Credentials>,
        queue: Arc<dyn Queue>,
        deadline: Duration,
    ) -> Self {
        Self { provider, keyring, queue, deadline, ambient: ambient::system, fetcher: None, archive: None }
    }

    /// Lets it fetch the documents that the provider asks for ([`Refused::wanted`]). Without it, a delivery that needs one
    /// is refused.
    #[must_use]
    pub fn with_fetcher(mut self, fetcher: Fetcher) -> Self {
        self.fetcher = Some(fetcher);
        self
    }

    /// Lets it archive deliveries. Without it, or without the API Gateway event of a delivery, nothing is archived.
    #[must_use]
    pub fn with_archive(mut self, archive: Archivist) -> Self {
        self.archive = Some(archive);
        self
    }

    /// Replaces clock and entropy, so that tests can compare whole responses.
    #[must_use]
    pub fn with_ambient(mut self, ambient: AmbientSource) -> Self {
        self.ambient = ambient;
        self
    }

    /// The credentials of all sources.
    pub fn keyring(&self) -> &Keyring<P::Credentials> {
        &self.keyring
    }

    /// Handles one request to one source.
    pub async fn handle(&self, source: &str, request: &Request) -> Answer {
        self.handle_invocation(source, request, Circumstances::default()).await
    }

    /// Handles one request to one source, with what the invocation says besides.
    pub async fn handle_invocation(
        &self,
        source: &str,
        request: &Request,
        circumstances: Circumstances<'_>,
    ) -> Answer {
        let started = Instant::now();
        let mut record = Record::of::<P>(source);
        record.replayed = circumstances.replay.is_some();
        let (now, received) = match (self.ambient)() {
            Ok(ambient) => {
                let replayed = circumstances.replay.map(|_| ambient.now);
                let now = circumstances.replay.map_or(ambient.now, |marker| marker.received);
                let ambient = &Ambient { now, ..ambient };
                let occasion = Occasion { source, request, ambient, replayed };
                (Some(now), self.receive_with_newest(&occasion, &mut record).await)
            }
            Err(error) => (None, Err(Fault::Entropy(error))),
        };
        let mut queued = None;
        let time = Time::new(started, self.deadline(source));
        let sources = self.keyring.current();
        let archiving = now.and_then(|now| self.archiving(source, &sources, now, circumstances));
        let reply = match received {
            Ok((received, message)) => {
                queued = message;
                self.settle(time, received, queued.as_ref(), archiving.as_ref(), &mut record).await
            }
            Err(Fault::Refused(Refused { reject, stage, delivery, key, .. })) => {
                record.delivery = delivery;
                record.key = key;
                record.refused(&reject, stage);
                self.refusal(source, &reject)
            }
            Err(Fault::Unfetched { error, delivery }) => {
                record.delivery = delivery;
                record.outcome = Outcome::Failed;
                record.reason = Some("document_unavailable");
                record.detail = Some(error);
                unavailable::<P>()
            }
            Err(Fault::Entropy(error)) => {
                record.outcome = Outcome::Failed;
                record.reason = Some("no_entropy");
                record.detail = Some(error.to_string());
                unavailable::<P>()
            }
        };
        if let (Some(archiving), None, Outcome::Refused | Outcome::Failed) =
            (&archiving, &queued, record.outcome)
        {
            let line = || archiving.draft.line(&conclusion(&record, None));
            record.archived = archiving.archivist.refused(line, time.for_the_archive()).await;
        }
        record.status = reply.status;
        record.limit = Some(time.deadline.as_secs_f64() * 1000.0);
        record.milliseconds = milliseconds_since(started);
        let mut response = response(reply);
        if request.method() == Method::HEAD {
            response.body_mut().clear();
        }
        Answer { response, record, message: queued }
    }

    /// What archives a delivery; `None` if it is not to be archived.
    fn archiving<'a>(
        &'a self,
        source: &'a str,
        sources: &'a Sources<P::Credentials>,
        now: Timestamp,
        circumstances: Circumstances<'a>,
    ) -> Option<Archiving<'a>> {
        let (archivist, event) = (self.archive.as_ref()?, circumstances.event?);
        let entries = sources.get(source).filter(|_| circumstances.replay.is_none())?;
        let secrets = Secrets {
            headers: entries.iter().flat_map(P::secret_headers).collect(),
            parameters: entries.iter().flat_map(P::secret_parameters).collect(),
        };
        let draft = Draft { time: now, provider: P::NAME, source, event, secrets };
        Some(Archiving { archivist, draft })
    }

    /// The deadline of a source's deliveries: the function's, or an earlier one that any of its entries has.
    fn deadline(&self, source: &str) -> Duration {
        let sources = self.keyring.current();
        let entries = sources.get(source).unwrap_or_default();
        entries.iter().filter_map(P::deadline).fold(self.deadline, Duration::min)
    }

    /// Refuses an event that is not a request to a source, at [`Stage::Route`]. `source` is empty if it is unknown.
    pub fn refuse(&self, source: &str, reject: &Reject) -> Answer {
        let mut record = Record::of::<P>(source);
        record.refused(reject, Stage::Route);
        record.status = reject.status();
        Answer { response: response(self.refusal(source, reject)), record, message: None }
    }

    /// The response to a refused delivery. A method that the source does not take gets a sentence for whoever opened the
    /// URL in a browser.
    fn refusal(&self, source: &str, reject: &Reject) -> Reply {
        if *reject != Reject::MethodNotAllowed {
            return P::refuse(reject);
        }
        let sources = self.keyring.current();
        let methods = methods::<P>(sources.get(source).unwrap_or_default());
        let allowed = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        let sentence = format!(
            "This URL receives webhooks for Letterbox, function {}; the platform sends them with POST.\n",
            P::NAME
        );
        let reply = Reply::text(reject.status(), sentence);
        match HeaderValue::try_from(allowed) {
            Ok(allowed) => reply.with_header(header::ALLOW, allowed),
            Err(_) => reply,
        }
    }

    /// Verifies with the current credentials and document, and again if a refresh has just replaced either. A delivery
    /// without an event triggers no refresh.
    async fn receive_with_newest(
        &self,
        occasion: &Occasion<'_>,
        record: &mut Record,
    ) -> Result<(Received, Option<Message>), Fault> {
        let received = self.receive_with_document(occasion, record).await;
        let limit = self.deadline(occasion.source) / 3;
        match &received {
            Ok((_, Some(_))) => {
                (record.credentials, record.document) = tokio::join!(
                    within(limit, self.keyring.refresh(RefreshTrigger::Accepted, "credentials")),
                    within(limit, self.provider.refresh(RefreshTrigger::Accepted, "the document"))
                );
            }
            Err(fault) if fault.may_concern_credentials() => {
                let trigger = match occasion.replayed {
                    Some(_) => RefreshTrigger::Replayed,
                    None => RefreshTrigger::Refused,
                };
                let refresh = self.keyring.refresh(trigger, "credentials");
                record.credentials = within(limit, refresh).await;
            }
            _ => {}
        }
        if [record.credentials, record.document].contains(&RefreshResult::Refreshed) {
            return self.receive_with_document(occasion, record).await;
        }
        received
    }

    /// Verifies and decodes a request; if that needs a document from a URL, fetches it and tries again.
    async fn receive_with_document(
        &self,
        occasion: &Occasion<'_>,
        record: &mut Record,
    ) -> Result<(Received, Option<Message>), Fault> {
        let received = self.receive(occasion, record);
        if !P::FETCHES {
            return received;
        }
        let (url, delivery) = match (&self.fetcher, &received) {
            (Some(_), Err(Fault::Refused(Refused { wanted: Some(url), delivery, .. }))) => {
                (url.clone(), delivery.clone())
            }
            _ => return received,
        };
        let Some(fetcher) = &self.fetcher else { return received };
        match fetcher.document(&url, self.deadline(occasion.source) / 3).await {
            Ok(content) => {
                let mut request = occasion.request.clone();
                request.extensions_mut().insert(Fetched { url, content });
                self.receive(&Occasion { request: &request, ..*occasion }, record)
            }
            // The platform would not sign with what it does not publish.
            Err(FetchError::Absent) => received,
            // The delivery may be genuine: let the platform retry.
            Err(FetchError::Unavailable(error)) => Err(Fault::Unfetched { error, delivery }),
        }
    }

    /// Calls the URL that an accepted delivery asks for, within the rest of the deadline. A failure changes only the record.
    async fn visit(&self, url: &HttpsUrl, remaining: Duration, record: &mut Record) {
        let Some(fetcher) = &self.fetcher else { return };
        let visited = fetcher.visit(url, remaining).await;
        if let Err(error) = &visited {
            record.detail = Some(format!("{}: {error}", url.host()));
        }
        record.visit = Some(visited);
    }

    /// Verifies and decodes a request, and builds its queue message. It is pure.
    fn receive(
        &self,
        &Occasion { source, request, ambient, replayed }: &Occasion<'_>,
        record: &mut Record,
    ) -> Result<(Received, Option<Message>), Fault> {
        let sources = self.keyring.current();
        let keys = sources.get(source);
        (record.known, record.rotating) = (keys.is_some(), keys.is_some_and(|keys| keys.len() > 1));
        let received =
            receive(&*self.provider.current(), &sources, source, request, ambient).map_err(Fault::Refused)?;
        let received = match replayed {
            Some(at) => received.replayed(at),
            None => received,
        };
        let message = received.queued_event().map(|event| Message::of(event, self.queue.largest()));
        let mut message = message.transpose().map_err(|reject| {
            let delivery = received.delivery.clone();
            Fault::Refused(Refused { delivery, ..Refused::payload(reject, received.key) })
        })?;
        if let Some(message) = &mut message {
            message.trace = request.extensions().get().map(|Trace(trace)| trace.clone());
        }
        Ok((received, message))
    }

    /// Puts the message on the queue within the rest of the deadline, and returns the reply or a 503. The record for the
    /// archive is put at the same time.
    async fn settle(
        &self,
        time: Time,
        received: Received,
        message: Option<&Message>,
        archiving: Option<&Archiving<'_>>,
        record: &mut Record,
    ) -> Reply {
        record.key = Some(received.key);
        record.delivery.clone_from(&received.delivery);
        record.reason = received.remark;
        if let Some(event) = received.queued_event() {
            record.kind = Some(event.kind.clone());
            record.id = Some(event.id.clone());
        }
        let remaining = time.remaining();
        let visit = received.visit.clone();
        let asked = Instant::now();
        let mut queue_milliseconds = None;
        let mut archived = Archived::No;
        let settled = received
            .settle(|| async {
                let Some(message) = message else { return Ok(()) };
                let put = async {
                    let put = tokio::time::timeout(remaining, self.queue.put(message)).await;
                    queue_milliseconds = Some(milliseconds_since(asked));
                    let late = || QueueError("the queue did not respond within the deadline".into());
                    put.unwrap_or_else(|_| Err(late()))
                };
                let archive = async {
                    let Some(Archiving { archivist, draft }) = archiving else { return Archived::No };
                    let queued = Conclusion { outcome: Outcome::Queued, ..conclusion(record, Some(message)) };
                    archivist.accepted(|| draft.line(&queued), time.for_the_archive()).await
                };
                // The queue first: its request is on the way while the record is built.
                let (put, stored) = tokio::join!(put, archive);
                archived = stored;
                put
            })
            .await;
        record.queue_milliseconds = queue_milliseconds;
        record.archived = archived;
        let reply = self.conclude(time, settled, visit, message.is_some(), record).await;
        if let (Some(Archiving { archivist, draft }), Outcome::Failed | Outcome::Unqueued) =
            (archiving, record.outcome)
        {
            let line = || draft.line(&conclusion(record, message));
            record.archived = archivist.correct(line, time.for_a_correction()).await;
        }
        reply
    }

    /// The reply after the queue call.
    async fn conclude(
        &self,
        time: Time,
        settled: Settled<QueueError>,
        visit: Option<HttpsUrl>,
        queues: bool,
        record: &mut Record,
    ) -> Reply {
        match settled {
            Settled { put: Ok(()), reply: Some(reply) } => {
                record.outcome = if queues { Outcome::Queued } else { Outcome::Answered };
                if P::FETCHES
                    && let Some(url) = visit
                {
                    self.visit(&url, time.remaining().min(time.deadline / 3), record).await;
                }
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
                unavailable::<P>()
            }
        }
    }
}

/// Waits for a refresh for at most `limit`. One that takes longer continues, and a later delivery finds it done.
async fn within(limit: Duration, refresh: impl Future<Output = RefreshResult>) -> RefreshResult {
    tokio::time::timeout(limit, refresh).await.unwrap_or(RefreshResult::Unchanged)
}

/// Checks method, source and size of a request, then verifies and decodes it. Does not use the queue.
pub fn receive<P: Provider>(
    provider: &P,
    sources: &Sources<P::Credentials>,
    source: &str,
    request: &Request,
    ambient: &Ambient,
) -> Result<Received, Refused> {
    let keys = sources.get(source);
    if !methods::<P>(keys.unwrap_or_default()).contains(request.method()) {
        return Err(Reject::MethodNotAllowed.at(Stage::Route).into());
    }
    let keys = keys.ok_or(Reject::UnknownSource.at(Stage::Route))?;
    if request.body().len() > P::MAX_BODY {
        return Err(Reject::TooLarge { limit: P::MAX_BODY }.at(Stage::Route).into());
    }
    provider.receive(&Source { provider: P::NAME, name: source, keys }, request, ambient)
}

/// The methods that a source takes: POST, and those of its entries' handshakes.
fn methods<P: Provider>(keys: &[P::Credentials]) -> Vec<Method> {
    let mut methods = vec![Method::POST];
    for method in keys.iter().flat_map(P::handshake_methods) {
        if !methods.contains(method) {
            methods.push(method.clone());
        }
    }
    methods
}

/// Why a delivery did not reach the queue call.
enum Fault {
    Refused(Refused),
    /// A document that verifying needs could not be fetched now.
    Unfetched {
        error: String,
        delivery: Option<String>,
    },
    Entropy(getrandom::Error),
}

impl Fault {
    /// True if newer credentials may help.
    const fn may_concern_credentials(&self) -> bool {
        match self {
            Self::Refused(Refused { reject, .. }) => matches!(reject.status(), 401 | 403 | 404),
            Self::Unfetched { .. } => true,
            Self::Entropy(_) => false,
        }
    }
}

/// Milliseconds since `start`, rounded to microseconds.
fn milliseconds_since(start: Instant) -> f64 {
    (start.elapsed().as_secs_f64() * 1e6).round() / 1e3
}

fn unavailable<P: Provider>() -> Reply {
    Reply { status: 503, ..P::unavailable("temporarily unavailable, please retry") }
}

fn response(reply: Reply) -> Response<String> {
    let mut response = Response::new(reply.body);
    *response.status_mut() =
        http::StatusCode::from_u16(reply.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if let Some(content_type) = reply.content_type.and_then(|text| HeaderValue::try_from(&*text).ok()) {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    headers.extend(reply.headers);
    if reply.status == 503 {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

#[cfg(test)]
mod tests;
