//! The plan of a replay, printed before anything is done.

use std::time::Duration;

use serde::Serialize;

use crate::{
    stack::replay::{Obstacle, Pace, Plan, plan::Group},
    time::about,
};

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
