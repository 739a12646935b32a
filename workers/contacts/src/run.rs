//! A run over the corps: one at a time for each corp.

use letterbox_outbound::store::Store;

use crate::{
    report::{CorpReport, Report},
    settings::{Corp, Corps},
    source::Source,
    target::Target,
};

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

/// DingTalk's ids that events named. They say only where to look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// `userid`s.
    pub people: std::collections::BTreeSet<String>,
    /// Departments.
    pub departments: std::collections::BTreeSet<i64>,
    /// Roles, or groups of roles.
    pub roles: std::collections::BTreeSet<i64>,
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
    /// Told of each step.
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
pub async fn run_corp(
    corp: &Corp,
    _connect: &dyn Connect,
    _store: &dyn Store,
    _mode: &Mode<'_>,
) -> CorpReport {
    CorpReport::new(&corp.name)
}
