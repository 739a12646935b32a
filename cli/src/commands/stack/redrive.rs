//! `letterbox stack redrive`: moves dead letters back to the queue.

use std::{io::IsTerminal, time::Duration};

use clap::Args;
use serde_json::json;
use tokio::{sync::watch, time::sleep};

use super::{
    args::StackArgs,
    progress::Shown,
    replay::rate,
    session::{Session, command},
};
use crate::{
    commands::CommandError,
    interrupt::stop_at_ctrl_c,
    stack::redrive::{Count, DeadLetters, Ended, FASTEST, Moved, NoTasks, Task},
    terminal::{DOUBTFUL, GOOD, note, print, printable_json},
};

/// How often a task is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// So long after its start a task may not be listed yet.
const UNLISTED: u32 = 10;

/// `letterbox stack redrive`
#[derive(Args, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
#[command(after_help = "\
Examples:
  letterbox stack redrive --stack letterbox --dry-run
  letterbox stack redrive --stack letterbox
  letterbox stack redrive --stack letterbox --rate 5 --yes

Fix the consumer first. SQS moves the messages as a task (StartMessageMoveTask), which goes on if this command is killed; \
Ctrl-C cancels it, and running the command again follows it. Where SQS has no such tasks, as in China, the command receives, \
sends and deletes the messages itself. However it ends, no message is lost: run the command again for the rest. After a kill, \
a message may be in both queues.

AWS permissions: cloudformation:DescribeStacks and ListStackResources; on the dead-letter queue sqs:GetQueueAttributes, \
StartMessageMoveTask, ListMessageMoveTasks, CancelMessageMoveTask, ReceiveMessage, DeleteMessage, and by hand \
ChangeMessageVisibility; on the queue sqs:SendMessage; kms:GenerateDataKey and kms:Decrypt if the stack has a key of yours.")]
pub struct Redrive {
    /// The stack.
    #[command(flatten)]
    pub stack: StackArgs,
    /// Print how many messages there are, and do nothing
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Messages per second, at most 500 with a task of SQS
    #[arg(long, value_name = "N", default_value = "50", value_parser = rate)]
    pub rate: f64,
    /// Move the messages from here, even where SQS could do it
    #[arg(long)]
    pub by_hand: bool,
    /// Print the plan and the summary as JSON, each on a line of its own
    #[arg(long)]
    pub json: bool,
}

/// Plans, asks, and moves.
pub fn run(args: &Redrive) -> Result<(), CommandError> {
    let may_ask = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if !args.yes && !args.dry_run && (!may_ask || args.json) {
        return Err(CommandError::usage(
            "there is no terminal to ask on: --yes moves the messages, --dry-run counts them",
        ));
    }
    Session::run(&args.stack, async |session| {
        let none = || {
            CommandError::Usage(format!(
                "the stack {} has no dead-letter queue of its own: it uses a queue that you created",
                session.stack.name
            ))
        };
        let dead_letters = DeadLetters::of(&session.account, &session.stack).ok_or_else(none)?;
        redrive(args, &session, &dead_letters).await
    })
}

async fn redrive(args: &Redrive, session: &Session, dead_letters: &DeadLetters) -> Result<(), CommandError> {
    let count = dead_letters.count().await?;
    let running = if args.by_hand { Err(NoTasks) } else { dead_letters.task().await? };
    let running = running.map(|task| task.filter(Task::is_running));
    print_plan(args, session, dead_letters, count, running.as_ref().is_ok_and(Option::is_some));
    let follows = matches!(running, Ok(Some(_)));
    if args.dry_run || (count.total() == 0 && !follows) {
        return Ok(());
    }
    if !follows && !args.yes && !confirm()? {
        return Err(CommandError::failed("cancelled: nothing was moved"));
    }
    let stop = stop_at_ctrl_c();
    match running {
        Ok(Some(_)) => follow(args, dead_letters, stop).await,
        Ok(None) => {
            #[allow(clippy::cast_possible_truncation)]
            let rate = args.rate.clamp(1.0, f64::from(FASTEST)) as i32;
            match dead_letters.start(rate).await? {
                Ok(()) => follow(args, dead_letters, stop).await,
                Err(NoTasks) => by_hand(args, dead_letters, count, stop).await,
            }
        }
        Err(NoTasks) => by_hand(args, dead_letters, count, stop).await,
    }
}

