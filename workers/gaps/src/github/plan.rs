//! Which deliveries of GitHub are asked for again, and when. Pure: rows and a clock in, gaps out.
//!
//! Sources, read 2026-11-27:
//! - GitHub does not retry, and keeps deliveries for 3 days: <https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries>
//!   and <https://docs.github.com/en/webhooks/testing-and-troubleshooting-webhooks/viewing-webhook-deliveries>; GitHub
//!   Enterprise Server keeps them for 7 days.
//! - every attempt is a row of its own under the same GUID, and the failed ones stay in the list.

use std::collections::BTreeMap;

use letterbox_codec::Timestamp;
use serde::{Deserialize, Serialize};

use super::page::{Page, Row};
use crate::limits::{HOUR, MINUTE};

/// How far a run looks back behind what the last one has seen, in milliseconds: a delivery may appear in the list late.
pub const OVERLAP: i64 = HOUR;

/// How far the first run looks back, in milliseconds.
pub const FIRST: i64 = 24 * HOUR;

/// The longest that GitHub keeps deliveries, in milliseconds: 7 days on an Enterprise Server, and a day of reserve.
pub const KEPT: i64 = 8 * 24 * HOUR;

/// The tries of one delivery. With the pauses between them, the last is 32 hours after the first.
pub const MOST_TRIES: u32 = 8;

/// The pause after the first try, in milliseconds; it doubles, up to [`LONGEST_PAUSE`]. An attempt may take minutes to appear.
const PAUSE: i64 = 15 * MINUTE;

const LONGEST_PAUSE: i64 = 16 * HOUR;

/// What is known of a hook's list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    /// Everything until then has been seen, but for `rest`.
    pub seen: Option<i64>,
    /// An older part of the list that a run did not reach.
    pub rest: Option<Rest>,
    /// No request before this time.
    pub blocked: Option<i64>,
}

/// A part of the list that is still to be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// The cursor of its first page.
    pub cursor: String,
    /// It ends at the first row before this time.
    pub floor: i64,
}

impl Scan {
    /// How far a run looks back.
    pub fn floor(&self, now: Timestamp, since: Option<Timestamp>) -> i64 {
        let usual = match self.seen {
            Some(seen) => seen.saturating_sub(OVERLAP),
            None => now.0.saturating_sub(FIRST),
        };
        since.map_or(usual, |since| since.0).max(now.0.saturating_sub(KEPT))
    }
}

/// All attempts of one delivery that were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The newest attempt.
    pub id: u64,
    /// When the oldest of them was.
    pub first_at: i64,
    /// When the newest of them was.
    pub last_at: i64,
    /// True if one of them succeeded.
    pub is_ok: bool,
    /// True if one that succeeded was asked for.
    pub was_redelivered: bool,
    /// The event's name.
    pub event: String,
}

/// The deliveries of the pages that were read, by GUID.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups(pub BTreeMap<String, Group>);

impl Groups {
    /// Adds the rows of a page that are not older than `floor`, and returns the cursor of the next page, if it is needed.
    pub fn add(&mut self, page: Page, floor: i64) -> Option<String> {
        let reaches_floor = page.rows.iter().any(|row| row.delivered_at.0 < floor);
        let is_empty = page.rows.is_empty();
        for row in page.rows.into_iter().filter(|row| row.delivered_at.0 >= floor) {
            self.add_row(row);
        }
        page.next.filter(|_| !reaches_floor && !is_empty)
    }

    fn add_row(&mut self, row: Row) {
        let Row { id, guid, delivered_at: Timestamp(at), is_redelivery, is_ok, event } = row;
        let group = self.0.entry(guid).or_insert(Group {
            id,
            first_at: at,
            last_at: at,
            is_ok: false,
            was_redelivered: false,
            event,
        });
        if at > group.last_at {
            (group.id, group.last_at) = (id, at);
        }
        group.first_at = group.first_at.min(at);
        group.is_ok |= is_ok;
        group.was_redelivered |= is_ok && is_redelivery;
    }
}

/// A delivery that failed, and what has been done about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The delivery's GUID.
    pub guid: String,
    /// The id of its newest attempt.
    pub id: u64,
    /// The event's name.
    pub event: String,
    /// When it failed, as far as is known.
    pub failed_at: i64,
    /// The tries so far.
    pub tries: u32,
    /// The next try is due then.
    pub next: i64,
    /// What has become of it.
    pub state: State,
}

/// What has become of a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No attempt has succeeded yet.
    Open,
    /// An attempt has succeeded.
    Filled,
    /// It is not tried any more.
    GivenUp,
}

impl Gap {
    /// The gap with one try more. It is stored before the try: a run that ends in between loses a try, and repeats none.
    #[must_use]
    pub fn tried(&self, now: Timestamp) -> Self {
        let tries = self.tries.saturating_add(1);
        let doubled = PAUSE.saturating_mul(1_i64.checked_shl(tries.saturating_sub(1)).unwrap_or(i64::MAX));
        let next = now.0.saturating_add(doubled.clamp(PAUSE, LONGEST_PAUSE));
        Self { tries, next, ..self.clone() }
    }

