//! The load: deliveries of distinct content over several connections that are kept open. Each is sent again until it is
//! acknowledged, as a platform does; then the queue is searched for all of them.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use http::HeaderValue;
use letterbox::{credentials, formats::raw, local::queue::sqlite::Store};
use letterbox_codec::platform::Sample;
use letterbox_intake::ambient;
use letterbox_registry::Keys;
use serde_json::{Value, json};

use super::SLACK;

/// Longer than any response takes: GitHub's deadline is 8 s.
const LONGEST: Duration = Duration::from_secs(8).saturating_add(SLACK);

/// How long a sender waits before its next delivery after one that was not acknowledged.
const AFTER_A_FAILURE: Duration = Duration::from_millis(20);

/// GitHub, with one connection that is kept open.
pub struct Sender {
    keys: Box<dyn Keys>,
    connection: Option<(String, TcpStream)>,
}

impl Sender {
    pub fn new() -> Self {
        let github = letterbox_registry::find("github").unwrap();
        let keys = github.keys(credentials::load(None).unwrap().json("github").unwrap()).unwrap();
        Self { keys, connection: None }
    }

    /// Sends the delivery of this number, and returns the status; `None` if there is no complete response.
    pub fn send(&mut self, url: &str, number: usize) -> Option<u16> {
        let payload = json!({ "zen": "Anything added dilutes everything else.", "number": number });
        let sample = Sample { name: "ping".into(), payload: payload.to_string().into() };
        let entry = self.keys.first("default").unwrap();
        let to = format!("{url}/github");
        let mut request = entry.build_request(&sample, &to, &ambient::system().unwrap()).unwrap();
        request.headers_mut().insert("x-github-delivery", HeaderValue::from(number));
        let request = String::from_utf8(raw::write(&request)).unwrap().replace("connection: close\r\n", "");
        let stream = match self.connection.take() {
            Some((of, stream)) if of == url => stream,
            _ => {
                let stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).ok()?;
                stream.set_read_timeout(Some(LONGEST)).unwrap();
                stream.set_nodelay(true).unwrap();
                stream
            }
        };
        let status = exchange(&stream, request.as_bytes())?;
        self.connection = Some((url.to_owned(), stream));
        Some(status)
    }
}

/// Sends a request, and reads the whole response.
fn exchange(mut stream: &TcpStream, request: &[u8]) -> Option<u16> {
    stream.write_all(request).ok()?;
    let mut response = Vec::new();
    let mut part = [0; 4096];
    loop {
        let length = stream.read(&mut part).ok().filter(|length| *length > 0)?;
        response.extend_from_slice(&part[..length]);
        let Some(head) = response.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&response[..head]).unwrap();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        if response.len() == head + 4 + length.map_or(0, |length| length.parse().unwrap()) {
            return Some(text[9..12].parse().unwrap());
        }
    }
}

/// What the senders have seen during one fault.
#[derive(Clone, Default)]
pub struct Counts {
    pub sent: u64,
    pub acknowledged: u64,
    /// By status.
    pub refused: BTreeMap<u16, u64>,
    pub unanswered: u64,
    pub slowest: Duration,
}

/// What the senders share.
struct State {
    url: String,
    fault: &'static str,
    counts: BTreeMap<&'static str, Counts>,
    /// By number.
    acknowledged: Vec<bool>,
    /// The numbers of those to send again.
    again: VecDeque<usize>,
    taken: u64,
    is_ending: bool,
}

impl State {
    /// The next delivery to send; `None` if there is none any more.
    fn next(&mut self) -> Option<usize> {
        if self.is_ending {
            return self.again.pop_front();
        }
        // Every other one is a repetition, so that new ones are tried as well.
        self.taken += 1;
        let again = if self.taken.is_multiple_of(2) { self.again.pop_front() } else { None };
        again.or_else(|| {
            self.acknowledged.push(false);
            Some(self.acknowledged.len() - 1)
        })
    }

    fn count(&self, of: impl Fn(&Counts) -> u64) -> u64 {
        self.counts.values().map(of).sum()
    }
}

/// Senders at work.
pub struct Load {
    state: Arc<Mutex<State>>,
    senders: Vec<JoinHandle<()>>,
}

/// All that was sent.
pub struct Sent {
    pub counts: BTreeMap<&'static str, Counts>,
    /// Whether it was acknowledged, by number.
    pub acknowledged: Vec<bool>,
}

impl Load {
    pub fn start(url: &str, senders: usize) -> Self {
        let state = Arc::new(Mutex::new(State {
            url: url.to_owned(),
            fault: "none",
            counts: BTreeMap::new(),
            acknowledged: Vec::new(),
            again: VecDeque::new(),
            taken: 0,
            is_ending: false,
        }));
        let run = |_| {
            let state = Arc::clone(&state);
            thread::spawn(move || run(&state))
        };
        let senders = (0..senders).map(run).collect();
        Self { state, senders }
    }

