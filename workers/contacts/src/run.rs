//! A run over the corps: one at a time for each corp.

use letterbox_codec::Timestamp;
use letterbox_intake::ambient;
use letterbox_outbound::{lease, store::Store};

use crate::{
    actual::Actual,
    dry::Dry,
    end::{Clock, End},
    look::look,
    model::Hints,
    model::Visible,
    picture::Picture,
    proof::Proof,
    report::{CorpReport, Report},
    settings::{Corp, Corps},
    source::Source,
    state::{Last, RunSummary, State, Table, partition},
    target::Target,
    trouble::Meaning,
    walk::walk,
    work::Work,
};

/// Left at the end of a run for its report, in milliseconds.
const RESERVE: i64 = 25_000;

/// How a run reaches the two platforms. `clients::Platforms` does so over HTTPS, and keeps tokens from one run to the next.
pub trait Connect: Send + Sync {
    /// The directory that is read.
    fn source<'a>(&'a self, corp: &'a Corp) -> Box<dyn Source + 'a>;

    /// The directory that is written.
    fn target<'a>(&'a self, corp: &'a Corp) -> Box<dyn Target + 'a>;
}

/// What a run is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Everything: the nightly run, and those of the command line.
    #[default]
    All,
    /// What events named.
    Hints(Hints),
}

/// How a run works.
pub struct Mode<'a> {
    /// What it is about.
    pub scope: Scope,
    /// True for a plan: nothing is written, neither to WeCom nor to the state, and no lease is taken.
    pub is_dry: bool,
    /// The code of a halt: removals of exactly this code pass the guard.
    pub approve: Option<String>,
    /// True for a terminal: names stand in the changes, and all changes are listed.
    pub is_for_terminal: bool,
    /// The longest that it may take, in milliseconds. It ends some seconds before.
    pub milliseconds: i64,
    /// Asked before each call: true ends the run after the present one, as Ctrl-C does.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// Receives each step.
    pub progress: &'a (dyn Fn(&str) + Sync),
}

/// Runs for every corp, or for the one of that name. A corp that fails does not stop the others: its report says why.
pub async fn run(
    corps: &Corps,
    only: Option<&str>,
    connect: &dyn Connect,
    store: &dyn Store,
    mode: &Mode<'_>,
) -> Report {
    let mut report = Report { dry_run: mode.is_dry, ..Report::default() };
    for corp in corps.iter().filter(|corp| only.is_none_or(|name| name == corp.name)) {
        report.corps.push(run_corp(corp, connect, store, mode).await);
    }
    report
}

/// Runs for one corp.
pub async fn run_corp(corp: &Corp, connect: &dyn Connect, store: &dyn Store, mode: &Mode<'_>) -> CorpReport {
    run_at(corp, connect, store, mode, &|| ambient::now().0).await
}

/// Runs for one corp by a clock, in milliseconds since the epoch.
pub async fn run_at(
    corp: &Corp,
    connect: &dyn Connect,
    store: &dyn Store,
    mode: &Mode<'_>,
    now: &(dyn Fn() -> i64 + Sync),
) -> CorpReport {
    let mut report = CorpReport::new(&corp.name);
    let began = now();
    let ends = Timestamp(began.saturating_add(mode.milliseconds));
    let mut held = None;
    if !mode.is_dry {
        match lease::acquire(store, &partition(&corp.name), Timestamp(began), ends).await {
            Ok(Some(lease)) => held = Some(lease),
            Ok(None) => {
                report.busy = true;
                return report;
            }
            Err(error) => {
                report.error = Some(error.to_string());
                return report;
            }
        }
    }
    let source = connect.source(corp);
    let real = connect.target(corp);
    let dry = Dry(&*real);
    let state = match State::load(store, &corp.name).await {
        Ok(state) => state,
        Err(error) => {
            report.error = Some(error.to_string());
            State::default()
        }
    };
    if report.error.is_none() {
        let reserve = RESERVE.min(mode.milliseconds / 10);
        let mut work = Work {
            corp,
            source: &*source,
            target: if mode.is_dry { &dry } else { &*real },
            table: Table::new((!mode.is_dry).then_some(store), &corp.name),
            state,
            picture: Picture::default(),
            actual: Actual::default(),
            report,
            clock: Clock { now, ends: ends.0.saturating_sub(reserve), stop: mode.stop },
            progress: mode.progress,
            is_for_terminal: mode.is_for_terminal,
            only_additions: false,
            is_full: false,
            failures: 0,
        };
        let ended = phases(&mut work, mode).await;
        report = finish(work, mode, began, ended).await;
    }
    if let Some(lease) = held {
        lease::release(store, lease).await;
    }
    report
}

