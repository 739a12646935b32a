//! Random directories and random changes, with events that are doubled, reordered and lost, and a process that is killed at any call.

use std::{collections::BTreeSet, sync::atomic::Ordering::SeqCst};

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    mapping,
    model::{Group, Manager, Member, Role},
    pair::{Account, Pair, corp, department, person},
    trouble::Trouble,
};

/// One change of a directory. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Change {
    Hire(u8, u8),
    Move(u8, u8),
    Edit(u8, u8),
    Manage(u8, u8),
    Leave(u8),
    Found(u8, u8),
    Rename(u8, u8),
    Reparent(u8, u8),
    Close(u8),
    Grant(u8, u8),
    Revoke(u8, u8),
    /// At WeCom, by hand.
    Delete(u8),
    /// At WeCom, by hand.
    Misplace(u8),
}

fn change() -> impl Strategy<Value = Change> {
    let two = || (any::<u8>(), any::<u8>());
    prop_oneof![
        4 => two().prop_map(|(a, b)| Change::Hire(a, b)),
        4 => two().prop_map(|(a, b)| Change::Move(a, b)),
        3 => two().prop_map(|(a, b)| Change::Edit(a, b)),
        3 => two().prop_map(|(a, b)| Change::Manage(a, b)),
        2 => any::<u8>().prop_map(Change::Leave),
        4 => two().prop_map(|(a, b)| Change::Found(a, b)),
        2 => two().prop_map(|(a, b)| Change::Rename(a, b)),
        3 => two().prop_map(|(a, b)| Change::Reparent(a, b)),
        2 => any::<u8>().prop_map(Change::Close),
        2 => two().prop_map(|(a, b)| Change::Grant(a, b)),
        1 => two().prop_map(|(a, b)| Change::Revoke(a, b)),
        1 => any::<u8>().prop_map(Change::Delete),
        1 => any::<u8>().prop_map(Change::Misplace),
    ]
}

/// Names that are equal after cleaning, or in another case.
const NAMES: [&str; 7] = ["Sales", "SALES", "R:D", "R*D", "Lab", "Lab(2)", "部门"];

fn pick<T: Clone>(all: impl Iterator<Item = T>, at: u8) -> Option<T> {
    let all: Vec<_> = all.collect();
    let at = usize::from(at).checked_rem(all.len())?;
    all.get(at).cloned()
}

/// A department, or the root.
fn place(pair: &Pair, at: u8) -> i64 {
    let ding = pair.ding();
    pick([1].into_iter().chain(ding.departments.keys().copied()), at).unwrap()
}

fn is_below(pair: &Pair, department: i64, above: i64) -> bool {
    let ding = pair.ding();
    let parents = std::iter::successors(Some(department), |id| ding.departments.get(id)?.parent);
    parents.into_iter().any(|id| id == above)
}

/// Makes changes whose events are lost.
fn make_all(pair: &Pair, changes: &[Change]) {
    for change in changes {
        make(pair, change);
    }
}

