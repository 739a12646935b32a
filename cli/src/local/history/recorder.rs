//! Stores the delivery history on a background thread, so that no platform waits for it.

use std::{
    sync::{Arc, Mutex, PoisonError, mpsc::RecvTimeoutError},
    thread,
    time::Duration,
};

use http::{HeaderValue, Method, header};
use letterbox_codec::{Request, Timestamp, platform::Step};
use letterbox_intake::{Answer, Outcome, ambient};
use letterbox_registry::{Entry, Platform};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::{Bounds, Delivery, NOT_KEPT, Summary, Trace, WITHHELD, sqlite::Deliveries};
use crate::{credentials::Credentials, local::console::Console};

/// How many deliveries may wait to be stored, and how many bytes they may hold. What arrives beyond that is answered all
/// the same, and not stored.
const WAITING: usize = 256;
const WAITING_BYTES: u32 = 64 * 1024 * 1024;

/// How often it is reported what was not stored.
const REPORT: Duration = Duration::from_secs(1);

/// How often what has grown too old is looked for, apart from every new delivery.
const SWEEP: Duration = Duration::from_mins(10);

/// A request and what became of it.
pub struct Exchange {
    /// The provider.
    pub provider: &'static dyn Platform,
    /// The source in the route.
    pub source: String,
    /// The request, as it came.
    pub request: Request,
    /// Whether its body could not be read, so that it is empty here.
    pub body_is_lost: bool,
    /// When it came.
    pub received: Timestamp,
    /// What was answered.
    pub answer: Answer,
    /// The delivery whose bytes were sent again.
    pub redelivery_of: Option<i64>,
}

/// What the recorder is told to do.
enum Order {
    Keep(Box<Exchange>, Option<OwnedSemaphorePermit>, oneshot::Sender<Result<i64, String>>),
    Sweep,
}

/// A thread that stores deliveries.
pub struct Recorder {
    orders: mpsc::Sender<Order>,
    room: Arc<Semaphore>,
    missed: Arc<Missed>,
    newest: watch::Receiver<i64>,
}

/// The end of a recorder, which ends once nobody can give it orders any more.
pub struct Ending {
    ended: std::sync::mpsc::Receiver<()>,
    missed: Arc<Missed>,
}

/// What was not stored since the last report: a flood of deliveries must not become a flood of messages.
struct Missed {
    counts: Mutex<Counts>,
    console: Console,
}

#[derive(Default)]
struct Counts {
    /// Deliveries for which there was no room.
    without_room: u64,
    /// Deliveries and sweeps that failed, and the last error.
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
    /// Starts the thread, inside of a runtime. What is out of bounds already is removed at once.
    pub fn start(
        deliveries: Deliveries,
        bounds: Bounds,
        credentials: Credentials,
        console: Console,
    ) -> Result<(Self, Ending), String> {
        let (orders, mut queue) = mpsc::channel(WAITING);
        let (told, newest) = watch::channel(deliveries.last()?);
        let (end, ended) = std::sync::mpsc::channel();
        let missed = Arc::new(Missed { counts: Mutex::default(), console });
        let counted = Arc::clone(&missed);
        thread::spawn(move || {
            let sweep = || {
                let now = ambient::system().map(|ambient| ambient.now);
                if let Some(Err(error)) = now.ok().map(|now| deliveries.prune(&bounds, now)) {
                    counted.failed(&error);
                }
            };
            sweep();
            while let Some(order) = queue.blocking_recv() {
                match order {
                    Order::Keep(exchange, room, done) => {
                        let kept = deliveries.insert(&delivery(*exchange, &credentials));
                        drop(room);
                        match &kept {
                            Ok(id) => {
                                sweep();
                                told.send_replace(*id);
                            }
                            Err(error) => counted.failed(error),
                        }
                        // Only what the page itself has sent is waited for.
                        let _ = done.send(kept);
                    }
                    Order::Sweep => sweep(),
                }
            }
            // Closed before anybody is told: the last connection brings the file in order.
            drop(deliveries);
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

    /// Has a delivery kept, if there is room.
    pub fn offer(&self, exchange: Exchange) {
        let bytes = u32::try_from(exchange.bytes()).unwrap_or(WAITING_BYTES).min(WAITING_BYTES);
        let room = Arc::clone(&self.room).try_acquire_many_owned(bytes);
        let offered = room.is_ok_and(|room| {
            let order = Order::Keep(Box::new(exchange), Some(room), oneshot::channel().0);
            self.orders.try_send(order).is_ok()
        });
        if !offered {
            self.missed.count(|counts| counts.without_room += 1);
        }
    }

    /// Keeps a delivery, and returns its number.
    pub async fn keep(&self, exchange: Exchange) -> Result<i64, String> {
        let (done, kept) = oneshot::channel();
        // A thread that has ended drops the other end.
        let _ = self.orders.send(Order::Keep(Box::new(exchange), None, done)).await;
        kept.await.map_err(|_| "the server ends".to_owned())?
    }

    /// The number of the newest delivery, as it rises.
    pub fn newest(&self) -> watch::Receiver<i64> {
        self.newest.clone()
    }
}

impl Ending {
    /// Returns once everything that was to be stored is stored, or after `limit`.
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
    /// About what it takes while it waits.
    fn bytes(&self) -> usize {
        let message = self.answer.message.as_ref().map_or(0, |message| message.body.len());
        self.request.body().len() + message + self.answer.response.body().len()
    }
}

/// Looks at what was received once more, to tell how far it was opened.
fn delivery(exchange: Exchange, credentials: &Credentials) -> Delivery {
    let Exchange { provider, source, request, body_is_lost, received, answer, redelivery_of } = exchange;
    let Answer { response, record, message } = answer;
    let keys = credentials.keys(provider);
    let entries = keys.ok().and_then(|keys| keys.entries(&source).ok()).unwrap_or_default();
    // Without an entry that verified it there is nothing to open.
    let entry = record.key.and_then(|position| entries.get(position));
    let opened = entry.and_then(|entry| entry.open(&request, received).ok());
    let mut content = opened.as_ref().map(|opened| opened.content.clone());
    let failed = matches!(record.outcome, Outcome::Refused).then(|| {
        let failed =
            Step::failed(provider.facts().steps, record.reason.unwrap_or_default(), record.key.is_some());
        provider.facts().steps.get(failed).map(|step| step.name.to_owned())
    });
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
        failed: failed.flatten(),
        key: record.key.map(|position| (position + 1, entries.len())),
        held: opened.map(|opened| opened.told).unwrap_or_default(),
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
    // A letter that is not encrypted is its own content.
    if content.as_deref() == Some(request.body().as_ref()) {
        content = None;
    }
    Delivery {
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

/// The methods that are stored as they came. HTTP allows any token, also one that means something to a shell; nothing
/// else about a delivery depends on which one it was, since all but POST are refused.
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

/// What is stored in place of any other method.
const OTHER_METHOD: &[u8] = b"OTHER";

/// The request without what was for this server alone. A header that the source's entries name is none of that.
fn withheld(mut request: Request, entries: &[Box<dyn Entry + '_>]) -> Request {
    if !METHODS.contains(request.method()) {
        *request.method_mut() = Method::from_bytes(OTHER_METHOD).unwrap_or_default();
    }
    for name in WITHHELD {
        let is_used = entries.iter().any(|entry| entry.headers().contains(&name.as_str()));
        if let (header::Entry::Occupied(mut values), false) = (request.headers_mut().entry(name), is_used) {
            values.iter_mut().for_each(|value| *value = HeaderValue::from_static(NOT_KEPT));
        }
    }
    request
}
