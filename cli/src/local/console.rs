//! Standard output and standard error of the server. A thread for each writes them, so that a full pipe or a terminal
//! stopped with Ctrl-S delays no response.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError},
    },
    thread,
    time::{Duration, Instant},
};

use crate::terminal::{complain, print};

/// The maximum number of lines that wait to be written; further lines are dropped and counted.
const WAITING: usize = 1024;

/// How often the number of dropped lines is reported.
const REPORT: Duration = Duration::from_secs(1);

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
            output: Lane::start(print_all, |unwritten| {
                format!("letterbox: {unwritten} lines dropped: standard output was not read fast enough\n")
            }),
            errors: Lane::start(complain_all, |unwritten| {
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
    fn start(write: fn(&[String]), missing: fn(u64) -> String) -> Self {
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

/// Writes the queued lines, all that wait at once, and reports how many were dropped, at most once in [`REPORT`].
fn run(waiting: &Receiver<Line>, unwritten: &AtomicU64, write: fn(&[String]), missing: fn(u64) -> String) {
    let report = || match unwritten.swap(0, Ordering::Relaxed) {
        0 => false,
        number => {
            write(&[missing(number)]);
            true
        }
    };
    let mut lines = Vec::new();
    let mut reported: Option<Instant> = None;
    loop {
        let first = match reported.map(|reported| REPORT.saturating_sub(reported.elapsed())) {
            // Lines were dropped a moment ago, so there may be further ones to report.
            Some(rest) => match waiting.recv_timeout(rest) {
                Ok(line) => Some(line),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            },
            None => match waiting.recv() {
                Ok(line) => Some(line),
                Err(_) => return,
            },
        };
        for line in first.into_iter().chain(waiting.try_iter()) {
            match line {
                Line::Text(text) => lines.push(text),
                Line::Flush(written) => {
                    write(&lines);
                    lines.clear();
                    report();
                    // The caller may have stopped waiting.
                    let _ = written.send(());
                }
            }
            if lines.len() >= WAITING {
                write(&lines);
                lines.clear();
            }
        }
        write(&lines);
        lines.clear();
        if reported.is_none_or(|reported| reported.elapsed() >= REPORT) {
            reported = report().then(Instant::now);
        }
    }
}

/// One write for all lines: a write for each would take longer than the delivery that it is about.
fn print_all(lines: &[String]) {
    if !lines.is_empty() {
        print(&lines.concat());
    }
}

fn complain_all(lines: &[String]) {
    for line in lines {
        complain(line);
    }
}
