//! `letterbox send --repeat`: sends many deliveries and prints a summary.

use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroUsize},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use letterbox_codec::platform::{DeliveryPolicy, Sample};
use letterbox_intake::ambient;

use crate::{
    commands::CommandError,
    sender::{
        delivery::OutgoingDelivery,
        post::{LONGEST, Post},
        repeat,
    },
    statistics::percentile,
    terminal::{BAD, DOUBTFUL, GOOD, QUIET, milliseconds, print_line},
    time::span,
};

/// A delivery that starts later than this after its due time means that the requested rate is not reached.
const LAG: Duration = Duration::from_millis(250);

/// The number and rate of deliveries.
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// Send N deliveries, each signed or encrypted separately, with its own event id, and print a summary
    #[arg(long, value_name = "N")]
    pub repeat: Option<NonZeroU32>,
    /// Start them at this rate, such as 50/s; without it, each after an earlier response
    #[arg(long, value_name = "N/s", requires = "repeat", value_parser = rate)]
    pub rate: Option<f64>,
    /// The maximum number of concurrent deliveries
    #[arg(long, value_name = "N", requires = "repeat", default_value = "8")]
    pub at_once: NonZeroUsize,
    /// Send the same event in all deliveries, as a platform's retries do: a FIFO queue accepts it once
    #[arg(long, requires = "repeat")]
    pub identical: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text).parse().ok();
    // Within the range of `Duration`.
    number
        .filter(|rate| (0.001..=1_000_000.0).contains(rate))
        .ok_or_else(|| "expected deliveries per second, such as 50/s or 0.5/s".to_owned())
}

/// The result of one delivery.
#[derive(Clone)]
struct DeliveryResult {
    /// The latency, if there was a response.
    took: Option<Duration>,
    /// How long after its due time it started.
    lag: Duration,
    /// The reason for which the platform would count it as failed.
    verdict: Result<(), String>,
}

/// Sends `count` deliveries with a progress bar, and prints the summary.
pub fn run(delivery: &OutgoingDelivery, options: &LoadArgs, count: u32) -> Result<(), CommandError> {
    let load = Load::new(delivery, options).map_err(CommandError::Usage)?;
    let bar = ProgressBar::new(count.into());
    let style = "{bar:40} {pos}/{len}  {per_sec}  {eta} left{msg}";
    bar.set_style(ProgressStyle::with_template(style).map_err(CommandError::failed)?);
    let next = AtomicU32::new(0);
    let failed = AtomicU32::new(0);
    let started = Instant::now();
    let work = || {
        let mut results = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return results;
            }
            let result = load.one(number, started);
            if result.verdict.is_err() {
                bar.set_message(format!("  {} failed", failed.fetch_add(1, Ordering::Relaxed) + 1));
            }
            bar.inc(1);
            results.push(result);
        }
    };
    let results = thread::scope(|scope| {
        let workers = options.at_once.get().min(count as usize);
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(thread::ScopedJoinHandle::join).collect::<Result<Vec<_>, _>>()
    });
    // A summary without the panicked worker's deliveries would be wrong.
    let results =
        results.map_err(|_| CommandError::failed("a worker thread panicked; its message is above"))?.concat();
    let took = started.elapsed();
    bar.finish_and_clear();
    summary(delivery.platform.name(), &load.policy, &results, took, options)
}

/// The state that all deliveries share.
struct Load<'a> {
    delivery: &'a OutgoingDelivery,
    policy: DeliveryPolicy,
    post: Post,
    /// The interval between two starts.
    step: Duration,
    /// The id fields, and this run's suffix for them; `None` if all deliveries carry the same event.
    id_suffix: Option<(Vec<String>, String)>,
}