    /// Counts what is sent from now on for this fault.
    pub fn during(&self, fault: &'static str) {
        self.state.lock().unwrap().fault = fault;
    }

    /// Sends to another server from now on.
    pub fn turn_to(&self, url: &str) {
        url.clone_into(&mut self.state.lock().unwrap().url);
    }

    /// How many are acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.state.lock().unwrap().count(|counts| counts.acknowledged)
    }

    /// How many attempts were refused.
    pub fn refused(&self) -> u64 {
        self.state.lock().unwrap().count(|counts| counts.refused.values().sum())
    }

    /// Waits until so many further ones are acknowledged: the server continues automatically.
    pub fn await_acknowledged(&self, more: u64) {
        await_more(more, || self.acknowledged(), "acknowledged");
    }

    /// Waits until so many further attempts are refused.
    pub fn await_refused(&self, more: u64) {
        await_more(more, || self.refused(), "refused");
    }

    /// Begins no further delivery, and returns once each is acknowledged.
    pub fn finish(self) -> Sent {
        self.state.lock().unwrap().is_ending = true;
        self.senders.into_iter().for_each(|sender| sender.join().unwrap());
        let State { counts, acknowledged, .. } = Arc::into_inner(self.state).unwrap().into_inner().unwrap();
        Sent { counts, acknowledged }
    }
}

fn await_more(more: u64, count: impl Fn() -> u64, what: &str) {
    let (started, before) = (Instant::now(), count());
    while count() < before + more {
        // As long as a server takes for a deadline that has just begun, and then for the deliveries.
        assert!(started.elapsed() < 3 * LONGEST, "{} of {more} {what} since", count() - before);
        thread::sleep(Duration::from_millis(5));
    }
}

fn run(state: &Mutex<State>) {
    let mut sender = Sender::new();
    loop {
        let mut locked = state.lock().unwrap();
        let Some(number) = locked.next() else { break };
        let (url, fault) = (locked.url.clone(), locked.fault);
        drop(locked);
        let started = Instant::now();
        let status = sender.send(&url, number);
        let took = started.elapsed();
        let mut locked = state.lock().unwrap();
        let counts = locked.counts.entry(fault).or_default();
        counts.sent += 1;
        match status {
            Some(202) => counts.acknowledged += 1,
            Some(status) => *counts.refused.entry(status).or_default() += 1,
            None => counts.unanswered += 1,
        }
        if status.is_some() {
            counts.slowest = counts.slowest.max(took);
        }
        if status == Some(202) {
            locked.acknowledged[number] = true;
        } else {
            locked.again.push_back(number);
            drop(locked);
            thread::sleep(AFTER_A_FAILURE);
        }
    }
}

/// What is on the queue, compared with what was sent.
pub struct Found {
    pub messages: u64,
    /// The messages beyond one for each delivery.
    pub copies: u64,
}

impl Sent {
    /// Searches the queue for every acknowledged delivery, and checks both files.
    pub fn find_in(&self, database: &Path) -> Found {
        for name in ["letterbox.db", "letterbox-deliveries.db"] {
            let file = rusqlite::Connection::open(database.with_file_name(name)).unwrap();
            let found: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
            assert_eq!(found, "ok", "{name}");
        }
        let store = Store::open(database).unwrap();
        let mut times = vec![0_u64; self.acknowledged.len()];
        let mut last = 0;
        loop {
            let messages = store.after(last, 1000).unwrap();
            for message in &messages {
                assert!(message.sequence > last);
                last = message.sequence;
                let event: Value = serde_json::from_str(&message.body).unwrap();
                let number = event["data"]["number"].as_u64().unwrap();
                assert_eq!(event["deliveryid"], number.to_string());
                times[usize::try_from(number).unwrap()] += 1;
            }
            if messages.is_empty() {
                break;
            }
        }
        let numbers = self.acknowledged.iter().enumerate().filter(|(_, is_acknowledged)| **is_acknowledged);
        let missing: Vec<_> =
            numbers.map(|(number, _)| number).filter(|number| times[*number] == 0).collect();
        assert!(
            missing.is_empty(),
            "{} acknowledged deliveries are not on the queue: {missing:?}",
            missing.len()
        );
        let messages = times.iter().sum();
        Found { messages, copies: times.iter().map(|times| times.saturating_sub(1)).sum() }
    }

    /// Every refusal asks the platform to try again.
    pub fn assert_only_delayed(&self) {
        for (fault, counts) in &self.counts {
            assert!(counts.refused.keys().all(|status| *status == 503), "{fault}: {:?}", counts.refused);
        }
    }

    /// Each response came, within its deadline.
    pub fn assert_all_answered(&self) {
        for (fault, counts) in &self.counts {
            assert_eq!(counts.unanswered, 0, "{fault}");
            assert!(counts.slowest < LONGEST, "{fault}: {:?}", counts.slowest);
        }
    }
}