/// Makes a change, and returns what the event for it says.
#[allow(clippy::too_many_lines, reason = "one arm for each change")]
fn make(pair: &Pair, change: &Change) -> Hints {
    let mut hints = Hints::default();
    // One stays: that nobody is left is not believed.
    let somebody = |at: u8| pick(pair.ding().people.keys().filter(|userid| *userid != STAYS).cloned(), at);
    let some_department = |at: u8| pick(pair.ding().departments.keys().copied(), at);
    match *change {
        Change::Hire(who, at) => {
            let place = place(pair, at);
            let userid = format!("u{}", who % 24);
            if !pair.ding().people.contains_key(&userid) {
                pair.add(&[], &[person(&userid, &[place])]);
            }
            hints.people.insert(userid);
        }
        Change::Move(who, at) => {
            let (to, also) = (place(pair, at), place(pair, at.wrapping_mul(7)));
            if let Some(userid) = somebody(who) {
                let mut ding = pair.ding();
                let person = ding.people.get_mut(&userid).unwrap();
                person.departments = if to == also { vec![to] } else { vec![to, also] };
                person.leads = if at % 3 == 0 { vec![to] } else { vec![] };
                hints.people.insert(userid);
            }
        }
        Change::Edit(who, what) => {
            if let Some(userid) = somebody(who) {
                let mut ding = pair.ding();
                let person = ding.people.get_mut(&userid).unwrap();
                match what % 4 {
                    // Of a few values, so that some come back.
                    0 => person.name = format!("Name {}", what % 3),
                    1 => person.title = (what % 8 != 1).then(|| format!("Title {}", what % 3)),
                    2 => person.email = (what % 8 != 2).then(|| format!("{userid}-{}@example.com", what % 3)),
                    _ => {
                        person.mobile =
                            Some(format!("139{what:03}{:05}", userid[1..].parse::<u32>().unwrap()));
                    }
                }
                hints.people.insert(userid);
            }
        }
        Change::Manage(who, whom) => {
            if let (Some(userid), Some(manager)) = (somebody(who), somebody(whom)) {
                let manager = if whom % 5 == 0 { Manager::Nobody } else { Manager::Person(manager) };
                pair.ding().people.get_mut(&userid).unwrap().manager = manager;
                hints.people.insert(userid);
            }
        }
        Change::Leave(who) => {
            if let Some(userid) = somebody(who) {
                pair.leave(&userid);
                hints.people.insert(userid);
            }
        }
        Change::Found(id, at) => {
            let (id, parent) = (100 + i64::from(id % 24), place(pair, at));
            if !pair.ding().departments.contains_key(&id) {
                pair.add(&[department(id, parent, NAMES[usize::from(at) % NAMES.len()])], &[]);
            }
            hints.departments.insert(id);
        }
        Change::Rename(at, name) => {
            if let Some(id) = some_department(at) {
                let mut ding = pair.ding();
                let department = ding.departments.get_mut(&id).unwrap();
                department.name = NAMES[usize::from(name) % NAMES.len()].into();
                department.order = Some(i64::from(name));
                hints.departments.insert(id);
            }
        }
        Change::Reparent(at, to) => {
            let to = place(pair, to);
            if let Some(id) = some_department(at).filter(|id| !is_below(pair, to, *id)) {
                pair.ding().departments.get_mut(&id).unwrap().parent = Some(to);
                hints.departments.insert(id);
            }
        }
        Change::Close(at) => {
            if let Some(id) = some_department(at) {
                let mut ding = pair.ding();
                if ding.departments.values().any(|one| one.parent == Some(id)) {
                    return hints;
                }
                ding.departments.remove(&id);
                for person in ding.people.values_mut() {
                    person.departments.retain(|one| *one != id);
                    person.leads.retain(|one| *one != id);
                    if person.departments.is_empty() {
                        person.departments.push(1);
                    }
                }
                hints.departments.insert(id);
            }
        }
        Change::Grant(role, who) => {
            let id = 900 + i64::from(role % 3);
            if let Some(userid) = somebody(who) {
                let made = || (Role { id, name: format!("Role {id}"), group: "G".into() }, BTreeSet::new());
                pair.ding().roles.entry(id).or_insert_with(made).1.insert(userid);
                hints.roles.insert(id);
            }
        }
        Change::Revoke(role, who) => {
            let id = 900 + i64::from(role % 3);
            if let Some(userid) = somebody(who) {
                let mut ding = pair.ding();
                if let Some((_, people)) = ding.roles.get_mut(&id) {
                    people.remove(&userid);
                }
                hints.roles.insert(id);
            }
        }
        Change::Delete(at) => {
            let mut wecom = pair.wecom();
            if let Some(userid) =
                pick(wecom.members.iter().filter(|(_, one)| !one.by_hand).map(|(id, _)| id.clone()), at)
            {
                wecom.members.remove(&userid);
                wecom.tags.values_mut().for_each(|(_, members)| {
                    members.remove(&userid);
                });
                let managed =
                    wecom.members.values_mut().filter(|one| one.member.manager.as_ref() == Some(&userid));
                managed.for_each(|one| one.member.manager = None);
            }
        }
        Change::Misplace(at) => {
            let mut wecom = pair.wecom();
            let userid = pick(wecom.members.keys().cloned(), at);
            let one = userid.and_then(|userid| wecom.members.get_mut(&userid)).filter(|one| !one.by_hand);
            if let Some(one) = one {
                // Where no person of DingTalk is: that somebody leads a department cannot be read.
                (one.member.departments, one.member.leads) = (vec![2], vec![false]);
            }
        }
    }
    hints
}

/// Somebody who never leaves.
const STAYS: &str = "stays";

/// One person in DingTalk, and what was made in WeCom's console.
fn directories() -> Pair {
    let pair = Pair::default();
    made_by_hand(&pair);
    pair.add(&[], &[person(STAYS, &[1])]);
    pair
}

