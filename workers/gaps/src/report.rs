//! What a run did, for the log, the metrics and the terminal. It contains no secret and no payload.

use letterbox_codec::Timestamp;
use serde::Serialize;

/// The most things that a report lists one by one.
const MOST_LISTED: usize = 200;

/// What a run did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// True if nothing was changed.
    pub dry_run: bool,
    /// True if another run had the lease, so that this one did nothing.
    pub busy: bool,
    /// Each account, in the order of the credentials.
    pub accounts: Vec<AccountReport>,
}

/// What a run did for one account.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AccountReport {
    /// Such as `github/repos/acme/widget/hooks/42`.
    pub account: String,
    /// Events that the platform could not deliver, and that no earlier run knew.
    pub found: u64,
    /// Redeliveries that this run asked for (GitHub).
    pub asked: u64,
    /// Events of which an attempt has succeeded since (GitHub), or that this run put on the queue.
    pub filled: u64,
    /// Events that are given up: after the last try, or because they cannot be had.
    pub given_up: u64,
    /// Events whose next try is not yet due (GitHub), or that wait for the queue (DingTalk).
    pub open: u64,
    /// The account is not asked again before this time, because the platform says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_until: Option<String>,
    /// Why the account could not be done, or not whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Remarks for the operator.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What was done, or what a dry run would do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// How many more there were.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_steps: u64,
}

/// One event, and what was done with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// `redeliver`, `put` or `give up`.
    pub action: &'static str,
    /// GitHub's GUID, or else the event's id.
    pub id: String,
    /// The event's type.
    #[serde(rename = "type")]
    pub kind: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl AccountReport {
    /// An empty report on an account.
    pub fn new(account: String) -> Self {
        Self { account, ..Self::default() }
    }

    /// Adds a step, up to a bound.
    pub fn step(&mut self, action: &'static str, id: &str, kind: &str) {
        if self.steps.len() < MOST_LISTED {
            self.steps.push(Step { action, id: id.to_owned(), kind: kind.to_owned() });
        } else {
            self.more_steps = self.more_steps.saturating_add(1);
        }
    }

    /// Adds a remark, up to a bound.
    pub fn note(&mut self, note: String) {
        if self.notes.len() < MOST_LISTED {
            self.notes.push(note);
        }
    }

    /// Notes that the account is not asked before that time.
    pub fn waits(&mut self, until: Timestamp) {
        self.waits_until = Some(until.to_string());
    }
}

impl Report {
    /// Events that were found.
    pub fn found(&self) -> u64 {
        self.sum(|account| account.found)
    }

    /// Events that were filled.
    pub fn filled(&self) -> u64 {
        self.sum(|account| account.filled)
    }

    /// Events that were given up.
    pub fn given_up(&self) -> u64 {
        self.sum(|account| account.given_up)
    }

    /// Accounts that could not be done.
    pub fn failed_accounts(&self) -> u64 {
        self.sum(|account| u64::from(account.error.is_some()))
    }

    fn sum(&self, of: fn(&AccountReport) -> u64) -> u64 {
        self.accounts.iter().map(of).fold(0, u64::saturating_add)
    }
}