    /// The gap in another state.
    #[must_use]
    pub fn now_is(&self, state: State) -> Self {
        Self { state, ..self.clone() }
    }

    /// When it may be forgotten: when GitHub does not have it any more.
    pub fn expires(&self) -> Timestamp {
        Timestamp(self.failed_at.saturating_add(KEPT.saturating_mul(2)))
    }

    /// True if it is open, and was tried as often as it may be, without success by the time of a further try, or GitHub
    /// does not have it any more.
    pub fn is_exhausted(&self, now: Timestamp) -> bool {
        let is_spent = self.tries >= MOST_TRIES && self.next <= now.0;
        let is_old = self.failed_at.saturating_add(KEPT) < now.0;
        self.state == State::Open && (is_spent || is_old)
    }
}

/// The gaps that are new, or that the read deliveries change. `is_cut` says that older pages are still to be read.
pub fn changes(groups: &Groups, known: &BTreeMap<String, Gap>, now: Timestamp, is_cut: bool) -> Vec<Gap> {
    let change = |(guid, group): (&String, &Group)| {
        let new = |state| Gap {
            guid: guid.clone(),
            id: group.id,
            event: group.event.clone(),
            failed_at: group.first_at,
            tries: 0,
            next: now.0,
            state,
        };
        match known.get(guid) {
            None if !group.is_ok => Some(new(State::Open)),
            // The failed attempt is in a page that is read later, and must not look like a gap then.
            None if is_cut && group.was_redelivered => Some(new(State::Filled)),
            Some(gap) if gap.state == State::Open && group.is_ok => Some(gap.now_is(State::Filled)),
            Some(gap) if gap.state == State::Open && gap.id != group.id => {
                Some(Gap { id: group.id, ..gap.clone() })
            }
            _ => None,
        }
    };
    groups.0.iter().filter_map(change).collect()
}

