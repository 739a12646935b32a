//! A replay, as the page shows it.

use std::{fmt::Display, path::PathBuf, sync::Arc};

use askama::Template;
use letterbox_codec::Timestamp;

use super::place::grouped;
use crate::{
    local::page::texts::Texts,
    shell::word,
    stack::{
        archive::Progress,
        replay::{Obstacle, Plan, plan::Group},
    },
};

/// How far a replay is.
#[derive(Clone)]
pub enum State {
    /// The archive is being read.
    Planning {
        /// How many records were looked at.
        records: u64,
        /// How many of them belong to the replay.
        found: u64,
    },
    /// The user has to confirm the plan.
    Planned(Arc<Planned>),
    /// It is running.
    Running(Arc<Planned>, Counts),
    /// It has ended.
    Ended(Arc<Planned>, Counts, Ended),
    /// It was cancelled before it began.
    Cancelled,
    /// There is no plan, for this reason.
    Failed(String),
}

/// A plan, and what was read for it.
pub struct Planned {
    pub plan: Plan,
    pub progress: Progress,
}

/// What has become of the deliveries so far.
#[derive(Clone, Default)]
pub struct Counts {
    pub queued: u64,
    pub nothing: u64,
    pub refused: u64,
    pub failed: u64,
    /// Why the last one could not be replayed.
    pub failure: Option<String>,
    /// Some of those that were refused again.
    pub listed: Vec<RefusedAgain>,
}

/// A delivery that was refused again.
#[derive(Clone)]
pub struct RefusedAgain {
    pub key: String,
    pub provider: String,
    pub source: String,
    pub received: Timestamp,
    pub reason: String,
    /// The cause that the diagnosis found, or why there is none.
    pub cause: Option<String>,
}

/// How a replay has ended.
#[derive(Clone)]
pub struct Ended {
    /// Why it ended.
    pub end: End,
    /// The journal with which it can go on.
    pub journal: Option<PathBuf>,
}

/// Why a replay ended.
#[derive(Clone)]
pub enum End {
    /// There was nothing left to do.
    Complete,
    /// Somebody asked for it.
    Asked,
    /// For this reason.
    Failed(String),
}

/// The page of a replay.
#[derive(Template)]
#[template(path = "replay.html")]
pub struct ReplayPage<'a> {
    pub t: &'static Texts,
    pub stack: &'a str,
    pub region: &'a str,
    /// The query string of the list.
    pub query: String,
    pub state: Option<StateView>,
    /// True if the state changes by itself.
    pub is_moving: bool,
    pub notice: Option<String>,
    pub version: &'static str,
}

/// The part of the page that changes.
#[derive(Template)]
#[template(path = "replay_state.html")]
pub struct StateView {
    pub t: &'static Texts,
    /// The number of the replay.
    pub job: u64,
    /// True if no outcome was chosen.
    pub is_lost: bool,
    /// The rate that the form suggests.
    pub rate: f64,
    /// The command that goes on with a replay, without its journal.
    pub resume: String,
    pub state: State,
}

/// Deliveries that are replayed in one way, or cannot be for one reason.
struct PlanLine {
    group: Group,
    count: String,
    how: &'static str,
}

impl State {
    /// True if it changes by itself.
    pub fn is_moving(&self) -> bool {
        matches!(self, Self::Planning { .. } | Self::Running(..))
    }
}

impl Counts {
    /// How many are done.
    pub fn done(&self) -> u64 {
        self.queued.saturating_add(self.nothing).saturating_add(self.refused).saturating_add(self.failed)
    }
}

impl StateView {
    fn lines(&self, plan: &Plan) -> Vec<PlanLine> {
        let t = self.t.archive.replay;
        let ways = [t.to_queue, t.to_function];
        let lines = plan.groups.iter().flat_map(|(group, counts)| {
            counts.iter().zip(ways).filter(|(count, _)| **count > 0).map(|(count, how)| PlanLine {
                group: group.clone(),
                count: grouped(*count),
                how,
            })
        });
        lines.collect()
    }

    fn obstacles(&self, plan: &Plan) -> Vec<PlanLine> {
        let t = self.t.archive.replay;
        let lines = plan.obstacles.iter().map(|((obstacle, group), count)| PlanLine {
            group: group.clone(),
            count: grouped(*count),
            how: match obstacle {
                Obstacle::NotArchived => t.not_archived,
                Obstacle::NoFunction => t.no_function,
                Obstacle::Masked => t.masked,
            },
        });
        lines.collect()
    }

    /// True if the reason of the failures is shown as that of the end.
    fn has_shown_failure(&self) -> bool {
        matches!(&self.state, State::Ended(_, _, Ended { end: End::Failed(_), .. }))
    }

    fn has_way(plan: &Plan, way: usize) -> bool {
        plan.groups.values().any(|counts| counts.get(way).is_some_and(|count| *count > 0))
    }

    fn number(number: impl Display) -> String {
        grouped(number)
    }

    /// The command that goes on.
    fn go_on(&self, journal: &std::path::Path) -> String {
        format!("{} --resume {}", self.resume, word(journal.as_os_str().as_encoded_bytes()))
    }
}