/// What was made in WeCom's console.
fn made_by_hand(pair: &Pair) {
    let mut wecom = pair.wecom();
    for (id, name) in [(2, "Hand"), (3, "Sales")] {
        wecom.groups.insert(id, Group { id, parent: 1, name: name.into(), order: None });
    }
    for at in 0..5 {
        let member = Member {
            userid: format!("Hand{at}"),
            name: "By hand".into(),
            mobile: Some(format!("1370000000{at}")),
            departments: vec![2],
            leads: vec![false],
            is_enabled: true,
            ..Member::default()
        };
        wecom.members.insert(format!("hand{at}"), Account { member, by_hand: true });
    }
}

/// What holds after every run: nobody who is in DingTalk is disabled, and what was made by hand is as it was.
fn expect_safe(pair: &Pair) {
    let other = Pair::default();
    made_by_hand(&other);
    let (before, now, ding) = (other.wecom(), pair.wecom(), pair.ding());
    for (id, group) in &before.groups {
        assert_eq!(now.groups.get(id), Some(group));
    }
    for (userid, account) in &before.members {
        assert_eq!(now.members.get(userid), Some(account));
    }
    for (userid, account) in &now.members {
        let is_left = account.member.is_enabled || !ding.people.contains_key(userid);
        assert!(is_left, "{userid} is disabled, and in DingTalk");
    }
}

/// Both directories are equal by the mapping, and WeCom has nothing else but what was made by hand.
async fn expect_equal(pair: &Pair, corps: &Corps) {
    let state = State::load(pair, "acme").await.unwrap();
    let corp = corps.named("acme").unwrap();
    let (ding, wecom) = (pair.ding().clone(), pair.wecom().clone());
    let group =
        |id: i64| if id == 1 { 1 } else { state.department(id).unwrap_or_else(|| panic!("no {id}")).wecom };
    for department in ding.departments.values() {
        let found = &wecom.groups[&group(department.id)];
        let suffix = state.department(department.id).unwrap().suffix;
        let name = mapping::suffixed(&mapping::department_name(&department.name), suffix);
        assert_eq!((&found.name, found.parent), (&name, group(department.parent.unwrap())));
    }
    assert_eq!(wecom.groups.len(), ding.departments.len() + 3, "{:?}", wecom.groups);
    for person in ding.people.values() {
        let account = wecom.members.get(&person.userid).unwrap_or_else(|| panic!("no {}", person.userid));
        let departments =
            person.departments.iter().map(|id| (group(*id), person.leads.contains(id))).collect();
        let manager = match &person.manager {
            Manager::Person(manager) if *manager != person.userid => Some(manager.clone()),
            _ => None,
        };
        let manager = manager.filter(|manager| ding.people.contains_key(manager));
        let expected =
            Member { manager, ..mapping::member(person.userid.clone(), person, departments, false) };
        let values = |member: &Member| {
            let fields = mapping::FIELDS.into_iter().chain([crate::model::Field::Manager]);
            fields.map(|field| mapping::value(member, field)).collect::<Vec<_>>()
        };
        assert_eq!(values(&account.member), values(&expected), "{}", person.userid);
        assert!(account.member.is_enabled);
    }
    let others =
        wecom.members.iter().filter(|(userid, one)| !one.by_hand && !ding.people.contains_key(*userid));
    assert!(others.into_iter().all(|(_, one)| !one.member.is_enabled), "somebody who left is enabled");
    let tags: Vec<_> = wecom.tags.values().cloned().collect();
    let mut roles: Vec<_> =
        ding.roles.values().map(|(role, people)| (role.name.clone(), people.clone())).collect();
    roles.sort();
    let mut tags = tags;
    tags.sort();
    assert_eq!(tags, roles);
    let _ = corp;
}

/// A corp whose guard allows everything that these directories lose.
fn corps() -> Corps {
    corp(r#","roles":true,"guard":{"count":1000}"#)
}

/// Complete runs until one writes nothing.
async fn converge(pair: &Pair, corps: &Corps) {
    for _ in 0..4 {
        pair.writes();
        pair.sync(corps).await;
        expect_safe(pair);
        if pair.writes().is_empty() {
            return;
        }
    }
    pair.wecom().log.clear();
    let report = pair.sync(corps).await;
    panic!("still writing: {:?} {report:?}", pair.wecom().log);
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future);
}

