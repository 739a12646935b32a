//! One replay: what it does, and how far it is.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use letterbox_intake::Outcome;
use tokio::{
    runtime::Handle,
    sync::watch,
    task,
    time::{Instant, sleep},
};

use super::super::{
    super::view::replay::{Counts, End, Ended, Planned, RefusedAgain, State},
    key,
    target::Target,
};
use crate::{
    doctor::archived,
    local::reception::now,
    stack::{
        archive::{ArchivedDelivery, Filter, Order, Progress},
        credentials::StackCredentials,
        replay::{
            self, Failure, Journal, LOST, Pace, Replayed, Step, Stopped, Targets, Ways, journal::Header,
        },
    },
};

/// A replay is stopped if no browser has shown it for this time.
const LEASE: Duration = Duration::from_secs(10);

/// How many deliveries are replayed at once.
const AT_ONCE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);

/// How many of those that are refused again are listed, and diagnosed.
const LISTED: usize = 20;

/// How often the progress is updated at most.
const UPDATE: Duration = Duration::from_millis(100);

/// The replays of a page, one after another.
#[derive(Default)]
pub struct Replays(Mutex<Option<Arc<Job>>>);

/// One replay.
pub struct Job {
    /// What names it in the page's forms. No two replays of a server share it.
    pub number: u64,
    /// The query string of the list that it was started from.
    pub query: String,
    /// How far it is.
    state: watch::Sender<State>,
    stop: watch::Sender<bool>,
    seen: Mutex<Instant>,
    filter: Filter,
    ways: Mutex<Option<Ways>>,
}

impl Replays {
    /// The latest replay.
    pub fn current(&self) -> Option<Arc<Job>> {
        self.lock().clone()
    }

    /// Starts to plan a replay, in place of one that is not running. `None` if one is running.
    pub fn plan(&self, target: Arc<Target>, filter: Filter, query: String) -> Option<Arc<Job>> {
        let mut current = self.lock();
        let mut number = 1;
        if let Some(before) = &*current {
            if matches!(*before.state.borrow(), State::Running(..)) {
                return None;
            }
            before.stop.send_replace(true);
            number = before.number.saturating_add(1);
        }
        let job = Arc::new(Job {
            number,
            query,
            state: watch::Sender::new(State::Planning { records: 0, found: 0 }),
            stop: watch::Sender::new(false),
            seen: Mutex::new(Instant::now()),
            filter,
            ways: Mutex::default(),
        });
        *current = Some(Arc::clone(&job));
        let planned = Arc::clone(&job);
        // These futures are not `Send`, and the journal's writes block.
        let runtime = Handle::current();
        task::spawn_blocking(move || runtime.block_on(planned.make_plan(&target)));
        tokio::spawn(expire(Arc::clone(&job)));
        Some(job)
    }

    /// Begins what was planned. Without effect unless that is the latest plan: it runs once, however often it is confirmed.
    pub fn run(&self, target: Arc<Target>, number: u64, rate: f64) {
        let current = self.lock();
        let Some(job) = current.as_ref().filter(|job| job.number == number).cloned() else { return };
        let State::Planned(planned) = job.state.borrow().clone() else { return };
        if planned.plan.total() == 0 {
            return;
        }
        job.look();
        job.state.send_replace(State::Running(Arc::clone(&planned), Counts::default()));
        let runtime = Handle::current();
        task::spawn_blocking(move || runtime.block_on(job.run(&target, planned, rate)));
    }

