//! Stores the delivery history on a background thread, so that no platform waits for it.

use std::{
    sync::{Arc, Mutex, PoisonError, mpsc::RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use http::{HeaderName, HeaderValue, Method, Uri, header};
use letterbox_codec::{Request, Timestamp};
use letterbox_intake::{Answer, ambient, archive::mask};
use letterbox_registry::{Entry, Platform};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::{Bounds, NOT_STORED, StoredDelivery, Summary, Trace, WITHHELD, sqlite::Deliveries};
use crate::{credentials::Credentials, local::console::Console};

/// How many deliveries, and how many bytes, may wait to be stored. Deliveries beyond these limits are answered but not
/// stored.
const WAITING: usize = 1024;
const WAITING_BYTES: u32 = 64 * 1024 * 1024;

/// The most deliveries that are stored in one transaction.
const BATCH: usize = 64;

/// While more deliveries wait, the thread pauses after each batch for so many times the batch's duration: under load it
/// takes at most a tenth of one core from the deliveries.
const PAUSE: u32 = 9;

/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// How often the number of deliveries that were not stored is reported.
const REPORT: Duration = Duration::from_secs(1);

/// How often expired deliveries are removed, besides after every new delivery.
const SWEEP: Duration = Duration::from_mins(10);

/// A request and the response to it.
pub struct Exchange {
    /// The provider.
    pub provider: &'static dyn Platform,
    /// The source in the route.
    pub source: String,
    /// The request as it was received.
    pub request: Request,
    /// True if its body was too large or arrived incomplete; it is empty here.
    pub body_is_lost: bool,
    /// The time of receipt.
    pub received: Timestamp,
    /// The response, its log record and its queue message.
    pub answer: Answer,
    /// The number of the delivery that this one repeats.
    pub redelivery_of: Option<i64>,
}

/// A task for the recorder's thread.
enum Order {
    Store(Storing),
    Sweep,
}

/// A delivery to store.
struct Storing {
    exchange: Box<Exchange>,
    /// Its part of the bytes that may wait.
    room: Option<OwnedSemaphorePermit>,
    /// For the page, if it has sent the delivery itself.
    done: Option<oneshot::Sender<Result<i64, String>>>,
}

/// A handle of the thread that stores deliveries.
pub struct Recorder {
    orders: mpsc::Sender<Order>,
    room: Arc<Semaphore>,
    missed: Arc<Missed>,
    newest: watch::Receiver<i64>,
}

/// Waits for the recorder's thread, which ends once every [`Recorder`] is dropped.
pub struct Ending {
    ended: std::sync::mpsc::Receiver<()>,
    missed: Arc<Missed>,
}

/// Counts what was not stored since the last report, so that many failures make one message.
struct Missed {
    counts: Mutex<Counts>,
    console: Console,
}

#[derive(Default)]
struct Counts {
    /// Deliveries that exceeded the limits on waiting ones.
    without_room: u64,
    /// Failed writes and sweeps, and the last error.
    failed: u64,
    error: String,
}

impl Missed {
    fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn failed(&self, error: &str) {
        self.count(|counts| {
            counts.failed += 1;
            error.clone_into(&mut counts.error);
        });
    }

    fn report(&self) {
        let mut counts = Counts::default();
        self.count(|counted| std::mem::swap(&mut counts, counted));
        let Counts { without_room, failed, error } = counts;
        if without_room > 0 {
            self.console.complain(format!(
                "{without_room} deliveries not stored for the page: they arrived faster than they can be written"
            ));
        }
        if failed > 0 {
            self.console.complain(format!("delivery history: {failed} writes failed: {error}"));
        }
    }
}

impl Recorder {
    /// Starts the thread, and removes deliveries that already exceed the bounds. Must run inside a Tokio runtime.
    pub fn start(
        deliveries: Deliveries,
        bounds: Bounds,
        credentials: Credentials,
        console: Console,
    ) -> Result<(Self, Ending), String> {
        let (orders, mut queue) = mpsc::channel(WAITING);
        let (newest_sender, newest) = watch::channel(deliveries.last()?);
        let (end, ended) = std::sync::mpsc::channel();
        let missed = Arc::new(Missed { counts: Mutex::default(), console });
        let counted = Arc::clone(&missed);
        thread::spawn(move || {
            let writer = Writer { deliveries, bounds, credentials, missed: counted, newest: newest_sender };
            writer.sweep();
            while let Some(order) = queue.blocking_recv() {
                let started = Instant::now();
                let waiting = std::iter::from_fn(|| queue.try_recv().ok());
                writer.run(std::iter::once(order).chain(waiting).take(BATCH));
                // At the shutdown nothing can be delayed any more.
                if !queue.is_empty() && !queue.is_closed() {
                    thread::sleep((started.elapsed() * PAUSE).min(LONGEST_PAUSE));
                }
            }
            // The last connection checkpoints the file as it closes, so it closes before the end is signalled.
            drop(writer);
            drop(end);
        });
        let sweeper = orders.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP).await;
                if sweeper.send(Order::Sweep).await.is_err() {
                    break;
                }
            }
        });
        let reporter = Arc::downgrade(&missed);
        tokio::spawn(async move {
            while let Some(missed) = reporter.upgrade() {
                missed.report();
                tokio::time::sleep(REPORT).await;
            }
        });
        let room = Arc::new(Semaphore::new(WAITING_BYTES as usize));
        let ending = Ending { ended, missed: Arc::clone(&missed) };
        Ok((Self { orders, room, missed, newest }, ending))
    }

    /// Stores a delivery in the background; counts it as missed if too many are waiting.
    pub fn offer(&self, exchange: Exchange) {
        if !self.try_offer(exchange) {
            self.missed.count(|counts| counts.without_room += 1);
        }
    }

    fn try_offer(&self, exchange: Exchange) -> bool {
        let bytes = u32::try_from(exchange.bytes()).unwrap_or(WAITING_BYTES).min(WAITING_BYTES);
        let Ok(place) = self.orders.try_reserve() else { return false };
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(bytes) else { return false };
        place.send(Order::Store(Storing { exchange: Box::new(exchange), room: Some(room), done: None }));
        true
    }

    /// Stores a delivery and returns its number.
    pub async fn store(&self, exchange: Exchange) -> Result<i64, String> {
        let (done, stored) = oneshot::channel();
        let storing = Storing { exchange: Box::new(exchange), room: None, done: Some(done) };
        // A thread that has ended drops the other end.
        let _ = self.orders.send(Order::Store(storing)).await;
        stored.await.map_err(|_| "not stored: the server is shutting down".to_owned())?
    }

    /// The number of the newest delivery, updated with every new one.
    pub fn newest(&self) -> watch::Receiver<i64> {
        self.newest.clone()
    }
}

