//! `letterbox stack replay`: puts deliveries of the archive on the queue again.

use std::{
    collections::BTreeMap,
    io::IsTerminal,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use letterbox_intake::{Outcome, ambient};
use serde_json::json;

use super::{
    args::{FilterArgs, StackArgs},
    cause::diagnose,
    plan,
    progress::Shown,
    session::{Session, command},
    shown::{line, unreadable},
};
use crate::{
    commands::CommandError,
    delivery_line::DeliveryLine,
    doctor::archived,
    interrupt::stop_at_ctrl_c,
    shell::word,
    stack::{
        archive::{ArchivedDelivery, Filter, Order},
        credentials::StackCredentials,
        replay::{
            self, Failure, Journal, Pace, Replayed, Step, Stopped, Summary, Targets, Ways, journal::Header,
        },
    },
    terminal::{BAD, DOUBTFUL, GOOD, QUIET, note, print, printable_json},
};

/// So many deliveries that are refused again are diagnosed, of each source and reason. The others of it most likely have the
/// same cause.
const DIAGNOSED: u64 = 20;

/// `letterbox stack replay`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  letterbox stack replay --stack letterbox --since 1d --dry-run
  letterbox stack replay --stack letterbox --since 1d --provider github
  letterbox stack replay --stack letterbox --since 2026-11-26T08:00:00Z --until 2026-11-26T09:30:00Z --rate 200 --yes
  letterbox stack replay --stack letterbox --since 2h --outcome queued --type 'github.push' --source acme
  letterbox stack replay --stack letterbox --id JKJaXmPLvHcESHA=
  letterbox stack replay --stack letterbox --resume letterbox-replay-20261127T032000Z.jsonl

Without --outcome, it replays what is not on the queue: refused, failed and unqueued deliveries. First it reads the archive \
and prints the plan; then it asks. Deliveries are replayed oldest first.

An accepted delivery is put on the queue as it was, with the same id and with replayedtime. A refused one goes to its \
function, which judges it with the keys of today as of the time of receipt; what is refused again is listed with its cause. \
The consumer may receive an event twice and has to recognise it by source and id, as always.

The journal is written to disk after each delivery. After Ctrl-C, an error or a crash, --resume with the journal goes on: \
no delivery is lost, and only those that were under way may be replayed twice. When all is done, the journal is removed.

AWS permissions: as for `stack deliveries`; lambda:InvokeFunction on the functions for refused deliveries; sqs:SendMessage \
on the queue and s3:PutObject on the bucket of large events for accepted ones; kms:GenerateDataKey and kms:Decrypt if the \
stack has a key of yours.

Exit codes: 0 everything is on the queue; 1 some are refused again or could not be replayed; 2 usage error.")]
pub struct Replay {
    /// The stack.
    #[command(flatten)]
    pub stack: StackArgs,
    /// Which deliveries.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// The delivery with this id, or with an event of this id, whatever its outcome
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Print the plan, and do nothing
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Deliveries per second, such as 50 or 0.5
    #[arg(long, value_name = "N", default_value = "50", value_parser = rate)]
    pub rate: f64,
    /// The maximum number of concurrent deliveries
    #[arg(long, value_name = "N", default_value = "8")]
    pub at_once: NonZeroUsize,
    /// The file for the journal; without it, one in the current folder, named after the time
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub journal: Option<PathBuf>,
    /// Go on with the replay of this journal; it has the filters
    #[arg(long, value_name = "FILE", conflicts_with = "id")]
    pub resume: Option<PathBuf>,
    /// Print the plan, each delivery and the summary as JSON, each on a line of its own
    #[arg(long)]
    pub json: bool,
}

/// Parses a rate.
pub fn rate(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text).parse().ok();
    number
        .filter(|rate| (0.01..=10_000.0).contains(rate))
        .ok_or_else(|| "expected a number per second, such as 50 or 0.5".to_owned())
}

/// Plans, asks, and replays.
pub fn run(args: &Replay) -> Result<(), CommandError> {
    // What the command line gives is checked before AWS is called.
    let filter = filter(args)?;
    let journal = match &args.resume {
        Some(path) => Some(Journal::open(path).map_err(CommandError::Usage)?),
        None => None,
    };
    let may_ask = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if !args.yes && !args.dry_run && (!may_ask || args.json) {
        return Err(CommandError::usage(
            "there is no terminal to ask on: --yes replays, --dry-run prints the plan",
        ));
    }
    Session::run(&args.stack, async |session| replay(args, &session, filter, journal).await)
}

