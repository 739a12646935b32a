//! What is replayed, how, and what cannot be.

use std::collections::{BTreeMap, BTreeSet};

use letterbox_codec::Timestamp;
use letterbox_intake::{Outcome, archive::Part};
use serde::Serialize;

use crate::stack::archive::ArchivedDelivery;

/// What is replayed if no outcome is chosen: what is not on the queue.
pub const LOST: [Outcome; 3] = [Outcome::Refused, Outcome::Failed, Outcome::Unqueued];

/// How a delivery is replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It was accepted: its event is put on the queue again.
    Queue,
    /// It is handed to the function, which judges it as of its receipt.
    Function,
    /// It cannot be.
    Not(Obstacle),
}

/// Why a delivery cannot be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// The archive has neither event nor body.
    NotArchived,
    /// The stack does not have the function any more.
    NoFunction,
    /// The header that holds the secret is masked.
    Masked,
}

impl Obstacle {
    /// In words.
    pub const fn about(self) -> &'static str {
        match self {
            Self::NotArchived => "the body was too large for the archive",
            Self::NoFunction => {
                "the stack has no function of this provider any more: turn the provider on again"
            }
            Self::Masked => {
                "the header that holds the secret is masked in the archive, so the delivery cannot be judged again"
            }
        }
    }
}

impl Way {
    /// How to replay a delivery on a stack with the functions of these providers.
    pub fn of(delivery: &ArchivedDelivery, providers: &BTreeSet<String>) -> Self {
        let record = &delivery.record;
        if record.message.is_some() {
            return Self::Queue;
        }
        if record.omitted.contains(&Part::Body) {
            return Self::Not(Obstacle::NotArchived);
        }
        if !providers.contains(&record.provider) {
            return Self::Not(Obstacle::NoFunction);
        }
        Self::Function
    }
}

/// Deliveries of one kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Group {
    /// The provider.
    pub provider: String,
    /// The source.
    pub source: String,
    /// The outcome.
    pub outcome: &'static str,
    /// The reason.
    pub reason: Option<String>,
}

/// What a replay will do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// How many are replayed of each group: to the queue, and to the function.
    pub groups: BTreeMap<Group, [u64; 2]>,
    /// How many of each group cannot be.
    pub obstacles: BTreeMap<(Obstacle, Group), u64>,
    /// How many an earlier run of the same replay has done.
    pub done: u64,
    /// The times of the first and the last one that is replayed.
    pub times: Option<(Timestamp, Timestamp)>,
}

impl Plan {
    /// Adds a delivery.
    pub fn add(&mut self, delivery: &ArchivedDelivery, way: Way) {
        let record = &delivery.record;
        let group = Group {
            provider: record.provider.clone(),
            source: record.source.clone(),
            outcome: record.outcome.as_str(),
            reason: record.reason.clone(),
        };
        let count = match way {
            Way::Not(obstacle) => self.obstacles.entry((obstacle, group)).or_default(),
            Way::Queue => &mut self.groups.entry(group).or_default()[0],
            Way::Function => &mut self.groups.entry(group).or_default()[1],
        };
        *count = count.saturating_add(1);
        if !matches!(way, Way::Not(_)) {
            let (first, last) = self.times.unwrap_or((record.time, record.time));
            self.times = Some((first.min(record.time), last.max(record.time)));
        }
    }

    /// How many are replayed.
    pub fn total(&self) -> u64 {
        self.groups.values().flatten().sum()
    }

    /// How many cannot be.
    pub fn impossible(&self) -> u64 {
        self.obstacles.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(time: &str, outcome: &str, more: &str) -> ArchivedDelivery {
        let line = format!(
            r#"{{"time":"2026-11-27T03:{time}:00.000Z","provider":"github","source":"default","outcome":"{outcome}","reason":null,"id":null,"event":{{"requestContext":{{"requestId":"r"}}}}{more}}}"#
        );
        ArchivedDelivery::parse(line.as_bytes()).unwrap()
    }

    #[test]
    fn an_event_goes_to_the_queue_and_a_request_to_the_function() {
        const MESSAGE: &str = r#","message":{"id":"a"}"#;
        let on = BTreeSet::from(["github".to_owned()]);
        let off = BTreeSet::new();
        for (delivery, providers, expected) in [
            (delivery("00", "queued", MESSAGE), &on, Way::Queue),
            (delivery("00", "queued", MESSAGE), &off, Way::Queue),
            (delivery("00", "failed", MESSAGE), &on, Way::Queue),
            (delivery("00", "queued", r#","omitted":["message"]"#), &on, Way::Function),
            (delivery("00", "refused", ""), &on, Way::Function),
            (delivery("00", "refused", ""), &off, Way::Not(Obstacle::NoFunction)),
            (
                delivery("00", "refused", r#","omitted":["message","body"]"#),
                &on,
                Way::Not(Obstacle::NotArchived),
            ),
        ] {
            assert_eq!(Way::of(&delivery, providers), expected, "{delivery:?}");
        }
    }

    #[test]
    fn a_plan_counts_by_group() {
        let mut plan = Plan::default();
        for (time, outcome, way) in [
            ("10", "refused", Way::Function),
            ("05", "refused", Way::Function),
            ("20", "queued", Way::Queue),
            ("30", "refused", Way::Not(Obstacle::NotArchived)),
        ] {
            plan.add(&delivery(time, outcome, ""), way);
        }
        assert_eq!((plan.total(), plan.impossible()), (3, 1));
        assert_eq!(plan.groups.values().collect::<Vec<_>>(), [&[1, 0], &[0, 2]]);
        let times =
            plan.times.map(|(first, last)| [first, last].map(|time| time.to_string()[14..16].to_owned()));
        assert_eq!(times.unwrap(), ["05", "20"]);
    }
}