/// The recorder's thread.
struct Writer {
    deliveries: Deliveries,
    bounds: Bounds,
    credentials: Credentials,
    missed: Arc<Missed>,
    newest: watch::Sender<i64>,
}

impl Writer {
    /// Stores the deliveries of the orders in one transaction, and removes what then exceeds the bounds.
    fn run(&self, orders: impl Iterator<Item = Order>) {
        let mut stored = Vec::new();
        let mut others = Vec::new();
        for order in orders {
            let Order::Store(Storing { exchange, room, done }) = order else { continue };
            stored.push(stored_delivery(*exchange, &self.credentials));
            others.push((room, done));
        }
        let ids = if stored.is_empty() { Ok(Vec::new()) } else { self.deliveries.insert_all(&stored) };
        drop(stored);
        self.sweep();
        let last = ids.as_ref().ok().and_then(|ids| ids.last().copied());
        for (position, (room, done)) in others.into_iter().enumerate() {
            drop(room);
            let id = match &ids {
                Ok(ids) => ids.get(position).copied().ok_or_else(|| "not stored".to_owned()),
                Err(error) => Err(error.clone()),
            };
            if let Err(error) = &id {
                self.missed.failed(error);
            }
            if let Some(done) = done {
                // The page may have stopped waiting.
                let _ = done.send(id);
            }
        }
        if let Some(last) = last {
            self.newest.send_replace(last);
        }
    }

    fn sweep(&self) {
        let now = ambient::system().map(|ambient| ambient.now);
        if let Some(Err(error)) = now.ok().map(|now| self.deliveries.prune(&self.bounds, now)) {
            self.missed.failed(&error);
        }
    }
}