/// The filter of the command line.
fn filter(args: &Replay) -> Result<Filter, CommandError> {
    if args.resume.is_some() {
        if !args.filter.is_empty() {
            return Err(CommandError::usage(
                "--resume goes on with the filters of the journal: give no others",
            ));
        }
        return Ok(Filter::default());
    }
    let mut filter = args.filter.filter().map_err(CommandError::Usage)?;
    filter.id.clone_from(&args.id);
    if filter.since.is_none() && filter.id.is_none() {
        return Err(CommandError::usage(
            "--since is missing: from when on, such as --since 1d; or name one delivery with --id",
        ));
    }
    if filter.outcomes.is_empty() && filter.id.is_none() {
        filter.outcomes = replay::LOST.to_vec();
    }
    // What arrives from now on is no part of the replay.
    let now = ambient::system().map_err(CommandError::failed)?.now;
    filter.until = Some(filter.until.map_or(now, |until| until.min(now)));
    Ok(filter)
}

async fn replay(
    args: &Replay,
    session: &Session,
    mut filter: Filter,
    journal: Option<Journal>,
) -> Result<(), CommandError> {
    if let Some(journal) = &journal {
        let Header { stack, filter: before, .. } = journal.header();
        if *stack != session.stack.id {
            return Err(CommandError::Usage(format!(
                "{}: it is of another stack, {stack}",
                journal.path().display()
            )));
        }
        filter = before.clone();
    }
    let archive = session.archive()?;
    let no_queue = || CommandError::usage("the stack has no output QueueUrl: it is no stack of Letterbox");
    let targets = Arc::new(Targets::of(&session.account, &session.stack).await.ok_or_else(no_queue)?);
    let mut credentials = StackCredentials::of(&session.account, &session.stack);
    let mut ways = Ways::new(targets.providers());
    let pace = Pace { rate: args.rate, at_once: args.at_once };
    let shown = Shown::spinner();
    let is_masked = async |delivery: &ArchivedDelivery| {
        let known = credentials.of_provider(&delivery.record.provider).await;
        known.is_ok_and(|credentials| archived::is_masked(delivery, credentials))
    };
    let planned = ways
        .plan(&archive, &filter, journal.as_ref(), is_masked, |_, progress| shown.reading(progress))
        .await;
    drop(shown);
    let (plan, read) = planned?;
    if args.json {
        print(&(printable_json(&plan::json(&plan)) + "\n"));
    } else {
        print(&plan::text(&plan, &pace, &session.stack.name, &session.account.region));
    }
    unreadable(&read);
    let total = plan.total();
    if args.dry_run || total == 0 {
        return match journal {
            Some(journal) if total == 0 && !args.dry_run => journal.remove().map_err(CommandError::Failed),
            _ => Ok(()),
        };
    }
    if !args.yes && !confirm()? {
        return Err(CommandError::failed("cancelled: nothing was replayed"));
    }
    // Exactly what was planned: not what has arrived in the archive since then.
    filter.stored_by = filter.stored_by.or(read.stored_by);
    let mut journal = if let Some(journal) = journal {
        journal
    } else {
        let path = match &args.journal {
            Some(path) => path.clone(),
            None => Journal::default_path(ambient::system().map_err(CommandError::failed)?.now),
        };
        let header =
            Header { version: Header::VERSION, stack: session.stack.id.clone(), filter: filter.clone() };
        Journal::create(&path, header).map_err(CommandError::Usage)?
    };
    let shown = if args.json { Shown::hidden() } else { Shown::bar(total) };
    let stop = stop_at_ctrl_c();
    let mut report =
        Reporter { args, credentials, shown, diagnosed: BTreeMap::new(), causes: BTreeMap::new(), done: 0 };
    let reader = archive.read(Order::OldestFirst, filter);
    let ended = replay::run(
        reader,
        targets,
        &mut journal,
        pace,
        stop,
        |delivery| ways.of(delivery),
        async |step| {
            report.step(step).await;
        },
    )
    .await;
    let Reporter { shown, causes, .. } = report;
    drop(shown);
    let path = journal.path().to_owned();
    match ended {
        Ok(summary) => finish(args, &summary, &causes, journal),
        Err(error) => Err(CommandError::from(error).followed_by(&go_on(args, &path))),
    }
}

/// The last question.
fn confirm() -> Result<bool, CommandError> {
    use inquire::InquireError as Error;
    match inquire::Confirm::new("Replay them?").with_default(false).prompt() {
        Ok(answer) => Ok(answer),
        Err(Error::OperationCanceled | Error::OperationInterrupted) => Ok(false),
        Err(error) => Err(CommandError::failed(error)),
    }
}