/// Hints in another order, some twice, some not at all.
fn delivered(hints: Vec<Hints>, luck: &[u8]) -> Vec<Hints> {
    let mut queue = Vec::new();
    for (hint, luck) in hints.into_iter().zip(luck.iter().cycle()) {
        let copies = match luck % 10 {
            0 => 0,
            1..=3 => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let at = usize::from(*luck) % (queue.len() + 1);
            queue.insert(at, hint.clone());
        }
    }
    queue
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_changes_converge_whatever_becomes_of_their_events(
        first in vec(change(), 0..40),
        then in vec(change(), 0..40),
        luck in vec(any::<u8>(), 8),
    ) {
        block_on(async {
            let (pair, corps) = (directories(), corps());
            make_all(&pair, &first);
            converge(&pair, &corps).await;
            expect_equal(&pair, &corps).await;
            let hints = then.iter().map(|change| make(&pair, change)).collect();
            for hints in delivered(hints, &luck) {
                let report = pair.hint(&corps, hints).await;
                assert_eq!((report.error, report.busy), (None, false));
                expect_safe(&pair);
            }
            converge(&pair, &corps).await;
            expect_equal(&pair, &corps).await;
        });
    }

    #[test]
    fn a_process_that_is_killed_at_any_call_is_completed_by_the_next(
        first in vec(change(), 0..30),
        then in vec(change(), 0..30),
        kills in vec(1_u64..60, 0..8),
        luck in any::<u8>(),
    ) {
        block_on(async {
            let (pair, corps) = (directories(), corps());
            make_all(&pair, &first);
            for (at, kill) in kills.iter().enumerate() {
                if at == kills.len() / 2 {
                    make_all(&pair, &then);
                }
                pair.kill_after(*kill);
                let scope = if (usize::from(luck) + at) % 3 == 0 {
                    let ding = pair.ding();
                    Scope::Hints(Hints {
                        people: ding.people.keys().cloned().collect(),
                        departments: ding.departments.keys().copied().collect(),
                        roles: ding.roles.keys().copied().collect(),
                    })
                } else {
                    Scope::All
                };
                pair.run(&corps, scope).await;
                pair.revive();
                expect_safe(&pair);
            }
            converge(&pair, &corps).await;
            expect_equal(&pair, &corps).await;
        });
    }

    #[test]
    fn errors_of_the_source_disable_nobody_who_is_there(
        first in vec(change(), 5..40),
        then in vec(change(), 0..20),
        errors in vec((any::<u8>(), 0..5_usize), 1..6),
    ) {
        block_on(async {
            let (pair, corps) = (directories(), corps());
            make_all(&pair, &first);
            converge(&pair, &corps).await;
            make_all(&pair, &then);
            let kinds = [
                (Meaning::Stop, 50_002),
                (Meaning::Retry, -1),
                (Meaning::Later, 90_018),
                (Meaning::Bug, 400_002),
                (Meaning::Stop, 60_011),
            ];
            for (at, kind) in errors {
                let calls = ["visible", "count", "subdepartments 1", "people 1", "roles", "leaves"];
                let call = match at % 3 {
                    0 => calls[usize::from(at) % calls.len()].to_owned(),
                    1 => format!("people {}", place(&pair, at)),
                    _ => format!("person u{}", at % 24),
                };
                let (meaning, code) = kinds[kind];
                pair.ding().errors.insert(call, Trouble::of_code(meaning, code, "refused"));
            }
            pair.run(&corps, Scope::All).await;
            expect_safe(&pair);
            pair.ding().errors.clear();
            pair.now.fetch_add(1, SeqCst);
            converge(&pair, &corps).await;
            expect_equal(&pair, &corps).await;
        });
    }

    #[test]
    fn the_guard_holds(
        first in vec(change(), 20..60),
        count in 0..4_u32,
        leavers in 1..24_usize,
        by_events in any::<bool>(),
    ) {
        block_on(async {
            let corps = corp(&format!(r#","guard":{{"count":{count},"percent":0}}"#));
            let pair = directories();
            let hires = first.iter().filter(|change| matches!(change, Change::Hire(..) | Change::Found(..)));
            hires.for_each(|change| drop(make(&pair, change)));
            converge(&pair, &corps).await;
            let all: Vec<_> = pair.ding().people.keys().filter(|userid| *userid != STAYS).cloned().collect();
            for userid in all.iter().take(leavers) {
                pair.leave(userid);
                if by_events {
                    pair.hint(&corps, crate::pair::people(&[userid])).await;
                }
            }
            let report = pair.run(&corps, Scope::All).await;
            let wecom = pair.wecom();
            let disabled = wecom.members.values().filter(|one| !one.member.is_enabled).count();
            let left = leavers.min(all.len());
            let limit = usize::try_from(count).unwrap();
            assert!(disabled <= limit, "{disabled} of {left}");
            assert_eq!(report.halt.is_some(), left > limit, "{report:?}");
        });
    }
}
