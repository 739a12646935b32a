//! Does a replay.

use std::{collections::BTreeMap, num::NonZeroUsize, sync::Arc, time::Duration};

use letterbox_intake::{Outcome, ambient, replay::Verdict};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    journal::{Done, Journal},
    plan::Way,
    targets::{Failure, Targets},
};
use crate::stack::{
    AwsError,
    archive::{ArchivedDelivery, Reader},
};

/// So many deliveries in a row that could not be replayed end the run: something is wrong that concerns all.
const MOST_FAILURES: u64 = 10;

/// How fast.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Deliveries a second.
    pub rate: f64,
    /// How many at once.
    pub at_once: NonZeroUsize,
}

/// What became of one delivery.
#[derive(Debug)]
pub enum Replayed {
    /// Replayed, with this result.
    Judged(Verdict),
    /// Its event is on the queue already: another delivery of this replay has the same one.
    SameEvent,
    /// It could not be replayed now.
    Failed(Failure),
}

/// One step of a run.
#[derive(Debug)]
pub struct Step {
    /// The delivery.
    pub delivery: ArchivedDelivery,
    /// What became of it.
    pub replayed: Replayed,
}

/// Why a run ended before its end.
#[derive(Debug)]
pub enum Stopped {
    /// It was stopped.
    Asked,
    /// An error that concerns all deliveries.
    Failed(String),
}

/// What a run has done.
#[derive(Debug, Default)]
pub struct Summary {
    /// Put on the queue.
    pub queued: u64,
    /// Judged without an event, or with an event that was on the queue already.
    pub nothing: u64,
    /// Refused again, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Not replayed.
    pub failed: u64,
    /// Why it ended early; `None` if it came to the end.
    pub stopped: Option<Stopped>,
}

impl Summary {
    /// How many were judged.
    pub fn judged(&self) -> u64 {
        self.queued.saturating_add(self.nothing).saturating_add(self.refused.values().sum())
    }

    fn count(&mut self, replayed: &Replayed) {
        let count = match replayed {
            Replayed::Judged(verdict) => match verdict.outcome {
                Outcome::Queued => &mut self.queued,
                Outcome::Answered => &mut self.nothing,
                Outcome::Refused => {
                    self.refused.entry(verdict.reason.clone().unwrap_or_default()).or_default()
                }
                Outcome::Failed | Outcome::Unqueued => &mut self.failed,
            },
            Replayed::SameEvent => &mut self.nothing,
            Replayed::Failed(_) => &mut self.failed,
        };
        *count = count.saturating_add(1);
    }
}

/// Replays what the reader returns and the journal does not have, and calls `report` with each once it is in the journal.
/// Ends early, after what it has begun, once `stop` is true.
///
/// The way of a delivery is what `way` says.
pub async fn run(
    mut reader: Reader,
    targets: Arc<Targets>,
    journal: &mut Journal,
    pace: Pace,
    mut stop: watch::Receiver<bool>,
    way: impl Fn(&ArchivedDelivery) -> Way,
    mut report: impl AsyncFnMut(Step),
) -> Result<Summary, AwsError> {
    let interval = Duration::from_secs_f64(1.0 / pace.rate);
    let mut summary = Summary::default();
    let mut running: JoinSet<Step> = JoinSet::new();
    let mut due = Instant::now();
    let mut failures = 0_u64;
    let mut is_over = false;
    let mut error = None;
    loop {
        if *stop.borrow() && summary.stopped.is_none() {
            summary.stopped = Some(Stopped::Asked);
        }
        is_over |= summary.stopped.is_some() || error.is_some();
        if is_over && running.is_empty() {
            return error.map_or(Ok(summary), Err);
        }
        let has_room = !is_over && running.len() < pace.at_once.get();
        tokio::select! {
            // What is done is written down before anything else is begun.
            biased;
            Some(ended) = running.join_next(), if !running.is_empty() => {
                let mut steps = vec![ended];
                steps.extend(std::iter::from_fn(|| running.try_join_next()));
                let steps: Vec<Step> = steps.into_iter().flatten().collect();
                let done: Vec<Done> = steps.iter().filter_map(done).collect();
                if let Err(reason) = journal.add(&done) {
                    // What was replayed and is not in the journal would be replayed again.
                    summary.stopped = Some(Stopped::Failed(reason));
                }
                for one in steps {
                    let is_failure = done_of(&one.replayed).is_none();
                    failures = if is_failure { failures.saturating_add(1) } else { 0 };
                    if let Some(reason) = fatal(&one.replayed, failures) {
                        summary.stopped.get_or_insert(Stopped::Failed(reason));
                    }
                    summary.count(&one.replayed);
                    report(one).await;
                }
            }
            () = asked(&mut stop), if !is_over => {}
            () = sleep_until(due), if has_room && due > Instant::now() => {}
            next = reader.next(), if has_room && due <= Instant::now() => match next {
                Err(failed) => error = Some(failed),
                Ok(None) => is_over = true,
                Ok(Some(delivery)) if journal.has(&delivery.request_id) => {}
                Ok(Some(delivery)) => {
                    let way = way(&delivery);
                    if let Some(step) = begin(delivery, way, journal, &targets) {
                        // A pause of the reading is not made up for.
                        due = due.max(Instant::now().checked_sub(interval).unwrap_or(due)) + interval;
                        running.spawn(step);
                    }
                }
            },
        }
    }
}

