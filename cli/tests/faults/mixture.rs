//! All faults in turn, under load, with kills in the midst of them.

use std::{
    any::Any,
    io::Write,
    net::TcpStream,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use rustix::{
    io::Errno,
    process::{Resource, Rlimit},
};
use tempfile::TempDir;

use super::{
    load::{Counts, Load, Sent},
    moment, number, random,
    repeating::Repeating,
    system::{FOREVER, Fault, System},
};
use crate::program::Server;

/// What fails, the name that the table shows, and how many milliseconds at most in the short form and in the long one.
#[derive(Clone, Copy)]
enum Trouble {
    System(Fault, i64),
    Clock,
    Locked,
    Idle,
    Slow,
    Unread,
}

const TROUBLES: [(&str, Trouble, u64, u64); 13] = [
    ("disk full", Trouble::System(Fault::Write, Errno::NOSPC.raw_os_error() as i64), 300, 1000),
    ("disk read-only", Trouble::System(Fault::Write, Errno::ROFS.raw_os_error() as i64), 300, 1000),
    ("disk failing, writes", Trouble::System(Fault::Write, Errno::IO.raw_os_error() as i64), 300, 1000),
    ("disk failing, syncs", Trouble::System(Fault::Sync, Errno::IO.raw_os_error() as i64), 300, 1000),
    ("disk slow", Trouble::System(Fault::Delay, 30), 300, 2000),
    // GitHub's deadline is 8 s.
    ("disk hangs", Trouble::System(Fault::Delay, FOREVER), 500, 12_000),
    // SQLite waits 2 s.
    ("database locked", Trouble::Locked, 500, 4000),
    ("clock ahead", Trouble::System(Fault::Clock, 30 * 86_400_000), 300, 1000),
    ("clock behind", Trouble::System(Fault::Clock, -30 * 86_400_000), 300, 1000),
    ("clock jumps", Trouble::Clock, 300, 1000),
    ("idle connections", Trouble::Idle, 300, 2000),
    ("slow senders", Trouble::Slow, 300, 2000),
    ("slow readers", Trouble::Unread, 300, 2000),
];

/// The connections of one round.
const CONNECTIONS: usize = 300;

/// More memory than the server ever needs, in bytes.
const MEMORY: usize = 400 * 1024 * 1024;

/// How often the long form says how far it is.
const REPORT: Duration = Duration::from_secs(10);

/// Makes the trouble until it is dropped.
type Held = Box<dyn Any>;

struct World {
    folder: TempDir,
    system: Arc<System>,
    server: Option<Server>,
    load: Load,
    kills: u64,
    memory: usize,
}

impl World {
    fn new(senders: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let system = Arc::new(System::new(folder.path()));
        let server = system.serve(folder.path());
        let load = Load::start(&server.url, senders);
        Self { folder, system, server: Some(server), load, kills: 0, memory: 0 }
    }

    fn begin(&self, trouble: Trouble) -> Held {
        let url = self.server.as_ref().unwrap().url.strip_prefix("http://").unwrap().to_owned();
        let open = |number: usize, text: &str| {
            let connect = |_| {
                let mut stream = TcpStream::connect(&url).ok()?;
                // The server closes some to make room for others.
                let _ = stream.write_all(text.as_bytes());
                Some(stream)
            };
            (0..number).filter_map(connect).collect::<Vec<_>>()
        };
        match trouble {
            Trouble::System(fault, value) => {
                self.system.set(fault, value);
                Box::new(())
            }
            Trouble::Clock => {
                let system = Arc::clone(&self.system);
                Box::new(Repeating::start(move || {
                    let milliseconds = i64::try_from(random(2_000_000_000_000)).unwrap();
                    system.set(Fault::Clock, milliseconds - 1_000_000_000_000);
                }))
            }
            Trouble::Locked => {
                let lock = Connection::open(self.folder.path().join("letterbox.db")).unwrap();
                lock.busy_timeout(Duration::from_mins(1)).unwrap();
                lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
                Box::new(lock)
            }
            Trouble::Idle => Box::new(open(CONNECTIONS, "")),
            Trouble::Slow => {
                let begun = "POST /github HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n";
                let streams = open(CONNECTIONS, begun);
                Box::new(Repeating::start(move || {
                    for mut stream in &streams {
                        let _ = stream.write_all(b"a");
                    }
                }))
            }
            Trouble::Unread => {
                let page = format!("GET / HTTP/1.1\r\nhost: {url}\r\n\r\n").repeat(2);
                Box::new(open(CONNECTIONS / 10, &page))
            }
        }
    }

    /// One trouble for at most so many milliseconds; if it is to be killed, then at a random moment of it.
    fn suffer(&mut self, name: &'static str, trouble: Trouble, most: u64, is_kill: bool) {
        self.load.during(name);
        let held = self.begin(trouble);
        thread::sleep(moment(most).max(Duration::from_millis(if is_kill { 0 } else { most / 2 })));
        self.memory = self.memory.max(self.server.as_ref().unwrap().memory());
        if is_kill {
            // With SIGKILL.
            drop(self.server.take());
            self.kills += 1;
        }
        drop(held);
        for fault in [Fault::Clock, Fault::Write, Fault::Sync, Fault::Delay] {
            self.system.set(fault, 0);
        }
        self.load.during("none");
        if is_kill {
            let server = self.system.serve(self.folder.path());
            self.load.turn_to(&server.url);
            self.server = Some(server);
        }
    }

    fn finish(mut self) -> (TempDir, Sent, u64, usize) {
        let sent = self.load.finish();
        self.server.take().unwrap().end();
        (self.folder, sent, self.kills, self.memory)
    }
}

/// `LETTERBOX_DELIVERIES=1000000 LETTERBOX_KILLS=500` is the long form.
#[test]
fn every_acknowledged_delivery_is_on_the_queue_whatever_fails() {
    let limits = rustix::process::getrlimit(Resource::Nofile);
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, ..limits }).unwrap();
    let deliveries = number("LETTERBOX_DELIVERIES", 0);
    let is_long = deliveries > 0;
    let kills = if is_long { number("LETTERBOX_KILLS", 500) } else { 2 };
    let mut world = World::new(if is_long { 32 } else { 8 });
    let (mut round, started, mut reported) = (0, Instant::now(), Instant::now());
    while round < TROUBLES.len() || world.load.acknowledged() < deliveries || world.kills < kills {
        let (name, trouble, short, long) = TROUBLES[round % TROUBLES.len()];
        // In the long form as many in each part of the deliveries.
        let done = world.load.acknowledged();
        let is_due = if is_long { world.kills * deliveries < kills * done.max(1) } else { round % 6 == 1 };
        let most = if is_long { long } else { short };
        world.suffer(name, trouble, most, is_due && world.kills < kills);
        // It continues automatically.
        world.load.await_acknowledged(if is_long { deliveries / 600 + 10 } else { 10 });
        round += 1;
        if is_long && reported.elapsed() > REPORT {
            reported = Instant::now();
            println!(
                "{} of {deliveries} acknowledged, {} of {kills} kills, {round} faults, {} s",
                world.load.acknowledged(),
                world.kills,
                started.elapsed().as_secs()
            );
        }
    }
    let (folder, sent, killed, memory) = world.finish();
    sent.assert_only_delayed();
    let found = sent.find_in(&folder.path().join("letterbox.db"));
    let row = |name: &str, counts: &Counts| {
        let refused: u64 = counts.refused.values().sum();
        println!(
            "{name:<22} {:>9} {:>12} {refused:>9} {:>16} {:>8.1} s",
            counts.sent,
            counts.acknowledged,
            counts.unanswered,
            counts.slowest.as_secs_f64()
        );
    };
    println!(
        "{:<22} {:>9} {:>12} {:>9} {:>16} {:>10}",
        "fault", "sent", "acknowledged", "503", "without response", "slowest"
    );
    let mut all = Counts::default();
    for (name, counts) in &sent.counts {
        row(name, counts);
        all.sent += counts.sent;
        all.acknowledged += counts.acknowledged;
        all.unanswered += counts.unanswered;
        all.slowest = all.slowest.max(counts.slowest);
        *all.refused.entry(503).or_default() += counts.refused.values().sum::<u64>();
    }
    row("all", &all);
    println!(
        "{round} faults, {killed} kills; {} messages on the queue, {} of them copies, 0 lost; at most {} MiB of memory; {} s",
        found.messages,
        found.copies,
        memory / (1024 * 1024),
        started.elapsed().as_secs()
    );
    // Each was sent until it was acknowledged.
    assert_eq!(all.acknowledged, sent.acknowledged.len() as u64);
    assert_eq!(found.messages, all.acknowledged + found.copies);
    assert!(memory < MEMORY, "{memory} bytes");
}
