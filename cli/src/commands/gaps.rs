//! `letterbox gaps`: asks the platforms for what they could not deliver, from this machine.

use std::{fs, path::PathBuf, time::Duration};

use clap::{ArgGroup, Args};
use gaps::{Accounts, Filler, Mode, Report, report::AccountReport};
use indicatif::ProgressBar;
use letterbox_codec::Timestamp;
use letterbox_intake::{
    Queue, ambient,
    queue::{memory, oversize::Oversize, sqs::Sqs},
};
use letterbox_outbound::store::{Store, dynamo::Dynamo, memory::Memory};

use super::CommandError;
use crate::{
    local::{
        queue::embedded::Embedded,
        worker_state::{self, WorkerState},
    },
    options::DATABASE,
    stack::{
        self, Account, AwsError,
        account::{AwsOptions, runtime},
        secrets::Secrets,
    },
    terminal::{printable_json, printable_lines, write},
    time,
};

/// `letterbox gaps`
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("where").required(true).multiple(true).args(["stack", "credentials"]),
    after_help = "\
Examples:
  letterbox gaps --stack letterbox --dry-run
  letterbox gaps --stack letterbox --since 2026-11-24T00:00:00Z
  letterbox gaps --credentials gaps.json
  letterbox gaps --credentials gaps.json --dry-run --json | jq '.accounts[].steps'

It runs the code of the function that the parameter Gaps turns on. With --stack, credentials, state and queue are the \
stack's: two runs, from here and of the function, exclude each other and do not fill a gap twice. Without --stack, events \
go onto the embedded queue (`letterbox events`), and the state is a file beside it.

GitHub is asked to deliver again. Events of Stripe and DingTalk are put on the queue, with the id of the event, where the \
platform gives one.

--dry-run changes nothing: it reads the lists of GitHub and Stripe, and says what it would do. It does not read DingTalk's \
list of failed pushes, because reading it clears it.

Exit codes: 0 done, 1 an account could not be done, or another run is in progress, 2 usage error."
)]
pub struct Gaps {
    /// Use credentials, state and queue of this deployed stack
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// The credentials of the gap filler, a JSON file; with --stack, in place of the stack's
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
    /// Say what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Look back until then, whatever earlier runs have seen: RFC 3339, or Unix seconds or milliseconds
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    pub since: Option<Timestamp>,
    /// Print one JSON object: `dry_run`, and for each account found, asked, filled, `given_up`, open, error, steps
    #[arg(long)]
    pub json: bool,
    /// Without --stack: the SQLite file of the embedded queue
    #[arg(long, value_name = "FILE", default_value = DATABASE)]
    pub database: PathBuf,
    /// Without --stack: the SQLite file of the state
    #[arg(long, value_name = "FILE", default_value = "letterbox-gaps.db")]
    pub state: PathBuf,
    /// The account and the region.
    #[command(flatten)]
    pub aws: AwsOptions,
}

/// The longest that a run may take, in milliseconds.
const LONGEST: i64 = 10 * 60_000;

/// The deadline of one put on the queue.
const PUT: Duration = Duration::from_secs(10);

/// As the template sets it for the functions.
const OVERSIZE_THRESHOLD: usize = 262_144;

/// Where state and events go.
struct Places {
    accounts: Accounts,
    store: Box<dyn Store>,
    queue: Box<dyn Queue>,
}

/// Runs once, and prints what was done.
pub fn run(args: &Gaps) -> Result<(), CommandError> {
    let progress = ProgressBar::new_spinner();
    progress.enable_steady_tick(Duration::from_millis(100));
    let done = runtime().map_err(CommandError::failed).and_then(|runtime| {
        runtime.block_on(async {
            let places = places(args, &progress).await?;
            let mode = Mode { is_dry: args.dry_run, since: args.since, milliseconds: LONGEST };
            let note = |text: &str| progress.set_message(text.to_owned());
            let filler = Filler::default();
            let run = filler.run(&places.accounts, &*places.store, &*places.queue, mode, &note);
            run.await.map_err(CommandError::failed)
        })
    });
    progress.finish_and_clear();
    let report = done?;
    if report.busy {
        return Err(CommandError::Failed(
            "another run is in progress, or has ended without a trace: try again in a few minutes".to_owned(),
        ));
    }
    let text = if args.json { json(&report)? } else { text(&report) };
    // A closed standard output does not change the result.
    let _ = write(text.as_bytes());
    if report.failed_accounts() > 0 { Err(CommandError::Reported) } else { Ok(()) }
}

