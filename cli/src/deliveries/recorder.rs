//! Keeps what was received, behind the back of whoever waits for an answer.

use std::{
    thread::{self, JoinHandle},
    time::Duration,
};

use letterbox_codec::{Request, Timestamp, platform::Step};
use letterbox_intake::{Answer, Outcome, ambient};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Bounds, Delivery, Summary, Trace, WITHHELD, store::Deliveries};
use crate::{
    credentials::{self, Credentials},
    providers::{Key, Row},
    terminal::complain,
};

/// How many deliveries may wait to be kept; a sender that is faster than that is slowed down.
const WAITING: usize = 32;

/// How often what has grown too old is looked for, apart from every new delivery.
const SWEEP: Duration = Duration::from_mins(10);

/// A request and what became of it.
pub struct Exchange {
    /// The provider.
    pub row: &'static Row,
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
    Keep(Box<Exchange>, oneshot::Sender<Result<i64, String>>),
    Sweep,
    End,
}

/// A thread that keeps deliveries.
pub struct Recorder {
    orders: mpsc::Sender<Order>,
    newest: watch::Receiver<i64>,
}

/// What ends a recorder.
pub struct Ending {
    orders: mpsc::Sender<Order>,
    thread: JoinHandle<()>,
}

impl Recorder {
    /// Starts the thread, inside of a runtime. What is out of bounds already goes at once.
    pub fn start(
        deliveries: Deliveries,
        bounds: Bounds,
        credentials: Credentials,
    ) -> Result<(Self, Ending), String> {
        let (orders, mut queue) = mpsc::channel(WAITING);
        let (told, newest) = watch::channel(deliveries.last()?);
        let thread = thread::spawn(move || {
            sweep(&deliveries, &bounds);
            while let Some(order) = queue.blocking_recv() {
                match order {
                    Order::Keep(exchange, done) => {
                        let kept = deliveries.insert(&delivery(*exchange, &credentials));
                        sweep(&deliveries, &bounds);
                        match &kept {
                            Ok(id) => drop(told.send_replace(*id)),
                            Err(error) => complain(&format!("a delivery is not on the page: {error}")),
                        }
                        // Only what the page itself has sent is waited for.
                        let _ = done.send(kept);
                    }
                    Order::Sweep => sweep(&deliveries, &bounds),
                    Order::End => break,
                }
            }
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
        Ok((Self { orders: orders.clone(), newest }, Ending { orders, thread }))
    }

    /// Keeps what was received. What comes back tells its number, for whoever waits for it.
    pub async fn keep(&self, exchange: Exchange) -> oneshot::Receiver<Result<i64, String>> {
        let (done, kept) = oneshot::channel();
        // A thread that has ended needs no word: the server ends, too.
        let _ = self.orders.send(Order::Keep(Box::new(exchange), done)).await;
        kept
    }

    /// The number of the newest delivery, as it rises.
    pub fn newest(&self) -> watch::Receiver<i64> {
        self.newest.clone()
    }
}

impl Ending {
    /// Returns once everything that was to be kept is kept.
    pub fn wait(self) {
        let _ = self.orders.blocking_send(Order::End);
        let _ = self.thread.join();
    }
}

fn sweep(deliveries: &Deliveries, bounds: &Bounds) {
    let now = ambient::system().map(|ambient| ambient.now);
    if let Some(Err(error)) = now.ok().map(|now| deliveries.prune(bounds, now)) {
        complain(&format!("old deliveries are not removed: {error}"));
    }
}

/// Looks at what was received once more, to tell how far it was opened.
fn delivery(exchange: Exchange, credentials: &Credentials) -> Delivery {
    let Exchange { row, source, request, body_is_lost, received, answer, redelivery_of } = exchange;
    let Answer { response, record, message } = answer;
    let credentials = credentials.get(row.name).map_or("{}", String::as_str);
    let key = Key { credentials, source: &source };

    let opened = (row.open)(&key, &with_query(&request), received).ok().and_then(Result::ok);
    let mut content = opened.as_ref().map(|opened| opened.content.clone());
    let failed = matches!(record.outcome, Outcome::Refused).then(|| {
        let failed = Step::failed(row.steps, record.reason.unwrap_or_default(), opened.is_some());
        row.steps.get(failed).map(|step| step.name.to_owned())
    });
    let reply_in_clear = record.key.and_then(|position| {
        let only = credentials::only(credentials, &source, position)?;
        let key = Key { credentials: &only, source: &source };
        let reply = response.clone().map(bytes::Bytes::from);
        Some((row.read_reply)(&key, &request, &reply))
    });
    let (parts, reply) = response.into_parts();
    let headers = parts.headers.iter();
    let trace = Trace {
        redelivery_of,
        body_is_lost,
        detail: record.detail.clone(),
        failed: failed.flatten(),
        key: record.key.map(|position| (position + 1, credentials::count(credentials, &source))),
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
            provider: row.name.to_owned(),
            source: record.source,
            kind: record.kind,
            outcome: record.outcome.as_str().to_owned(),
            reason: record.reason.map(str::to_owned),
            status: record.status,
            milliseconds: record.milliseconds,
        },
        request: withheld(request),
        content,
        message: message.map(|message| message.body),
        trace,
    }
}

/// A letter that came has a query, if only an empty one: without any, a provider would take it for a mere body and open
/// what nobody signed.
fn with_query(request: &Request) -> Request {
    let mut request = request.clone();
    let uri = request.uri().to_string();
    if let (None, Ok(uri)) = (request.uri().query(), format!("{uri}?").parse()) {
        *request.uri_mut() = uri;
    }
    request
}

/// The request without what was for this server alone.
fn withheld(mut request: Request) -> Request {
    for name in WITHHELD {
        if let Some(value) = request.headers_mut().get_mut(name) {
            *value = http::HeaderValue::from_static("***");
        }
    }
    request
}
