//! A run: one at a time, over all accounts.

use letterbox_codec::Timestamp;
use letterbox_intake::{Queue, ambient};
use serde::{Deserialize, Serialize};

use crate::{
    accounts::Accounts,
    context::{Context, Trouble},
    dingtalk::{self, Tokens},
    github,
    http::Client,
    report::{AccountReport, Report},
    store::{Condition, Item, Store, StoreError},
    stripe,
};

/// The partition of what belongs to no account.
const RUN: &str = "run";
const LEASE: &str = "lease";

/// After the end of a run, in milliseconds, before another may begin that the first has not released.
const SLACK: i64 = 15_000;

/// Who may run until when.
#[derive(Serialize, Deserialize)]
struct Lease {
    /// Anyone else may from then on.
    until: i64,
}

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
        let lease = if mode.is_dry { None } else { acquire(store, now, ends).await? };
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
            release(store, lease).await;
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

/// Takes the lease until the end of the run; `None` if another run has it.
async fn acquire(store: &dyn Store, now: Timestamp, ends: Timestamp) -> Result<Option<Item>, StoreError> {
    let found = store.get(RUN, LEASE).await?;
    let (condition, revision) = match &found {
        None => (Condition::Absent, 1),
        Some(item) => {
            if item.value::<Lease>()?.until > now.0 {
                return Ok(None);
            }
            (Condition::Revision(item.revision), item.revision.wrapping_add(1))
        }
    };
    let lease = Lease { until: ends.0.saturating_add(SLACK) };
    let item = Item { revision, ..Item::new(RUN, LEASE, &lease)? };
    Ok(store.put(&item, condition).await?.then_some(item))
}

/// Ends the lease. If that fails, it ends by itself.
async fn release(store: &dyn Store, lease: Item) {
    if let Ok(ended) = Item::new(RUN, LEASE, &Lease { until: 0 }) {
        let ended = Item { revision: lease.revision.wrapping_add(1), ..ended };
        let _ = store.put(&ended, Condition::Revision(lease.revision)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::Memory;

    #[tokio::test]
    async fn one_run_has_the_lease_at_a_time() {
        let store = Memory::default();
        let (now, ends) = (Timestamp(1000), Timestamp(2000));
        let lease = acquire(&store, now, ends).await.unwrap().unwrap();
        assert_eq!(acquire(&store, now, ends).await.unwrap(), None);
        assert_eq!(acquire(&store, Timestamp(ends.0 + SLACK - 1), ends).await.unwrap(), None);
        release(&store, lease.clone()).await;
        let second = acquire(&store, now, ends).await.unwrap().unwrap();
        // The first one, which took too long, does not release the lease of the second.
        release(&store, lease).await;
        assert_eq!(acquire(&store, now, ends).await.unwrap(), None);
        // One that ended without a release blocks until its time is over.
        let (now, ends) = (Timestamp(ends.0 + SLACK), Timestamp(90_000));
        assert!(acquire(&store, now, ends).await.unwrap().is_some());
        release(&store, second).await;
        assert_eq!(acquire(&store, now, ends).await.unwrap(), None);
    }
}