/// The open gaps whose next try is due, the oldest first, at most `most`.
pub fn due(known: &BTreeMap<String, Gap>, now: Timestamp, most: usize) -> Vec<Gap> {
    let is_due = |gap: &&Gap| {
        gap.state == State::Open && gap.next <= now.0 && gap.tries < MOST_TRIES && !gap.is_exhausted(now)
    };
    let mut due: Vec<_> = known.values().filter(is_due).cloned().collect();
    due.sort_by(|a, b| (a.failed_at, &a.guid).cmp(&(b.failed_at, &b.guid)));
    due.truncate(most);
    due
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    fn row(id: u64, guid: &str, minutes_ago: i64, is_ok: bool) -> Row {
        Row {
            id,
            guid: guid.to_owned(),
            delivered_at: Timestamp(NOW.0 - minutes_ago * MINUTE),
            is_redelivery: false,
            is_ok,
            event: "push".to_owned(),
        }
    }

    fn page(rows: Vec<Row>, next: Option<&str>) -> Page {
        Page { rows, next: next.map(str::to_owned) }
    }

    fn known(gaps: Vec<Gap>) -> BTreeMap<String, Gap> {
        gaps.into_iter().map(|gap| (gap.guid.clone(), gap)).collect()
    }

    #[test]
    fn a_run_looks_back_behind_the_last_one() {
        let floor = |seen, since| Scan { seen, ..Scan::default() }.floor(NOW, since);
        assert_eq!(floor(None, None), NOW.0 - FIRST);
        assert_eq!(floor(Some(NOW.0 - MINUTE), None), NOW.0 - MINUTE - OVERLAP);
        assert_eq!(floor(Some(NOW.0), Some(Timestamp(NOW.0 - 3 * FIRST))), NOW.0 - 3 * FIRST);
        assert_eq!(floor(Some(0), None), NOW.0 - KEPT);
    }

    #[test]
    fn pages_are_read_until_the_floor() {
        let floor = NOW.0 - 10 * MINUTE;
        let mut groups = Groups::default();
        assert_eq!(groups.add(page(vec![row(3, "c", 1, true)], Some("x")), floor), Some("x".to_owned()));
        assert_eq!(
            groups.add(page(vec![row(2, "b", 10, true), row(1, "a", 11, true)], Some("y")), floor),
            None
        );
        assert_eq!(groups.add(page(vec![], Some("z")), floor), None);
        assert_eq!(groups.0.keys().collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn one_success_among_the_attempts_is_enough() {
        let mut groups = Groups::default();
        groups.add(
            page(
                vec![
                    row(4, "a", 1, false),
                    row(3, "b", 2, false),
                    row(2, "a", 3, true),
                    row(1, "a", 4, false),
                ],
                None,
            ),
            0,
        );
        let found = changes(&groups, &BTreeMap::new(), NOW, false);
        assert_eq!(found.iter().map(|gap| (gap.guid.as_str(), gap.id)).collect::<Vec<_>>(), [("b", 3)]);
        // A gap that is known is filled, and one that is filled stays so.
        let open = known(vec![Gap { guid: "a".into(), ..found[0].clone() }]);
        let filled = changes(&groups, &open, NOW, false);
        assert_eq!(filled[0].state, State::Filled);
        assert_eq!(filled[0].guid, "a");
        let mut groups = Groups::default();
        groups.add(page(vec![row(9, "a", 0, false)], None), 0);
        assert_eq!(changes(&groups, &known(filled), NOW, false), []);
    }

    #[test]
    fn a_success_in_a_list_that_is_cut_is_remembered() {
        let mut groups = Groups::default();
        groups.add(
            page(vec![Row { is_redelivery: true, ..row(4, "a", 1, true) }, row(3, "b", 2, true)], None),
            0,
        );
        assert_eq!(changes(&groups, &BTreeMap::new(), NOW, false), []);
        let found = changes(&groups, &BTreeMap::new(), NOW, true);
        assert_eq!(
            found.iter().map(|gap| (&*gap.guid, gap.state)).collect::<Vec<_>>(),
            [("a", State::Filled)]
        );
    }

    #[test]
    fn tries_are_spaced_and_end() {
        let mut groups = Groups::default();
        groups.add(page(vec![row(1, "a", 0, false)], None), 0);
        let mut gap = changes(&groups, &BTreeMap::new(), NOW, false).remove(0);
        let (mut now, mut pauses) = (NOW, Vec::new());
        while !gap.is_exhausted(now) {
            assert_eq!(due(&known(vec![gap.clone()]), now, 9).len(), 1);
            gap = gap.tried(now);
            assert_eq!(due(&known(vec![gap.clone()]), now, 9), []);
            pauses.push((gap.next - now.0) / MINUTE);
            now = Timestamp(gap.next);
        }
        assert_eq!(pauses, [15, 30, 60, 120, 240, 480, 960, 960]);
        assert_eq!(gap.tries, MOST_TRIES);
        assert_eq!(due(&known(vec![gap]), now, 9), []);
    }

    #[test]
    fn the_oldest_gaps_come_first_up_to_the_limit() {
        let mut groups = Groups::default();
        groups.add(
            page(
                (0_u32..10).map(|at| row(at.into(), &format!("g{at}"), 100 - i64::from(at), false)).collect(),
                None,
            ),
            0,
        );
        let gaps = known(changes(&groups, &BTreeMap::new(), NOW, false));
        let guids: Vec<_> = due(&gaps, NOW, 3).into_iter().map(|gap| gap.guid).collect();
        assert_eq!(guids, ["g0", "g1", "g2"]);
    }

    prop_compose! {
        fn any_row()(id in 1_u64.., guid in "[a-e]", minutes in 0_i64..200, is_ok: bool, is_redelivery: bool) -> Row {
            Row { is_redelivery, ..row(id, &guid, minutes, is_ok) }
        }
    }

    proptest! {
        /// However the rows are spread over pages, and in whatever order they come.
        #[test]
        fn pages_do_not_matter(rows in prop::collection::vec(any_row(), 0..40), size in 1_usize..10) {
            let mut whole = Groups::default();
            whole.add(page(rows.clone(), None), 0);
            let mut parts = Groups::default();
            for part in rows.chunks(size) {
                parts.add(page(part.to_vec(), Some("x")), 0);
            }
            prop_assert_eq!(&whole, &parts);
            // No delivery with a success is a gap, and every other one is.
            let gaps = known(changes(&whole, &BTreeMap::new(), NOW, false));
            for row in &rows {
                let is_ok = rows.iter().any(|other| other.guid == row.guid && other.is_ok);
                prop_assert_eq!(gaps.contains_key(&row.guid), !is_ok);
            }
        }

        /// A second run over the same list finds nothing new.
        #[test]
        fn a_run_that_is_repeated_changes_nothing(rows in prop::collection::vec(any_row(), 0..40), is_cut: bool) {
            let mut groups = Groups::default();
            groups.add(page(rows, None), 0);
            let gaps = known(changes(&groups, &BTreeMap::new(), NOW, is_cut));
            prop_assert_eq!(changes(&groups, &gaps, NOW, is_cut), vec![]);
        }

        /// No number of tries overflows, and the pause never shrinks.
        #[test]
        fn pauses_are_bounded(tries in 0_u32..200, now in 0_i64..4_000_000_000_000) {
            let gap = Gap { guid: "g".into(), id: 1, event: String::new(), failed_at: 0, tries, next: 0, state: State::Open };
            let next = gap.tried(Timestamp(now)).next - now;
            prop_assert!((PAUSE..=LONGEST_PAUSE).contains(&next));
        }
    }
}
