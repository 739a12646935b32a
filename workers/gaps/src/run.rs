//! A run: one at a time, over all accounts.

use letterbox_codec::Timestamp;
use letterbox_intake::{Queue, ambient};
use letterbox_outbound::{
    http::Client,
    lease,
    store::{Store, StoreError},
};

use crate::{
    accounts::Accounts,
    context::{Context, Trouble},
    dingtalk::{self, Tokens},
    github,
    report::{AccountReport, Report},
    stripe,
};

/// The partition of what belongs to no account.
const RUN: &str = "run";

/// Why a run did not begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The state could not be read or written.
    #[error(transparent)]
    State(#[from] StoreError),
    /// The system has no clock or no entropy.
    #[error("{0}")]
    System(String),
}

/// How a run works.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// Changes nothing, and says what it would do.
    pub is_dry: bool,
    /// Looks back until then, whatever earlier runs have seen.
    pub since: Option<Timestamp>,
    /// The longest that it may take, in milliseconds.
    pub milliseconds: i64,
}

/// What all runs of a process share.
#[derive(Default)]
pub struct Filler {
    tokens: Tokens,
}

impl Filler {
    /// Fills the gaps of all accounts. An account that fails does not stop the others.
    pub async fn run(
        &self,
        accounts: &Accounts,
        store: &dyn Store,
        queue: &dyn Queue,
        mode: Mode,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<Report, RunError> {
        let now = ambient::system().map_err(|error| RunError::System(error.to_string()))?.now;
        let ends = Timestamp(now.0.saturating_add(mode.milliseconds));
        let mut report = Report { dry_run: mode.is_dry, ..Report::default() };
        let lease = if mode.is_dry { None } else { lease::acquire(store, RUN, now, ends).await? };
        if lease.is_none() && !mode.is_dry {
            report.busy = true;
            return Ok(report);
        }
        // A connection that was open while Lambda froze the environment is dead, and DingTalk's list is asked for only once.
        let client = Client::new();
        let context =
            Context { client: &client, store, queue, is_dry: mode.is_dry, since: mode.since, ends, progress };
        for account in &accounts.github {
            let mut of = AccountReport::new(account.name());
            let done = github::fill(&context, account, &mut of).await;
            report.accounts.push(finished(of, done));
        }
        for account in &accounts.stripe {
            let mut of = AccountReport::new(account.name());
            let done = stripe::fill(&context, account, &mut of).await;
            report.accounts.push(finished(of, done));
        }
        for account in &accounts.dingtalk {
            let mut of = AccountReport::new(account.name());
            let done = dingtalk::fill(&context, account, &self.tokens, &mut of).await;
            report.accounts.push(finished(of, done));
        }
        if let Some(lease) = lease {
            lease::release(store, lease).await;
        }
        Ok(report)
    }
}

/// The report on an account, with how its work ended.
fn finished(mut report: AccountReport, done: Result<(), Trouble>) -> AccountReport {
    match done {
        Ok(()) => {}
        // What is limited comes later, and is no failure.
        Err(Trouble::Wait(until)) => report.waits(until),
        Err(Trouble::NoTime) => report.note("no time was left; the next run goes on".to_owned()),
        Err(trouble) => report.error = Some(trouble.to_string()),
    }
    report
}
