//! What stops a run from removing more than a directory loses in a day.

use letterbox_codec::Timestamp;

use crate::{
    report::Halt,
    settings::{Guard, HashKey},
};

/// The most ids that a halt lists.
const MOST_LISTED: usize = 100;

/// What a run would remove, by DingTalk's ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removals {
    /// People whose members would be disabled, sorted.
    pub leaving: Vec<String>,
    /// People whose members would be deleted, sorted.
    pub due: Vec<String>,
    /// Departments that would be deleted, sorted.
    pub departments: Vec<i64>,
    /// Roles whose tags would be deleted, sorted.
    pub tags: Vec<i64>,
}

/// How many there are of each kind, or were removed within the last day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Members.
    pub members: usize,
    /// Departments.
    pub departments: usize,
    /// Tags.
    pub tags: usize,
}

impl Removals {
    /// True if nothing would be removed.
    pub fn is_empty(&self) -> bool {
        self.leaving.is_empty() && self.due.is_empty() && self.departments.is_empty() && self.tags.is_empty()
    }

    /// What approves exactly these removals, in spite of these doubts: 16 hex digits.
    pub fn code(&self, key: &HashKey, doubts: &[String]) -> String {
        let mut text = doubts.join("\n") + "\n";
        let people = self.leaving.iter().map(|id| ("disable", id.clone()));
        let due = self.due.iter().map(|id| ("delete", id.clone()));
        let departments = self.departments.iter().map(|id| ("department", id.to_string()));
        let tags = self.tags.iter().map(|id| ("tag", id.to_string()));
        for (what, id) in people.chain(due).chain(departments).chain(tags) {
            text += &format!("{what} {id}\n");
        }
        key.hash("removals", &text)
    }
}

impl Guard {
    /// How many of so many may be removed within a day.
    pub fn limit(self, of: usize) -> usize {
        let percent = usize::try_from(self.percent).unwrap_or_default();
        let share = of.saturating_mul(percent) / 100;
        share.max(usize::try_from(self.count).unwrap_or(usize::MAX))
    }

    /// Judges removals. `before` is what was removed within the last day, `all` what the mirror has made and not removed, `doubts`
    /// is why absence is not proven.
    pub fn judge(
        self,
        key: &HashKey,
        removals: &Removals,
        before: Amounts,
        all: Amounts,
        doubts: &[String],
        now: Timestamp,
    ) -> Option<Halt> {
        let mut reasons = doubts.to_vec();
        let people = removals.leaving.len().saturating_add(removals.due.len());
        for (what, removed, before, all) in [
            ("members", people, before.members, all.members),
            ("departments", removals.departments.len(), before.departments, all.departments),
            ("tags", removals.tags.len(), before.tags, all.tags),
        ] {
            let limit = self.limit(all.saturating_add(before));
            if removed > 0 && removed.saturating_add(before) > limit {
                let since = if before == 0 { String::new() } else { format!(" after {before} within a day") };
                reasons.push(format!(
                    "{removed} of {all} {what} would be removed{since}; the guard allows {limit}"
                ));
            }
        }
        if reasons.is_empty() {
            return None;
        }
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Some(Halt {
            code: removals.code(key, doubts),
            reasons,
            people: removals.leaving.iter().chain(&removals.due).take(MOST_LISTED).cloned().collect(),
            people_count: count(people),
            departments: removals.departments.iter().take(MOST_LISTED).copied().collect(),
            departments_count: count(removals.departments.len()),
            tags_count: count(removals.tags.len()),
            since: now.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    fn leaving(number: usize) -> Removals {
        Removals { leaving: (0..number).map(|id| id.to_string()).collect(), ..Removals::default() }
    }

    fn judge(removals: &Removals, before: usize, all: usize, doubts: &[String]) -> Option<Halt> {
        let amount = |members| Amounts { members, departments: members, tags: members };
        Guard::DEFAULT.judge(&HashKey([1; 32]), removals, amount(before), amount(all), doubts, NOW)
    }

    #[test]
    fn the_larger_of_count_and_percent_is_allowed() {
        for (removed, before, all, is_halted) in [
            (10, 0, 20, false),
            (11, 0, 20, true),
            (50, 0, 1000, false),
            (51, 0, 1000, true),
            // What was removed within a day counts, but only where something would be removed now.
            (1, 10, 20, true),
            (0, 500, 20, false),
        ] {
            assert_eq!(
                judge(&leaving(removed), before, all, &[]).is_some(),
                is_halted,
                "{removed} {before} {all}"
            );
        }
        let departments = Removals { departments: (0..11).collect(), ..Removals::default() };
        let halt = judge(&departments, 0, 100, &[]).unwrap();
        assert_eq!(halt.reasons, ["11 of 100 departments would be removed; the guard allows 10"]);
        assert_eq!((halt.departments_count, halt.people_count), (11, 0));
        let due = Removals { due: leaving(6).leaving, ..leaving(6) };
        assert!(judge(&due, 0, 100, &[]).is_some(), "disabled and deleted members count together");
    }

    #[test]
    fn a_doubt_stops_a_run_that_would_remove_nothing_as_well() {
        let doubts = ["the scope has shrunk".to_owned()];
        assert_eq!(judge(&leaving(1), 0, 100, &doubts).unwrap().reasons, doubts);
        assert_eq!(judge(&leaving(0), 0, 100, &doubts).unwrap().people_count, 0);
        assert_eq!(judge(&leaving(0), 0, 100, &[]), None);
    }

    #[test]
    fn a_code_approves_exactly_these_removals() {
        let key = HashKey([1; 32]);
        let code = leaving(3).code(&key, &[]);
        assert_eq!((code.len(), &code), (16, &leaving(3).code(&key, &[])));
        assert_ne!(code, leaving(3).code(&key, &["a doubt".to_owned()]));
        let due = Removals { leaving: Vec::new(), due: leaving(3).leaving, ..Removals::default() };
        for other in [leaving(4), leaving(2), due, Removals { tags: vec![1], ..leaving(3) }] {
            assert_ne!(code, other.code(&key, &[]));
        }
    }
}