/// Waits until the run is stopped.
async fn asked(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The work of one delivery; `None` if there is none.
fn begin(
    delivery: ArchivedDelivery,
    way: Way,
    journal: &mut Journal,
    targets: &Arc<Targets>,
) -> Option<impl Future<Output = Step> + use<>> {
    if matches!(way, Way::Not(_)) {
        return None;
    }
    let event = delivery.record.id.as_ref().filter(|_| way == Way::Queue);
    let is_first = event.is_none_or(|id| journal.claim_event(&source(&delivery), id));
    let targets = Arc::clone(targets);
    Some(async move {
        let replayed = match (way, &delivery.record.message) {
            _ if !is_first => Ok(Replayed::SameEvent),
            (Way::Queue, Some(message)) => match ambient::system() {
                Ok(ambient) => targets.queue(message, ambient.now).await.map(Replayed::Judged),
                Err(error) => Err(Failure::OfAll(error.to_string())),
            },
            _ => targets.invoke(&delivery).await.map(Replayed::Judged),
        };
        Step { delivery, replayed: replayed.unwrap_or_else(Replayed::Failed) }
    })
}

/// The reason for which the run ends after this delivery.
fn fatal(replayed: &Replayed, failures: u64) -> Option<String> {
    match replayed {
        Replayed::Failed(Failure::OfAll(reason)) => Some(reason.clone()),
        Replayed::Failed(Failure::OfThis(reason)) if failures >= MOST_FAILURES => {
            Some(format!("{failures} deliveries in a row could not be replayed; the last one: {reason}"))
        }
        Replayed::Judged(_) if failures >= MOST_FAILURES => {
            Some(format!("the queue did not accept {failures} events in a row"))
        }
        _ => None,
    }
}

/// The source of the event of a delivery.
fn source(delivery: &ArchivedDelivery) -> String {
    format!("/{}/{}", delivery.record.provider, delivery.record.source)
}

/// The outcome's code, if the delivery is done with that.
fn done_of(replayed: &Replayed) -> Option<&'static str> {
    match replayed {
        Replayed::Judged(verdict) => match verdict.outcome {
            Outcome::Failed | Outcome::Unqueued => None,
            outcome => Some(outcome.as_str()),
        },
        Replayed::SameEvent => Some("same_event"),
        Replayed::Failed(_) => None,
    }
}

fn done(Step { delivery, replayed }: &Step) -> Option<Done> {
    let outcome = done_of(replayed)?.to_owned();
    let id = match replayed {
        Replayed::Judged(verdict) => verdict.id.clone(),
        _ => None,
    };
    let event = id.map(|id| (source(delivery), id));
    Some(Done { request: delivery.request_id.clone(), outcome, event })
}
