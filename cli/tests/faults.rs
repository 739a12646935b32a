//! Faults around a running `letterbox serve`: whatever happens, what it has acknowledged is on the queue, what it cannot
//! store it does not acknowledge, and once a fault is over it continues automatically.
//!
//! Each fault has a test of its own, and `mixture` runs all of them in turn under load, in a long form for any number of
//! deliveries and kills.

#[cfg(target_os = "linux")]
mod clock;
#[cfg(target_os = "linux")]
mod connections;
#[cfg(target_os = "linux")]
mod disk;
mod kills;
mod load;
mod locks;
#[cfg(target_os = "linux")]
mod mixture;
#[cfg(target_os = "linux")]
mod repeating;
#[cfg(target_os = "linux")]
mod system;

use std::{
    env,
    hash::{BuildHasher, RandomState},
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    program::{letterbox, text},
    strangers::{exchange, status},
};

/// Added to every time limit, because the machine may be busy.
const SLACK: Duration = Duration::from_secs(20);

/// What `letterbox sign` prints: a delivery as bytes of HTTP/1.1.
fn signed(folder: &Path, sample: &[&str], url: &str) -> Vec<u8> {
    let output = letterbox(folder, &[&["sign", "--as", "raw", "--to", url], sample].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    output.stdout
}

/// Sends a delivery, and returns its status with the time that the response took.
fn timed(url: &str, delivery: &[u8]) -> (u16, Duration) {
    let started = Instant::now();
    (status(&exchange(url, delivery)), started.elapsed())
}

/// The number that an environment variable sets, for a longer form of a test.
fn number(variable: &str, otherwise: u64) -> u64 {
    env::var(variable).map_or(otherwise, |number| number.parse().unwrap())
}

/// A random number below `end`.
fn random(end: u64) -> u64 {
    RandomState::new().hash_one(()) % end
}

/// A random time of at most so many milliseconds.
fn moment(most: u64) -> Duration {
    Duration::from_micros(random(most * 1000 + 1))
}
