//! Standard output and standard error of the server. A thread for each writes them, so that a full pipe or a terminal
//! stopped with Ctrl-S delays no response.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, SyncSender, TrySendError},
    },
    thread,
    time::{Duration, Instant},
};

use crate::terminal::{complain, print};

/// The maximum number of lines that wait to be written; further lines are dropped and counted.
const WAITING: usize = 1024;

/// The output streams of the server.
#[derive(Clone, Debug)]
pub struct Console {
    output: Lane,
    errors: Lane,
}

/// One of the two streams.
#[derive(Clone, Debug)]
struct Lane {
    lines: SyncSender<Line>,
    unwritten: Arc<AtomicU64>,
}

enum Line {
    Text(String),
    /// Acknowledged once everything before it is written.
    Flush(SyncSender<()>),
}

impl Console {
    /// Writes to the process's standard output and standard error.
    pub fn start() -> Self {
        Self {
            output: Lane::start(print, |unwritten| {
                format!("letterbox: {unwritten} lines dropped: standard output was not read fast enough\n")
            }),
            errors: Lane::start(complain, |unwritten| {
                format!("{unwritten} messages dropped: standard error was not read fast enough")
            }),
        }
    }

    /// Writes text to standard output.
    pub fn print(&self, text: String) {
        self.output.write(text);
    }

    /// Writes an error to standard error.
    pub fn complain(&self, error: String) {
        self.errors.write(error);
    }

    /// Returns once everything is written, or after `limit`.
    pub fn flush(&self, limit: Duration) {
        let end = Instant::now() + limit;
        self.output.flush(end);
        self.errors.flush(end);
    }
}

impl Lane {
    fn start(write: fn(&str), missing: fn(u64) -> String) -> Self {
        let (lines, waiting) = mpsc::sync_channel(WAITING);
        let unwritten = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&unwritten);
        thread::spawn(move || run(&waiting, &counted, write, missing));
        Self { lines, unwritten }
    }

    fn write(&self, text: String) {
        if self.lines.try_send(Line::Text(text)).is_err() {
            self.unwritten.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&self, end: Instant) {
        /// The pause between two attempts to write to a full queue.
        const PAUSE: Duration = Duration::from_millis(5);
        let (written, is_written) = mpsc::sync_channel(1);
        let mut flush = Line::Flush(written);
        while let Err(TrySendError::Full(again)) = self.lines.try_send(flush) {
            flush = again;
            if Instant::now() >= end {
                return;
            }
            thread::sleep(PAUSE);
        }
        let _ = is_written.recv_timeout(end.saturating_duration_since(Instant::now()));
    }
}

/// Writes the queued lines, then reports how many were dropped.
fn run(waiting: &Receiver<Line>, unwritten: &AtomicU64, write: fn(&str), missing: fn(u64) -> String) {
    let report = || match unwritten.swap(0, Ordering::Relaxed) {
        0 => {}
        number => write(&missing(number)),
    };
    while let Ok(line) = waiting.recv() {
        for line in std::iter::once(line).chain(waiting.try_iter()) {
            match line {
                Line::Text(text) => write(&text),
                Line::Flush(written) => {
                    report();
                    // The caller may have stopped waiting.
                    let _ = written.send(());
                }
            }
        }
        report();
    }
}