    /// Stops the replay after what it has begun.
    pub fn cancel(&self, number: u64) {
        if let Some(job) = self.current().filter(|job| job.number == number) {
            job.stop();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Job>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stops the replay once no browser shows it any more.
async fn expire(job: Arc<Job>) {
    loop {
        sleep(Duration::from_secs(1)).await;
        let is_idle = job.seen.lock().unwrap_or_else(PoisonError::into_inner).elapsed() > LEASE;
        let state = job.state.borrow().clone();
        match state {
            State::Planning { .. } | State::Running(..) if is_idle => job.stop(),
            State::Ended(..) | State::Cancelled | State::Failed(_) => return,
            _ => {}
        }
        if *job.stop.borrow() {
            return;
        }
    }
}

impl Job {
    /// Records that a browser shows it.
    pub fn look(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// True if no outcome was chosen: it replays what is not on the queue.
    pub fn is_lost(&self) -> bool {
        self.filter.outcomes == LOST
    }

    /// How far it is, now and later.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    fn stop(&self) {
        self.stop.send_replace(true);
        self.state.send_if_modified(|state| {
            let is_waiting = matches!(state, State::Planned(_));
            if is_waiting {
                *state = State::Cancelled;
            }
            is_waiting
        });
    }

    async fn make_plan(&self, target: &Target) {
        let mut stop = self.stop.subscribe();
        tokio::select! {
            state = self.planned(target) => {
                self.state.send_replace(state);
            }
            _ = stop.wait_for(|stop| *stop) => {
                self.state.send_replace(State::Cancelled);
            }
        }
    }

    async fn planned(&self, target: &Target) -> State {
        let Some(targets) = Targets::of(&target.account, &target.stack).await else {
            return State::Failed("the stack has no output QueueUrl: it is no stack of Letterbox".to_owned());
        };
        let mut ways = Ways::new(targets.providers());
        let mut credentials = StackCredentials::of(&target.account, &target.stack);
        let is_masked = async |delivery: &ArchivedDelivery| {
            let known = credentials.of_provider(&delivery.record.provider).await;
            known.is_ok_and(|credentials| archived::is_masked(delivery, credentials))
        };
        let mut updated = Instant::now();
        let reading = |plan: &replay::Plan, progress: &Progress| {
            if updated.elapsed() > UPDATE {
                updated = Instant::now();
                let found = plan.total().saturating_add(plan.impossible());
                self.state.send_replace(State::Planning { records: progress.records, found });
            }
        };
        match ways.plan(&target.archive, &self.filter, None, is_masked, reading).await {
            Ok((plan, progress)) => {
                *self.ways.lock().unwrap_or_else(PoisonError::into_inner) = Some(ways);
                State::Planned(Arc::new(Planned { plan, progress }))
            }
            Err(error) => State::Failed(error.to_string()),
        }
    }

    async fn run(&self, target: &Target, planned: Arc<Planned>, rate: f64) {
        let mut counts = Counts::default();
        let ended = self.replayed(target, &planned, rate, &mut counts).await;
        let ended = ended.unwrap_or_else(|reason| Ended { end: End::Failed(reason), journal: None });
        self.state.send_replace(State::Ended(planned, counts, ended));
    }

    /// Replays what was planned. The error says why it did not begin, or why its journal is left although all is done.
    async fn replayed(
        &self,
        target: &Target,
        planned: &Arc<Planned>,
        rate: f64,
        counts: &mut Counts,
    ) -> Result<Ended, String> {
        let ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ways = ways.ok_or("there is no plan")?;
        let targets = Targets::of(&target.account, &target.stack).await;
        let targets = Arc::new(targets.ok_or("the stack has no output QueueUrl")?);
        let mut filter = self.filter.clone();
        // Exactly what was planned: not what has arrived in the archive since then.
        filter.stored_by = planned.progress.stored_by;
        let header =
            Header { version: Header::VERSION, stack: target.stack.id.clone(), filter: filter.clone() };
        let path = Journal::default_path(now());
        let mut journal = Journal::create(&path, header)?;
        let mut credentials = StackCredentials::of(&target.account, &target.stack);
        let mut diagnosed: BTreeMap<(String, String, String), usize> = BTreeMap::new();
        let mut updated = Instant::now();
        let summary = replay::run(
            target.archive.read(Order::OldestFirst, filter),
            targets,
            &mut journal,
            Pace { rate, at_once: AT_ONCE },
            self.stop.subscribe(),
            |delivery| ways.of(delivery),
            async |step| {
                counts.add(&step);
                if let Some(mut refused) = refused_again(&step) {
                    let source = (refused.provider.clone(), refused.source.clone(), refused.reason.clone());
                    let number = diagnosed.entry(source).or_default();
                    *number = number.saturating_add(1);
                    if *number <= LISTED {
                        let known = credentials.of_provider(&refused.provider).await;
                        let report = known.and_then(|known| archived::report(&step.delivery, known));
                        refused.cause = report.map_or_else(Some, |report| report.cause.map(str::to_owned));
                        counts.listed.push(refused);
                    }
                }
                if updated.elapsed() > UPDATE {
                    updated = Instant::now();
                    self.state.send_replace(State::Running(Arc::clone(planned), counts.clone()));
                }
            },
        )
        .await;
        let is_all = counts.done() >= planned.plan.total();
        let end = match summary {
            Err(error) => End::Failed(error.to_string()),
            Ok(summary) => match summary.stopped {
                Some(Stopped::Failed(reason)) => End::Failed(reason),
                Some(Stopped::Asked) if !is_all => End::Asked,
                _ => End::Complete,
            },
        };
        if counts.failed > 0 || !matches!(end, End::Complete) {
            return Ok(Ended { end, journal: Some(journal.path().to_owned()) });
        }
        journal.remove()?;
        Ok(Ended { end, journal: None })
    }
}

/// What is listed of a delivery that was refused again.
fn refused_again(Step { delivery, replayed }: &Step) -> Option<RefusedAgain> {
    let Replayed::Judged(verdict) = replayed else { return None };
    (verdict.outcome == Outcome::Refused).then(|| RefusedAgain {
        key: key::key(&delivery.position()),
        provider: delivery.record.provider.clone(),
        source: delivery.record.source.clone(),
        received: delivery.record.time,
        reason: verdict.reason.clone().unwrap_or_default(),
        cause: None,
    })
}

impl Counts {
    fn add(&mut self, step: &Step) {
        let count = match &step.replayed {
            Replayed::Judged(verdict) => match verdict.outcome {
                Outcome::Queued => &mut self.queued,
                Outcome::Answered => &mut self.nothing,
                Outcome::Refused => &mut self.refused,
                Outcome::Failed | Outcome::Unqueued => &mut self.failed,
            },
            Replayed::SameEvent => &mut self.nothing,
            Replayed::Failed(Failure::OfAll(reason) | Failure::OfThis(reason)) => {
                self.failure = Some(reason.clone());
                &mut self.failed
            }
        };
        *count = count.saturating_add(1);
    }
}