/// The command that goes on.
fn go_on(args: &Replay, journal: &Path) -> String {
    let mut line = format!(
        "to go on: {} --resume {}",
        command("replay", &args.stack),
        word(journal.as_os_str().as_encoded_bytes())
    );
    if args.yes {
        line += " --yes";
    }
    line
}

/// Prints what becomes of each delivery.
struct Reporter<'a> {
    args: &'a Replay,
    credentials: StackCredentials,
    shown: Shown,
    /// How many of a source and a reason have been diagnosed.
    diagnosed: BTreeMap<(String, String, String), u64>,
    /// How many have this cause.
    causes: BTreeMap<String, u64>,
    done: u64,
}

impl Reporter<'_> {
    async fn step(&mut self, Step { delivery, replayed }: Step) {
        self.done = self.done.saturating_add(1);
        let record = &delivery.record;
        let (outcome, reason, detail, event) = match &replayed {
            Replayed::Judged(verdict) => {
                (verdict.outcome.as_str(), verdict.reason.clone(), verdict.detail.clone(), verdict.id.clone())
            }
            Replayed::SameEvent => ("same_event", None, None, record.id.clone()),
            Replayed::Failed(Failure::OfAll(why) | Failure::OfThis(why)) => {
                ("failed", None, Some(why.clone()), None)
            }
        };
        let mut cause = None;
        if outcome == Outcome::Refused.as_str() {
            let key = (record.provider.clone(), record.source.clone(), reason.clone().unwrap_or_default());
            let count = self.diagnosed.entry(key).or_default();
            *count = count.saturating_add(1);
            if *count <= DIAGNOSED {
                let report = diagnose(&mut self.credentials, &delivery).await;
                cause = Some(
                    report.map_or_else(|why| why, |report| report.cause.unwrap_or("none found").to_owned()),
                );
                let count = self.causes.entry(cause.clone().unwrap_or_default()).or_default();
                *count = count.saturating_add(1);
            }
        }
        if self.args.json {
            let text = json!({
                "requestId": delivery.request_id, "provider": record.provider, "source": record.source,
                "time": record.time.to_string(), "outcome": outcome, "reason": reason, "detail": detail,
                "id": event, "cause": cause,
            });
            print(&(printable_json(&text.to_string()) + "\n"));
        } else if !matches!(outcome, "queued" | "same_event" | "answered") {
            let detail = cause.as_deref().or(detail.as_deref());
            let text =
                DeliveryLine { outcome, reason: reason.as_deref(), detail, kind: None, ..line(&delivery) }
                    .to_string();
            self.shown.suspend(|| print(&(text + "\n")));
        }
        self.shown.set(self.done);
    }
}

/// Prints the summary, and how to go on.
fn finish(
    args: &Replay,
    summary: &Summary,
    causes: &BTreeMap<String, u64>,
    journal: Journal,
) -> Result<(), CommandError> {
    let refused: u64 = summary.refused.values().sum();
    if args.json {
        let text = json!({ "summary": {
            "queued": summary.queued, "same_event": summary.nothing, "refused": summary.refused,
            "causes": causes, "failed": summary.failed, "complete": summary.stopped.is_none(),
            "journal": journal.path().to_string_lossy(),
        }});
        print(&(printable_json(&text.to_string()) + "\n"));
    } else {
        note(GOOD, &format!("{:>9}  on the queue", summary.queued));
        if summary.nothing > 0 {
            note(
                QUIET,
                &format!("{:>9}  nothing to queue: the event is there for another delivery", summary.nothing),
            );
        }
        for (reason, count) in &summary.refused {
            note(BAD, &format!("{count:>9}  refused again: {reason}"));
        }
        for (cause, count) in causes {
            note(QUIET, &format!("{count:>9}    because of: {cause}"));
        }
        if summary.failed > 0 {
            note(DOUBTFUL, &format!("{:>9}  not replayed", summary.failed));
        }
    }
    let path = journal.path().to_owned();
    let what_next = || go_on(args, &path);
    match &summary.stopped {
        Some(Stopped::Asked) => {
            return Err(CommandError::Failed(format!(
                "stopped after {} deliveries; {}",
                summary.judged(),
                what_next()
            )));
        }
        Some(Stopped::Failed(reason)) => {
            return Err(CommandError::Failed(format!("stopped: {reason}; {}", what_next())));
        }
        None if summary.failed > 0 => {
            return Err(CommandError::Failed(format!(
                "{} could not be replayed; {}",
                summary.failed,
                what_next()
            )));
        }
        None => {}
    }
    if args.journal.is_none() {
        journal.remove().map_err(CommandError::Failed)?;
    }
    if refused > 0 { Err(CommandError::Reported) } else { Ok(()) }
}
