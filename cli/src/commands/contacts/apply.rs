//! `letterbox contacts plan` and `apply`: what a run would do, and the run.

use std::{io::IsTerminal, time::Duration};

use clap::Args;
use contacts::{
    clients::Platforms,
    report::Report,
    run::{self, Mode, Scope},
};
use indicatif::{ProgressBar, ProgressDrawTarget};

use super::{
    args::{Access, Common, Places},
    shown::{self, Tense},
};
use crate::{
    commands::CommandError,
    interrupt::stop_at_ctrl_c,
    stack::account::runtime,
    terminal::{printable_json, write},
};

/// The longest that a run may take, in milliseconds: the lease lasts as long if the program is killed.
const LONGEST: i64 = 6 * 60 * 60 * 1000;

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
        Ok::<_, CommandError>(once(common, &Platforms::default(), &places, true, None).await)
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
    let report = runtime()?.block_on(async {
        let places = common.places(Access::Write).await?;
        let platforms = Platforms::default();
        if !yes {
            let plan = once(common, &platforms, &places, true, approve.clone()).await;
            print(common, &plan, Tense::Plan)?;
            if plan.corps.iter().all(|corp| corp.error.is_some()) {
                return Err(CommandError::Reported);
            }
            if !confirm()? {
                return Err(CommandError::failed("cancelled: nothing was written"));
            }
        }
        Ok(once(common, &platforms, &places, false, approve.clone()).await)
    })?;
    // What was planned is on the terminal already.
    print(common, &report, if *yes { Tense::Done } else { Tense::Summary })?;
    result(&report)
}

/// Runs once.
async fn once(
    common: &Common,
    platforms: &Platforms,
    places: &Places,
    is_dry: bool,
    approve: Option<String>,
) -> Report {
    let shown = ProgressBar::new_spinner();
    if common.json {
        shown.set_draw_target(ProgressDrawTarget::hidden());
    }
    shown.enable_steady_tick(Duration::from_millis(100));
    let stop = stop_at_ctrl_c();
    let mode = Mode {
        scope: Scope::All,
        is_dry,
        approve,
        is_for_terminal: true,
        milliseconds: LONGEST,
        stop: &|| *stop.borrow(),
        progress: &|text| shown.set_message(crate::terminal::printable(text)),
    };
    let connect = platforms.of_run(LONGEST);
    let report = run::run(&places.corps, common.corp.as_deref(), &connect, &*places.store, &mode).await;
    shown.finish_and_clear();
    report
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