impl Ending {
    /// Returns once every waiting delivery is stored, or after `limit`.
    pub fn wait(&self, limit: Duration) {
        let ended = self.ended.recv_timeout(limit);
        self.missed.report();
        if let Err(RecvTimeoutError::Timeout) = ended {
            let text = "some of the last deliveries are not stored for the page: writing them took too long";
            self.missed.console.complain(text.to_owned());
        }
    }
}

impl Exchange {
    /// Its approximate size in memory, in bytes.
    fn bytes(&self) -> usize {
        let message = self.answer.message.as_ref().map_or(0, |message| message.body.len());
        self.request.body().len() + message + self.answer.response.body().len()
    }
}

/// Verifies the delivery again, to record the steps that passed and the decoded content.
fn stored_delivery(exchange: Exchange, credentials: &Credentials) -> StoredDelivery {
    let Exchange { provider, source, request, body_is_lost, received, answer, redelivery_of } = exchange;
    let Answer { response, record, message } = answer;
    let keys = credentials.keys(provider);
    let entries = keys.and_then(Result::ok).and_then(|keys| keys.entries(&source).ok()).unwrap_or_default();
    // Without an entry that verified it, the delivery is not decoded.
    let entry = record.key.and_then(|position| entries.get(position));
    let opened = entry.and_then(|entry| entry.open(&request, received).ok());
    let mut content = opened.as_ref().map(|opened| opened.content.clone());
    let reply_in_clear = entry.filter(|_| record.status < 400).map(|entry| {
        let reply = response.clone().map(bytes::Bytes::from);
        entry.read_response(&request, &reply)
    });
    let (parts, reply) = response.into_parts();
    let headers = parts.headers.iter();
    let trace = Trace {
        redelivery_of,
        body_is_lost,
        detail: record.detail.clone(),
        stage: record.stage,
        key: record.key.map(|position| (position + 1, entries.len())),
        checks: opened.map(|opened| opened.notes).unwrap_or_default(),
        attributes: message
            .iter()
            .flat_map(|message| &message.attributes)
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
        reply_headers: headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        reply,
        reply_in_clear,
    };
    // The content of a delivery that is not encrypted is its body.
    if content.as_deref() == Some(request.body().as_ref()) {
        content = None;
    }
    StoredDelivery {
        summary: Summary {
            id: 0,
            received,
            provider: provider.name().to_owned(),
            source: record.source,
            kind: record.kind,
            outcome: record.outcome.as_str().to_owned(),
            reason: record.reason.map(str::to_owned),
            status: record.status,
            milliseconds: record.milliseconds,
        },
        request: withheld(request, &entries),
        content,
        message: message.map(|message| message.body),
        trace,
    }
}

/// The methods that are stored unchanged. HTTP allows any token, including ones with a meaning for a shell. All methods
/// but POST are refused, so nothing else depends on the exact one.
const METHODS: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::CONNECT,
    Method::OPTIONS,
    Method::TRACE,
    Method::PATCH,
];

/// Stored in place of any other method.
const OTHER_METHOD: &[u8] = b"OTHER";

/// The request without the values of [`WITHHELD`] headers, unless the source's entries name the header; and without every
/// value that is a secret of the entries.
fn withheld(mut request: Request, entries: &[Box<dyn Entry + '_>]) -> Request {
    if !METHODS.contains(request.method()) {
        *request.method_mut() = Method::from_bytes(OTHER_METHOD).unwrap_or_default();
    }
    let is_used = |name: &HeaderName| entries.iter().any(|entry| entry.headers().contains(&name.as_str()));
    let secret = entries.iter().flat_map(|entry| entry.secret_headers()).filter_map(|name| name.parse().ok());
    for name in WITHHELD.into_iter().filter(|name| !is_used(name)).chain(secret) {
        if let header::Entry::Occupied(mut values) = request.headers_mut().entry(name) {
            values.iter_mut().for_each(|value| *value = HeaderValue::from_static(NOT_STORED));
        }
    }
    let secret: Vec<_> = entries.iter().flat_map(|entry| entry.secret_parameters()).collect();
    if let Some(uri) = without_values(request.uri(), &secret) {
        *request.uri_mut() = uri;
    }
    request
}

/// The URI without the values of some query parameters; `None` if it has none of them.
fn without_values(uri: &Uri, names: &[&str]) -> Option<Uri> {
    let query = mask::query(uri.query()?, names)?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("{}?{query}", uri.path()).parse().ok()?);
    Uri::from_parts(parts).ok()
}