impl<'a> Load<'a> {
    /// Builds one request first, so that an error shows before anything is sent.
    fn new(delivery: &'a OutgoingDelivery, options: &LoadArgs) -> Result<Self, String> {
        let ambient = ambient::system().map_err(|error| error.to_string())?;
        delivery.build_request(&ambient)?;
        let (run, _) = ambient.split::<4, 0>();
        let run = format!("{:08x}", u32::from_be_bytes(run));
        let entry = delivery.entry()?;
        let ids = entry.id_members().into_iter().map(str::to_owned).collect();
        Ok(Self {
            delivery,
            policy: entry.delivery_policy(),
            post: Post::new(LONGEST, options.at_once.get()),
            step: options.rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate)),
            id_suffix: (!options.identical).then_some((ids, run)),
        })
    }

    fn one(&self, number: u32, started: Instant) -> DeliveryResult {
        let due = self.step.saturating_mul(number);
        thread::sleep(due.saturating_sub(started.elapsed()));
        let lag = if self.step.is_zero() { Duration::ZERO } else { started.elapsed().saturating_sub(due) };
        let answer = self.build_request(number).and_then(|request| Ok((self.post.send(&request)?, request)));
        match answer {
            Ok((answer, request)) => {
                let verdict = self.delivery.judge(&self.policy, &request, &answer).map(drop);
                DeliveryResult { took: Some(answer.took), lag, verdict }
            }
            Err(unsent) => DeliveryResult { took: None, lag, verdict: Err(unsent) },
        }
    }

    fn build_request(&self, number: u32) -> Result<letterbox_codec::Request, String> {
        let ambient = ambient::system().map_err(|error| error.to_string())?;
        let Some((ids, run)) = &self.id_suffix else { return self.delivery.build_request(&ambient) };
        let Sample { name, payload } = &self.delivery.sample;
        let payload = repeat::event(payload, ids, &format!("{run}-{number}"));
        self.delivery.build_request_for(&Sample { name: name.clone(), payload }, &ambient)
    }
}

/// Prints the summary. Returns an error with the number of failures, if there are any.
fn summary(
    provider: &str,
    policy: &DeliveryPolicy,
    results: &[DeliveryResult],
    took: Duration,
    options: &LoadArgs,
) -> Result<(), CommandError> {
    let count = results.len();
    let mut failures: BTreeMap<&str, usize> = BTreeMap::new();
    for result in results {
        if let Err(failed) = &result.verdict {
            *failures.entry(failed).or_default() += 1;
        }
    }
    let failed: usize = failures.values().sum();
    let seconds = took.as_secs_f64();
    let a_second = f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / seconds;
    print_line(QUIET, &format!("{count} deliveries in {seconds:.1} s, {a_second:.1}/s"))?;
    print_line(GOOD, &format!("{:>8} answered as {provider} expects: {}", count - failed, policy.checks))?;
    for (why, times) in failures {
        print_line(BAD, &format!("{times:>8} failed: {why}"))?;
    }
    let mut times: Vec<_> = results.iter().filter_map(|result| result.took).collect();
    times.sort_unstable();
    let limit = policy.timeout.map(|timeout| format!(" ({provider} waits {})", span(timeout)));
    if let Some(latency) = latency(&times) {
        print_line(QUIET, &format!("latency: {latency}{}", limit.unwrap_or_default()))?;
    }
    let lag = results.iter().map(|result| result.lag).max().unwrap_or_default();
    if lag > LAG {
        let at_once = options.at_once;
        print_line(
            DOUBTFUL,
            &format!(
                "! up to {} behind the requested rate; raise --at-once (now {at_once})",
                milliseconds(lag)
            ),
        )?;
    }
    if failed == 0 {
        Ok(())
    } else {
        Err(CommandError::Refused(format!("{failed} of {count} deliveries failed")))
    }
}

/// Minimum, percentiles and maximum of sorted times.
fn latency(sorted: &[Duration]) -> Option<String> {
    let at = |percent| percentile(sorted, percent).map(milliseconds);
    let (least, most) = (milliseconds(*sorted.first()?), milliseconds(*sorted.last()?));
    Some(format!("least {least}, median {}, 90 % {}, 99 % {}, most {most}", at(50)?, at(90)?, at(99)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_shows_minimum_percentiles_and_maximum() {
        let times = |count| (1..=count).map(Duration::from_millis).collect::<Vec<_>>();
        assert_eq!(
            latency(&times(10)).unwrap(),
            "least 1.0 ms, median 5.0 ms, 90 % 9.0 ms, 99 % 10.0 ms, most 10.0 ms"
        );
        assert_eq!(latency(&[]), None);
    }

    #[test]
    fn a_rate_is_deliveries_per_second() {
        for (text, expected) in [
            ("50/s", Some(50.0)),
            ("0.5", Some(0.5)),
            ("0/s", None),
            ("-1", None),
            ("NaN", None),
            ("1/min", None),
        ] {
            assert_eq!(rate(text).ok(), expected, "{text}");
        }
    }
}