/// Reads, judges, writes.
async fn phases(work: &mut Work<'_>, mode: &Mode<'_>) -> Result<(), End> {
    (work.progress)("reading DingTalk");
    let mut proof = match &mode.scope {
        Scope::All => {
            work.picture = walk(work.corp, work.source, &work.clock, mode.progress).await?;
            if let Some(lack) = work.picture.visible.as_ref().and_then(Visible::lacks_contact) {
                work.report.note(lack);
            }
            work.read_target().await?;
            if work.corp.roles {
                work.read_roles().await?;
            }
            work.prove().await?
        }
        Scope::Hints(hints) => {
            work.picture = look(work.corp, work.source, &work.state, hints, &work.clock).await?;
            work.prove_hints().await?
        }
    };
    for (what, trouble) in std::mem::take(&mut work.picture.unread) {
        work.report.note(format!("{what}: {trouble}"));
        if trouble.meaning == Meaning::Retry {
            work.report.counts.failed = work.report.counts.failed.saturating_add(1);
        }
    }
    let is_approved = judge(work, mode, &mut proof).await?;
    work.departments().await?;
    work.people().await?;
    if !work.picture.is_complete {
        work.managers_of_hints().await?;
    } else if work.corp.managers {
        work.managers().await?;
    }
    if work.corp.roles {
        work.tags().await?;
    }
    if !work.only_additions {
        work.remove(&proof.removals).await?;
    }
    if is_approved {
        // What was approved and removed does not count for the next run.
        let last = Last { approved: Some((work.clock.now)()), ..work.state.last.clone() };
        work.table.last(&mut work.state, last).await?;
    }
    if work.picture.is_complete {
        work.forget_conflicts().await?;
    }
    Ok(())
}

/// Lets the guard judge before the first write. True if removals that it objects to were approved.
async fn judge(work: &mut Work<'_>, mode: &Mode<'_>, proof: &mut Proof) -> Result<bool, End> {
    let judged = |work: &Work<'_>, proof: &Proof| {
        let (before, all) = work.amounts();
        let now = Timestamp((work.clock.now)());
        work.corp.guard.judge(&work.corp.hash_key, &proof.removals, before, all, &proof.doubts, now)
    };
    let mut halt = judged(work, proof);
    let is_approved = halt.as_ref().is_some_and(|halt| mode.approve.as_ref() == Some(&halt.code));
    if !proof.is_confirmed && (halt.is_none() || is_approved) {
        work.confirm(proof).await?;
        halt = if is_approved { None } else { judged(work, proof) };
    }
    if is_approved {
        halt = None;
    }
    if let (Some(code), false) = (&mode.approve, is_approved) {
        let why = if halt.is_some() {
            "these are not the removals that were approved: look at the plan again"
        } else {
            "there is nothing to approve"
        };
        work.report.note(format!("{code}: {why}"));
    }
    for doubt in &proof.doubts {
        work.report.note(doubt.clone());
    }
    work.only_additions = halt.is_some();
    if work.picture.is_complete {
        if let (Some(halt), Some(known)) = (&mut halt, &work.state.halt)
            && known.code == halt.code
        {
            halt.since.clone_from(&known.since);
        }
        work.table.halt(&mut work.state, halt.clone()).await?;
        if is_approved || (halt.is_none() && proof.doubts.is_empty()) {
            let mut last = work.state.last.clone();
            last.visible.clone_from(&work.picture.visible);
            if last != work.state.last {
                work.table.last(&mut work.state, last).await?;
            }
        }
    }
    work.report.halt = halt;
    Ok(is_approved)
}

/// Completes the report, and notes the run.
async fn finish(mut work: Work<'_>, mode: &Mode<'_>, began: i64, ended: Result<(), End>) -> CorpReport {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    work.report.people = count(work.picture.people.len());
    work.report.departments = count(work.picture.departments.len());
    work.report.counts.parked = count(work.state.conflicts.len());
    match ended {
        Ok(()) => {}
        Err(End::Unfinished(why)) => work.report.unfinished = Some(why),
        Err(End::Failed(why)) => work.report.error = Some(why),
    }
    let report = &work.report;
    let halted = report.halt.as_ref().map(|halt| halt.reasons.join("; "));
    let summary = RunSummary {
        started: Timestamp(began).to_string(),
        ended: Timestamp((work.clock.now)()).to_string(),
        counts: report.counts,
        people: report.people,
        departments: report.departments,
        unfinished: report.unfinished.clone(),
        error: report.error.clone().or(halted),
    };
    let mut last = work.state.last.clone();
    match mode.scope {
        Scope::All => last.all = Some(summary),
        Scope::Hints(_) => last.events = Some(summary),
    }
    if let Err(error) = work.table.last(&mut work.state, last).await {
        work.report.error.get_or_insert_with(|| error.to_string());
    }
    work.report
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
