//! `letterbox contacts plan` and `apply`: what a run would do, and the run.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use clap::Args;
use contacts::{
    clients::Platforms,
    report::Report,
    run::{self, Mode, Scope},
};
use indicatif::{ProgressBar, ProgressDrawTarget};
use tokio::sync::watch;

use super::{
    args::{Access, Common, Places},
    shown::{self, Tense},
};
use crate::{
    commands::CommandError,
    interrupt::stop_at_ctrl_c,
    stack::account::runtime,
    terminal::{printable, printable_json, write},
};

/// The longest that one run may take. If the program is killed, no other run can begin for as long; a longer one is done as
/// several.
const LONGEST: Duration = Duration::from_mins(15);

/// A run that ends so long before that has not ended for lack of time.
const EARLY: Duration = Duration::from_mins(2);

/// `letterbox contacts plan`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  letterbox contacts plan --credentials contacts.json
  letterbox contacts plan --stack letterbox
  letterbox contacts plan --stack letterbox --corp acme --json | jq '.corps[].changes[] | select(.action == \"disable_member\")'

It reads DingTalk's directory and WeCom's ids, compares them with the state, and lists every change in the order in which \
it would be made. It writes neither to WeCom nor to the state. Names are in it, numbers and addresses are not.

If the guard would stop the run, the plan shows why, and the code that approves exactly these removals.

Exit codes: 0 the plan is complete; 1 a company could not be read, or the guard would stop the run; 2 usage error.")]
pub struct Plan {
    /// Whose.
    #[command(flatten)]
    pub common: Common,
}

/// `letterbox contacts apply`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  letterbox contacts apply --stack letterbox
  letterbox contacts apply --credentials contacts.json --state contacts.db --yes
  letterbox contacts apply --stack letterbox --approve 3f0c5a1e

It shows the plan and asks; then it reads both directories again, and writes. With --yes it does not plan first, and prints \
what it did.

Ctrl-C ends the run after the present call, a second one at once. The next run goes on in both cases.

--approve passes the guard once, for exactly the removals of the plan with this code. If anything else would be disabled or \
deleted, the run stops again.

Exit codes: 0 done; 1 a company failed, was stopped by the guard, or has another run in progress; 2 usage error.")]
pub struct Apply {
    /// Whose.
    #[command(flatten)]
    pub common: Common,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Pass the guard for exactly the removals of the plan that has this code
    #[arg(long, value_name = "CODE")]
    pub approve: Option<String>,
}

/// Prints the plan.
pub fn plan(Plan { common }: &Plan) -> Result<(), CommandError> {
    let report = runtime()?.block_on(async {
        let places = common.places(Access::Plan).await?;
        Ok::<_, CommandError>(Runs::new(common, &places, None).once(true).await)
    })?;
    print(common, &report, Tense::Plan)?;
    result(&report)
}

/// Plans, asks, and writes.
pub fn apply(args: &Apply) -> Result<(), CommandError> {
    let Apply { common, yes, approve } = args;
    let may_ask = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if !yes && (!may_ask || common.json) {
        return Err(CommandError::usage(
            "there is no terminal to ask on: --yes applies, `letterbox contacts plan` prints the plan",
        ));
    }
    runtime()?.block_on(async {
        let places = common.places(Access::Write).await?;
        let runs = Runs::new(common, &places, approve.clone());
        if !yes {
            let plan = runs.once(true).await;
            print(common, &plan, Tense::Plan)?;
            if plan.corps.iter().all(|corp| corp.error.is_some()) {
                return Err(CommandError::Reported);
            }
            if !confirm()? {
                return Err(CommandError::failed("cancelled: nothing was written"));
            }
        }
        loop {
            let began = Instant::now();
            let report = runs.once(false).await;
            // What was planned is on the terminal already.
            print(common, &report, if *yes { Tense::Done } else { Tense::Summary })?;
            let is_out_of_time = began.elapsed().saturating_add(EARLY) > LONGEST;
            let is_unfinished = report.corps.iter().any(|corp| corp.unfinished.is_some());
            if !is_out_of_time || !is_unfinished || report.is_failed() || runs.is_stopped() {
                return result(&report);
            }
        }
    })
}

/// The runs of one command. They share tokens, and end with Ctrl-C.
struct Runs<'a> {
    common: &'a Common,
    places: &'a Places,
    platforms: Platforms,
    approve: Option<String>,
    stop: watch::Receiver<bool>,
}

impl<'a> Runs<'a> {
    fn new(common: &'a Common, places: &'a Places, approve: Option<String>) -> Self {
        Self { common, places, platforms: Platforms::default(), approve, stop: stop_at_ctrl_c() }
    }

    fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    async fn once(&self, is_dry: bool) -> Report {
        let shown = ProgressBar::new_spinner();
        if self.common.json {
            shown.set_draw_target(ProgressDrawTarget::hidden());
        }
        shown.enable_steady_tick(Duration::from_millis(100));
        let milliseconds = i64::try_from(LONGEST.as_millis()).unwrap_or(i64::MAX);
        let mode = Mode {
            scope: Scope::All,
            is_dry,
            approve: self.approve.clone(),
            is_for_terminal: true,
            milliseconds,
            stop: &|| self.is_stopped(),
            progress: &|text| shown.set_message(printable(text)),
        };
        let connect = self.platforms.of_run(milliseconds);
        let only = self.common.corp.as_deref();
        let report = run::run(&self.places.corps, only, &connect, &*self.places.store, &mode).await;
        shown.finish_and_clear();
        report
    }
}

fn print(common: &Common, report: &Report, tense: Tense) -> Result<(), CommandError> {
    let text = if common.json {
        let json = serde_json::to_string_pretty(report).map_err(CommandError::failed)?;
        format!("{}\n", printable_json(&json))
    } else {
        shown::text(report, tense, &common.command("apply"))
    };
    // A closed standard output does not change the result.
    let _ = write(text.as_bytes());
    Ok(())
}

fn result(report: &Report) -> Result<(), CommandError> {
    let is_busy = report.corps.iter().any(|corp| corp.busy);
    if is_busy || report.is_failed() { Err(CommandError::Reported) } else { Ok(()) }
}

fn confirm() -> Result<bool, CommandError> {
    use inquire::InquireError as Error;
    match inquire::Confirm::new("Write this to WeCom?").with_default(false).prompt() {
        Ok(answer) => Ok(answer),
        Err(Error::OperationCanceled | Error::OperationInterrupted) => Ok(false),
        Err(error) => Err(CommandError::failed(error)),
    }
}
