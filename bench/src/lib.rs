//! Shared parts of what `make bench` runs.

use std::time::{Duration, Instant};

/// How long one round of a measurement takes at least.
const ROUND: Duration = Duration::from_millis(4);

/// Something that is measured.
pub struct Subject<'a> {
    /// Its name in the results.
    pub name: String,
    /// What one call does.
    pub run: Box<dyn FnMut() + 'a>,
}

impl<'a> Subject<'a> {
    /// A subject with this name.
    pub fn new(name: impl Into<String>, run: impl FnMut() + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

/// What was measured of one subject: seconds a call.
#[derive(Debug)]
pub struct Measured {
    /// The subject.
    pub name: String,
    /// The median of all rounds.
    pub median: f64,
    /// The first and the third quartile.
    pub quartiles: (f64, f64),
}

/// Measures subjects in turn, `rounds` times, so that whatever else the machine does meets all of them alike.
pub fn interleaved(rounds: usize, mut subjects: Vec<Subject<'_>>) -> Vec<Measured> {
    let calls: Vec<u32> = subjects.iter_mut().map(|subject| calls(&mut subject.run)).collect();
    let mut seconds = vec![Vec::with_capacity(rounds); subjects.len()];
    for _ in 0..rounds {
        for ((subject, calls), seconds) in subjects.iter_mut().zip(&calls).zip(&mut seconds) {
            let started = Instant::now();
            for _ in 0..*calls {
                (subject.run)();
            }
            seconds.push(started.elapsed().as_secs_f64() / f64::from(*calls));
        }
    }
    let measured = subjects.into_iter().zip(seconds).map(|(subject, mut seconds)| {
        seconds.sort_unstable_by(f64::total_cmp);
        let at = |part: usize| seconds.get(seconds.len() * part / 4).copied().unwrap_or(f64::NAN);
        Measured { name: subject.name, median: at(2), quartiles: (at(1), at(3)) }
    });
    measured.collect()
}

/// How many calls take about [`ROUND`].
fn calls(run: &mut dyn FnMut()) -> u32 {
    let mut calls = 1_u32;
    loop {
        let started = Instant::now();
        for _ in 0..calls {
            run();
        }
        if started.elapsed() >= ROUND || calls >= 1 << 24 {
            return calls;
        }
        calls *= 2;
    }
}

/// The argument at a position, as a number.
pub fn number(position: usize, otherwise: usize) -> usize {
    std::env::args().nth(position).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}