fn print_plan(
    args: &Redrive,
    session: &Session,
    dead_letters: &DeadLetters,
    Count { waiting, in_flight }: Count,
    is_running: bool,
) {
    let [from, to] = dead_letters.urls();
    if args.json {
        let plan = json!({ "plan": {
            "messages": waiting, "inFlight": in_flight, "from": from, "to": to, "running": is_running,
        }});
        print(&(printable_json(&plan.to_string()) + "\n"));
        return;
    }
    let name = |url: &str| url.rsplit('/').next().unwrap_or_default().to_owned();
    let mut text = format!(
        "Redrive on the stack {} in {}: {waiting} messages from {} to {}, at {}/s\n",
        session.stack.name,
        session.account.region,
        name(from),
        name(to),
        args.rate
    );
    if in_flight > 0 {
        text += &format!(
            "{in_flight} more are being received by someone, or by a run that was killed less than a minute ago\n"
        );
    }
    if is_running {
        text += "A task of SQS is moving messages already; following it\n";
    }
    print(&text);
}

fn confirm() -> Result<bool, CommandError> {
    use inquire::InquireError as Error;
    match inquire::Confirm::new("Move them?").with_default(false).prompt() {
        Ok(answer) => Ok(answer),
        Err(Error::OperationCanceled | Error::OperationInterrupted) => Ok(false),
        Err(error) => Err(CommandError::failed(error)),
    }
}

/// Follows a task of SQS to its end; cancels it once `stop` is true.
async fn follow(
    args: &Redrive,
    dead_letters: &DeadLetters,
    mut stop: watch::Receiver<bool>,
) -> Result<(), CommandError> {
    let mut shown: Option<Shown> = None;
    let mut unlisted = 0;
    let mut is_cancelled = false;
    let task = loop {
        let task = dead_letters.task().await?.ok().flatten();
        match task {
            Some(task) if task.is_running() => {
                if !args.json {
                    shown.get_or_insert_with(|| Shown::bar(task.to_move)).set(task.moved);
                }
                if let Some(handle) = task.handle.as_deref().filter(|_| *stop.borrow() && !is_cancelled) {
                    dead_letters.cancel(handle).await?;
                    is_cancelled = true;
                }
            }
            Some(task) => break task,
            None if unlisted >= UNLISTED => {
                return Err(CommandError::failed("SQS does not list the task that it has started"));
            }
            None => unlisted += 1,
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            _ = stop.wait_for(|stop| *stop), if !*stop.borrow() && !is_cancelled => {}
        }
    };
    drop(shown);
    let failed = task.reason.map(|reason| format!("SQS: {reason}"));
    let ended = match (task.status.as_str(), failed) {
        ("COMPLETED", _) => Ok(()),
        ("CANCELLED", _) => Err("cancelled".to_owned()),
        (status, failed) => Err(failed.unwrap_or_else(|| status.to_owned())),
    };
    print_end(args, task.moved, 0, ended)
}

/// Moves the messages from here.
async fn by_hand(
    args: &Redrive,
    dead_letters: &DeadLetters,
    count: Count,
    stop: watch::Receiver<bool>,
) -> Result<(), CommandError> {
    let shown = if args.json { Shown::hidden() } else { Shown::bar(count.total()) };
    let (mut moved, mut twice) = (0_u64, 0_u64);
    let ended = dead_letters
        .by_hand(count.total(), args.rate, stop, |one| {
            let text = match one {
                Moved::Yes => None,
                Moved::NotDeleted(reason) => {
                    twice = twice.saturating_add(1);
                    Some(format!("in both queues: {reason}"))
                }
                Moved::No(reason) => Some(format!("not moved: {reason}")),
            };
            if !matches!(one, Moved::No(_)) {
                moved = moved.saturating_add(1);
            }
            shown.set(moved);
            if let Some(text) = text {
                shown.suspend(|| note(DOUBTFUL, &text));
            }
        })
        .await;
    drop(shown);
    let ended = match ended {
        Ok(Ended::Empty) => Ok(()),
        Ok(Ended::Asked) => Err("stopped".to_owned()),
        Ok(Ended::Failing(reason)) => Err(format!("stopped: {reason}")),
        Err(error) => Err(error.to_string()),
    };
    print_end(args, moved, twice, ended)
}

/// Prints the summary, and how to go on.
fn print_end(args: &Redrive, moved: u64, twice: u64, ended: Result<(), String>) -> Result<(), CommandError> {
    if args.json {
        let summary = json!({ "summary": {
            "moved": moved, "inBoth": twice, "complete": ended.is_ok(), "reason": ended.as_ref().err(),
        }});
        print(&(printable_json(&summary.to_string()) + "\n"));
    } else {
        note(GOOD, &format!("{moved:>9}  back on the queue"));
    }
    ended.map_err(|reason| {
        CommandError::Failed(format!(
            "{reason}; the rest is in the dead-letter queue; to go on: {}",
            command("redrive", &args.stack)
        ))
    })
}