async fn places(args: &Gaps, progress: &ProgressBar) -> Result<Places, CommandError> {
    let Some(name) = &args.stack else {
        let accounts = accounts(args)?.ok_or_else(|| CommandError::usage("--credentials is missing"))?;
        if args.dry_run && !args.state.exists() {
            return Ok(Places {
                accounts,
                store: Box::<Memory>::default(),
                queue: Box::<memory::Memory>::default(),
            });
        }
        let now = ambient::system().map_err(CommandError::failed)?.now;
        let store =
            WorkerState::create(&args.state, &worker_state::GAPS, now).map_err(CommandError::Usage)?;
        let queue: Box<dyn Queue> = if args.dry_run {
            Box::<memory::Memory>::default()
        } else {
            Box::new(Embedded::create(&args.database).map_err(CommandError::Usage)?)
        };
        return Ok(Places { accounts, store: Box::new(store), queue });
    };
    progress.set_message(format!("reading the stack {name}"));
    let account = Account::find(&args.aws).await.map_err(of_aws)?;
    let stack = stack::read(&account, name).await.map_err(of_aws)?;
    let output = |name: &str| stack.output(name).map(str::to_owned);
    let (Some(table), Some(secret)) = (output("GapsTableName"), output("GapsCredentialsSecret")) else {
        return Err(CommandError::Usage(format!(
            "the gap filler of the stack {name} is off: deploy it with the parameter Gaps, or run without --stack"
        )));
    };
    let url = output("QueueUrl").ok_or_else(|| {
        CommandError::Usage(format!("the stack {name} has no output QueueUrl: deploy it again"))
    })?;
    let accounts = if let Some(accounts) = accounts(args)? {
        accounts
    } else {
        let stored = Secrets::of(&account).read(&secret).await.map_err(of_aws)?;
        let stored = stored.ok_or_else(|| {
            CommandError::Failed(format!("{secret} does not exist: create it, or set Gaps to another secret"))
        })?;
        Accounts::parse(&stored.text).map_err(|error| CommandError::Failed(format!("{secret}: {error}")))?
    };
    let oversize =
        output("OversizeBucketName").map(|bucket| Oversize { bucket, threshold: OVERSIZE_THRESHOLD });
    Ok(Places {
        accounts,
        store: Box::new(Dynamo::new(&account.config, table)),
        queue: Box::new(Sqs::connect(&account.config, url, oversize, PUT).await),
    })
}

fn of_aws(error: AwsError) -> CommandError {
    match error {
        AwsError::NoRegion | AwsError::NoStack { .. } => CommandError::usage(error),
        _ => CommandError::failed(error),
    }
}

/// The accounts of the file, if one is named.
fn accounts(args: &Gaps) -> Result<Option<Accounts>, CommandError> {
    let Some(path) = &args.credentials else { return Ok(None) };
    let described = |error: String| CommandError::Usage(format!("{}: {error}", path.display()));
    let content = fs::read(path).map_err(|error| described(error.to_string()))?;
    Accounts::read(&content).map(Some).map_err(|error| described(error.to_string()))
}

fn json(report: &Report) -> Result<String, CommandError> {
    let json = serde_json::to_string_pretty(report).map_err(CommandError::failed)?;
    Ok(format!("{}\n", printable_json(&json)))
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    if report.dry_run {
        text += "Dry run: nothing was changed.\n";
    }
    for account in &report.accounts {
        text += &of_account(account, report.dry_run);
    }
    printable_lines(&text)
}

fn of_account(account: &AccountReport, is_dry: bool) -> String {
    let AccountReport { account: name, found, asked, filled, given_up, open, .. } = account;
    let mut text = format!("{name}: found {found}");
    for (number, what) in
        [(asked, "asked to redeliver"), (filled, "filled"), (given_up, "given up"), (open, "still open")]
    {
        if *number > 0 {
            text += &format!(", {what} {number}");
        }
    }
    text.push('\n');
    let mut line = |start: &str, rest: &str| text += &format!("  {start}{rest}\n");
    for step in &account.steps {
        let what = if is_dry { format!("would {}", step.action) } else { step.action.to_owned() };
        line(&format!("{what}  "), format!("{}  {}", step.id, step.kind).trim_end());
    }
    if account.more_steps > 0 {
        line("", &format!("and {} more", account.more_steps));
    }
    account.notes.iter().for_each(|note| line("note: ", note));
    if let Some(until) = &account.waits_until {
        line("note: ", &format!("the platform allows no request before {until}"));
    }
    if let Some(error) = &account.error {
        line("failed: ", error);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_was_done() {
        let mut account = AccountReport::new("github/repos/acme/widget/hooks/42".into());
        (account.found, account.asked, account.open) = (2, 1, 1);
        account.step("redeliver", "72d3162e\u{1b}", "push");
        account.error = Some("HTTP 401".into());
        let report = Report { accounts: vec![account], ..Report::default() };
        assert_eq!(
            text(&report),
            "github/repos/acme/widget/hooks/42: found 2, asked to redeliver 1, still open 1\n  \
             redeliver  72d3162e\u{fffd}  push\n  failed: HTTP 401\n"
        );
        let dry = Report { dry_run: true, ..report };
        assert!(text(&dry).contains("would redeliver"));
    }
}
