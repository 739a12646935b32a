//! The plan of a replay: read from the archive, and printed before anything is done.

use std::{collections::BTreeSet, time::Duration};

use serde::Serialize;

use super::{cause::StackCredentials, progress::Shown};
use crate::{
    commands::CommandError,
    doctor::archived,
    stack::{
        archive::{Archive, ArchivedDelivery, Filter, Order, Progress},
        replay::{Journal, Obstacle, Pace, Plan, Way, plan::Group},
    },
    time::about,
};

/// How to replay each delivery of a stack.
pub struct Ways {
    providers: BTreeSet<String>,
    /// Sources whose deliveries cannot be judged without a masked header.
    masked: BTreeSet<(String, String)>,
    /// Those whose credentials have been looked at.
    seen: BTreeSet<(String, String)>,
}

impl Ways {
    /// For a stack with the functions of these providers.
    pub fn new<'a>(providers: impl Iterator<Item = &'a str>) -> Self {
        let providers = providers.map(str::to_owned).collect();
        Self { providers, masked: BTreeSet::new(), seen: BTreeSet::new() }
    }

    /// The way of one delivery, as far as its source is known.
    pub fn of(&self, delivery: &ArchivedDelivery) -> Way {
        let way = Way::of(delivery, &self.providers);
        if way == Way::Function && self.masked.contains(&source(delivery)) {
            return Way::Not(Obstacle::Masked);
        }
        way
    }

    /// The way of one delivery. Looks at the credentials of a source that is new, if they may be read.
    async fn look(&mut self, delivery: &ArchivedDelivery, credentials: &mut StackCredentials) -> Way {
        if Way::of(delivery, &self.providers) == Way::Function && self.seen.insert(source(delivery)) {
            let known = credentials.of_provider(&delivery.record.provider).await;
            let input = known.and_then(|credentials| archived::input(delivery, credentials));
            if input.is_ok_and(|input| !archived::masked(&input).is_empty()) {
                self.masked.insert(source(delivery));
            }
        }
        self.of(delivery)
    }
}

fn source(delivery: &ArchivedDelivery) -> (String, String) {
    (delivery.record.provider.clone(), delivery.record.source.clone())
}

/// Reads the archive, and plans. What the journal has is done.
pub async fn make(
    archive: &Archive,
    filter: &Filter,
    journal: Option<&Journal>,
    ways: &mut Ways,
    credentials: &mut StackCredentials,
) -> Result<(Plan, Progress), CommandError> {
    let mut reader = archive.read(Order::OldestFirst, filter.clone());
    let shown = Shown::spinner();
    let mut plan = Plan::default();
    while let Some(delivery) = reader.next().await? {
        if journal.is_some_and(|journal| journal.has(&delivery.request_id)) {
            plan.done = plan.done.saturating_add(1);
        } else {
            let way = ways.look(&delivery, credentials).await;
            plan.add(&delivery, way);
        }
        shown.reading(reader.progress());
    }
    Ok((plan, *reader.progress()))
}

/// The plan in words.
pub fn text(plan: &Plan, pace: &Pace, stack: &str, region: &str) -> String {
    let total = plan.total();
    let times =
        plan.times.map(|(first, last)| format!(", received from {first} to {last}")).unwrap_or_default();
    let mut text = format!("Replay on the stack {stack} in {region}: {total} deliveries{times}\n");
    for (group, [queue, function]) in &plan.groups {
        for (count, way) in [(queue, "to the queue"), (function, "to the function")] {
            if *count > 0 {
                text += &format!("{count:>9}  {}  {way}\n", describe(group));
            }
        }
    }
    if plan.done > 0 {
        text += &format!("{:>9}  done before\n", plan.done);
    }
    if plan.impossible() > 0 {
        text += &format!("Cannot be replayed: {}\n", plan.impossible());
        for ((obstacle, group), count) in &plan.obstacles {
            text += &format!("{count:>9}  {}  {}\n", describe(group), obstacle.about());
        }
    }
    if total > 0 {
        text += &format!("At {}/s, this takes at least {}.\n", pace.rate, duration(total, pace.rate));
    }
    text
}

fn describe(Group { provider, source, outcome, reason }: &Group) -> String {
    let reason = reason.as_ref().map(|reason| format!("  {reason}")).unwrap_or_default();
    format!("{provider}/{source}  {outcome}{reason}")
}

/// How long so many steps take.
fn duration(count: u64, rate: f64) -> String {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let time = Duration::from_secs_f64(f64::from(count) / rate);
    about(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// The plan as one JSON object.
pub fn json(plan: &Plan) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        plan: Totals<'a>,
    }

    #[derive(Serialize)]
    struct Totals<'a> {
        deliveries: u64,
        first: Option<String>,
        last: Option<String>,
        done: u64,
        groups: Vec<Counted<'a>>,
        impossible: Vec<Impossible<'a>>,
    }

    #[derive(Serialize)]
    struct Counted<'a> {
        #[serde(flatten)]
        group: &'a Group,
        queue: u64,
        function: u64,
    }

    #[derive(Serialize)]
    struct Impossible<'a> {
        #[serde(flatten)]
        group: &'a Group,
        why: Obstacle,
        deliveries: u64,
    }

    let groups = plan.groups.iter();
    let obstacles = plan.obstacles.iter();
    let line = Line {
        plan: Totals {
            deliveries: plan.total(),
            first: plan.times.map(|(first, _)| first.to_string()),
            last: plan.times.map(|(_, last)| last.to_string()),
            done: plan.done,
            groups: groups
                .map(|(group, [queue, function])| Counted { group, queue: *queue, function: *function })
                .collect(),
            impossible: obstacles
                .map(|((why, group), deliveries)| Impossible { group, why: *why, deliveries: *deliveries })
                .collect(),
        },
    };
    // Strings and numbers alone.
    serde_json::to_string(&line).unwrap_or_default()
}
