//! Each rule, against two directories in memory.

use std::sync::atomic::Ordering::SeqCst;

use super::*;
use crate::{
    model::{Department, Field, Manager, Member, Person, Role, Visible},
    pair::{Account, Pair, corp, department, departments, people, person},
    report::{Action, ConflictKind, Subject},
    state::DAY,
    trouble::Trouble,
};

/// A company with two departments, one below the other, and three people.
fn small() -> Pair {
    let pair = Pair::default();
    pair.add(
        &[department(20, 1, "Sales"), department(10, 20, "North: 1")],
        &[person("anna", &[1]), person("bert", &[10, 20]), person("carl", &[10])],
    );
    pair.ding().people.get_mut("bert").unwrap().leads = vec![10];
    pair.ding().people.get_mut("carl").unwrap().manager = Manager::Person("bert".into());
    pair
}

fn many(count: usize) -> Pair {
    let pair = small();
    let more: Vec<_> = (0..count).map(|at| person(&format!("p{at:03}"), &[20])).collect();
    pair.add(&[], &more);
    pair
}

fn conflicts(report: &CorpReport) -> Vec<(String, ConflictKind)> {
    report.conflicts.iter().map(|one| (one.id.clone(), one.kind)).collect()
}

fn group_id(pair: &Pair, name: &str) -> i32 {
    pair.wecom().groups.values().find(|one| one.name == name).unwrap_or_else(|| panic!("no {name}")).id
}

fn parent(pair: &Pair, id: i32) -> i32 {
    pair.wecom().groups[&id].parent
}

fn by_hand(pair: &Pair, userid: &str, mobile: &str) {
    let member = Member {
        userid: userid.into(),
        name: "By hand".into(),
        mobile: Some(mobile.into()),
        departments: vec![1],
        leads: vec![false],
        is_enabled: true,
        ..Member::default()
    };
    pair.wecom().members.insert(userid.to_lowercase(), Account { member, by_hand: true });
}

#[tokio::test]
async fn a_first_run_mirrors_everything_and_a_second_writes_nothing() {
    let (pair, corps) = (small(), corp(""));
    let report = pair.sync(&corps).await;
    assert_eq!(
        pair.writes(),
        [
            "department/create Sales",
            "department/create North_ 1",
            "user/create anna",
            "user/create bert",
            "user/create carl",
            "user/update carl"
        ]
    );
    let (sales, north) = (group_id(&pair, "Sales"), group_id(&pair, "North_ 1"));
    assert_eq!((parent(&pair, sales), parent(&pair, north)), (1, sales));
    let bert = pair.account("bert").member;
    let leads: Vec<_> = bert.departments.iter().copied().zip(bert.leads.clone()).collect();
    assert!(leads.contains(&(north, true)) && leads.contains(&(sales, false)), "{leads:?}");
    assert_eq!(pair.account("carl").member.manager.as_deref(), Some("bert"));
    assert_eq!(pair.account("anna").member.departments, [1]);
    assert_eq!((report.people, report.departments, report.counts.members_created), (3, 2, 3));
    let again = pair.sync(&corps).await;
    assert_eq!((pair.writes(), again.counts.written()), (vec![], 0), "{again:?}");
}

#[tokio::test]
async fn a_plan_lists_what_a_run_does_and_writes_nothing() {
    let (pair, corps) = (small(), corp(""));
    let plan = pair.plan(&corps).await;
    assert!(pair.writes().is_empty());
    assert_eq!(crate::status(&pair, "acme").await.unwrap(), State::default().status("acme"));
    assert_eq!(plan.changes[0].name.as_deref(), Some("Sales"));
    let report = pair.sync(&corps).await;
    assert_eq!((plan.changes, plan.counts), (report.changes, report.counts));
    // And of removals.
    pair.leave("carl");
    let plan = pair.plan(&corps).await;
    assert_eq!(plan.changes.iter().map(|one| one.action).collect::<Vec<_>>(), [Action::DisableMember]);
    pair.writes();
    assert!(pair.account("carl").member.is_enabled);
}

#[tokio::test]
async fn only_what_differs_is_written() {
    let (pair, corps) = (small(), corp(""));
    pair.sync(&corps).await;
    pair.writes();
    pair.ding().people.get_mut("carl").unwrap().title = Some("Boss".into());
    pair.ding().departments.get_mut(&20).unwrap().name = "Trade".into();
    let report = pair.sync(&corps).await;
    assert_eq!(
        report.changes.iter().map(|one| (one.action, one.fields.clone())).collect::<Vec<_>>(),
        [(Action::UpdateDepartment, vec![Field::Name]), (Action::UpdateMember, vec![Field::Position])]
    );
    pair.ding().people.get_mut("carl").unwrap().title = None;
    pair.sync(&corps).await;
    assert_eq!(pair.account("carl").member.position, None);
}

#[tokio::test]
async fn departments_move_in_any_direction() {
    let (pair, corps) = (small(), corp(""));
    pair.sync(&corps).await;
    // The lower one becomes the upper one.
    pair.ding().departments.get_mut(&10).unwrap().parent = Some(1);
    pair.ding().departments.get_mut(&20).unwrap().parent = Some(10);
    pair.hint(&corps, departments(&[10, 20])).await;
    let (sales, north) = (group_id(&pair, "Sales"), group_id(&pair, "North_ 1"));
    assert_eq!((parent(&pair, north), parent(&pair, sales)), (1, north));
}

#[tokio::test]
async fn siblings_of_one_name_get_numbers_and_lose_them() {
    let (pair, corps) = (Pair::default(), corp(""));
    pair.add(&[department(2, 1, "A:"), department(3, 1, "A*"), department(4, 1, "B")], &[]);
    pair.wecom().groups.insert(9, crate::model::Group { id: 9, parent: 1, name: "b".into(), order: None });
    pair.sync(&corps).await;
    let names = |pair: &Pair| {
        let mut names: Vec<_> = pair.wecom().groups.values().map(|one| one.name.clone()).collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(names(&pair), "A_ A_(2) Acme B(2) b");
    pair.writes();
    pair.sync(&corps).await;
    assert!(pair.writes().is_empty());
    pair.ding().departments.get_mut(&2).unwrap().name = "C".into();
    pair.sync(&corps).await;
    pair.sync(&corps).await;
    assert_eq!(names(&pair), "A_ Acme B(2) C b");
    // Two that swap their names.
    pair.ding().departments.get_mut(&2).unwrap().name = "A:".into();
    pair.ding().departments.get_mut(&3).unwrap().name = "C".into();
    pair.sync(&corps).await;
    assert_eq!(names(&pair), "A_ Acme B(2) C b");
}

#[tokio::test]
async fn what_was_changed_at_wecom_is_set_right() {
    let (pair, corps) = (small(), corp(""));
    pair.sync(&corps).await;
    let (sales, north) = (group_id(&pair, "Sales"), group_id(&pair, "North_ 1"));
    pair.wecom().members.remove("anna");
    pair.wecom().members.get_mut("carl").unwrap().member.departments = vec![1];
    pair.wecom().groups.get_mut(&north).unwrap().parent = 1;
    pair.sync(&corps).await;
    assert_eq!(pair.account("carl").member.departments, [north]);
    assert_eq!(pair.wecom().groups[&north].parent, sales);
    assert!(pair.account("anna").member.is_enabled);
    // A department that is gone is created again.
    pair.wecom().members.values_mut().for_each(|one| one.member.departments = vec![1]);
    pair.wecom().groups.remove(&north);
    pair.sync(&corps).await;
    assert_eq!((group_id(&pair, "North_ 1"), pair.account("carl").member.departments), (north, vec![north]));
}

#[tokio::test]
async fn a_department_that_wecom_creates_without_being_asked_is_put_right() {
    let (pair, corps) = (small(), corp(""));
    pair.sync(&corps).await;
    let (sales, north) = (group_id(&pair, "Sales"), group_id(&pair, "North_ 1"));
    pair.wecom().members.values_mut().for_each(|one| one.member.departments = vec![1]);
    pair.wecom().groups.remove(&north);
    pair.add(&[], &[person("dora", &[10])]);
    let report = pair.hint(&corps, people(&["dora"])).await;
    assert!(report.notes.iter().any(|note| note.contains("without being asked")), "{report:?}");
    let group = pair.wecom().groups[&north].clone();
    assert_eq!((group.name.as_str(), group.parent), ("North_ 1", sales));
}

#[tokio::test]
async fn a_member_that_the_mirror_did_not_make_is_left_alone_or_adopted() {
    let pair = small();
    by_hand(&pair, "Anna", "13900000000");
    by_hand(&pair, "zoe", "13900000001");
    let report = pair.sync(&corp("")).await;
    assert_eq!(conflicts(&report), [("anna".into(), ConflictKind::IdTaken)]);
    assert_eq!(pair.account("anna").member.name, "By hand");
    // By an event, too.
    let report = pair.hint(&corp(""), people(&["anna"])).await;
    assert_eq!(conflicts(&report), [("anna".into(), ConflictKind::IdTaken)]);
    let corps = corp(r#","adopt":true"#);
    let report = pair.sync(&corps).await;
    assert_eq!((report.conflicts.len(), report.counts.parked), (0, 0));
    assert_eq!(pair.account("anna").member.name, "Name of anna");
    pair.leave("anna");
    pair.sync(&corps).await;
    assert!(!pair.account("anna").member.is_enabled);
    assert!(pair.account("zoe").member.is_enabled);
}

#[tokio::test]
async fn an_event_disables_only_who_is_in_the_leave_records() {
    let (pair, corps) = (small(), corp(""));
    pair.sync(&corps).await;
    pair.writes();
    pair.leave("carl");
    let leaves = std::mem::take(&mut pair.ding().leaves);
    pair.hint(&corps, people(&["carl"])).await;
    assert!(pair.writes().is_empty() && pair.account("carl").member.is_enabled);
    pair.ding().errors.insert("leaves".into(), Trouble::of_code(Meaning::Stop, 60_011, "no permission"));
    let report = pair.hint(&corps, people(&["carl"])).await;
    assert!(report.error.is_none() && pair.writes().is_empty());
    pair.ding().errors.clear();
    pair.ding().leaves = leaves;
    let report = pair.hint(&corps, people(&["carl"])).await;
    assert_eq!(report.counts.members_disabled, 1);
    let after = pair.hint(&corps, people(&["carl"])).await;
    assert_eq!(after.counts.written(), 0, "a repeated event does nothing");
}

#[tokio::test]
async fn a_complete_run_disables_and_deletes_after_the_grace_time() {
    let (pair, corps) = (small(), corp(r#","delete_after_days":30"#));
    pair.sync(&corps).await;
    pair.leave("carl");
    pair.ding().leaves.clear();
    pair.writes();
    pair.sync(&corps).await;
    assert_eq!(pair.writes(), ["user/disable carl"]);
    pair.now.fetch_add(29 * DAY, SeqCst);
    pair.sync(&corps).await;
    assert!(pair.writes().is_empty());
    pair.now.fetch_add(2 * DAY, SeqCst);
    pair.sync(&corps).await;
    assert_eq!(pair.writes(), ["user/delete carl"]);
    pair.sync(&corps).await;
    assert!(pair.writes().is_empty());
    // Hired again.
    pair.add(&[], &[person("carl", &[10])]);
    pair.hint(&corps, people(&["carl"])).await;
    assert_eq!(pair.writes(), ["user/create carl"]);
}

#[tokio::test]
async fn who_comes_back_is_enabled_again_with_what_has_changed() {
    let (pair, corps) = (small(), corp(""));
    pair.sync(&corps).await;
    pair.leave("carl");
    pair.sync(&corps).await;
    assert!(!pair.account("carl").member.is_enabled);
    pair.add(&[], &[Person { name: "New name".into(), ..person("carl", &[20]) }]);
    let report = pair.hint(&corps, people(&["carl"])).await;
    assert_eq!(report.changes[0].fields, [Field::Name, Field::Departments, Field::Enabled]);
    let carl = pair.account("carl").member;
    assert!(carl.is_enabled && carl.name == "New name");
}

#[tokio::test]
async fn who_moves_is_never_disabled() {
    let (pair, corps) = (small(), corp(""));
    pair.sync(&corps).await;
    pair.ding().people.get_mut("carl").unwrap().departments = vec![20];
    let carl = pair.ding().people["carl"].clone();
    pair.hint(&corps, people(&["carl"])).await;
    assert!(pair.account("carl").member.is_enabled);
    // To a department that is not mirrored.
    let corps = corp(r#","skip_departments":[30]"#);
    pair.add(&[department(30, 1, "Elsewhere")], &[Person { departments: vec![30], ..carl }]);
    pair.writes();
    let report = pair.sync(&corps).await;
    assert_eq!(conflicts(&report), [("carl".into(), ConflictKind::Outside)]);
    let report = pair.hint(&corps, people(&["carl"])).await;
    assert_eq!(conflicts(&report), [("carl".into(), ConflictKind::Outside)]);
    assert!(pair.writes().is_empty() && pair.account("carl").member.is_enabled);
}

#[tokio::test]
async fn who_is_missed_by_the_walk_but_exists_is_written_not_disabled() {
    let (pair, corps) = (small(), corp(""));
    pair.sync(&corps).await;
    pair.writes();
    // No list has the person, as during a move; user/get has the new department.
    pair.ding().people.get_mut("carl").unwrap().departments = vec![20];
    pair.ding().unlisted.insert("carl".into());
    let report = pair.sync(&corps).await;
    assert_eq!(pair.writes(), ["user/update carl"], "{report:?}");
    // Nor is somebody removed about whom DingTalk does not answer.
    pair.ding().errors.insert("person carl".into(), Trouble::of_code(Meaning::Retry, -1, "busy"));
    pair.run(&corps, Scope::All).await;
    assert!(pair.writes().is_empty() && pair.account("carl").member.is_enabled);
}

#[tokio::test]
async fn more_removals_than_the_guard_allows_stop_all_but_additions_until_they_are_approved() {
    let (pair, corps) = (many(40), corp(""));
    pair.sync(&corps).await;
    for at in 0..12 {
        pair.leave(&format!("p{at:03}"));
    }
    pair.add(&[department(50, 1, "New")], &[person("dora", &[50])]);
    pair.ding().people.get_mut("anna").unwrap().title = Some("Boss".into());
    pair.writes();
    let plan = pair.plan(&corps).await;
    let halt = plan.halt.clone().unwrap();
    assert_eq!((halt.people_count, halt.people.len()), (12, 12));
    assert!(halt.reasons[0].starts_with("12 of 43 members would be removed"), "{halt:?}");
    let report = pair.run(&corps, Scope::All).await;
    assert!(report.is_failed());
    assert_eq!(report.halt.unwrap().code, halt.code);
    assert_eq!(pair.writes(), ["department/create New", "user/create dora"]);
    assert_eq!(crate::status(&pair, "acme").await.unwrap().halt.unwrap().code, halt.code);
    // Another code approves nothing; neither does this one, if there is one more.
    let report = pair.run_with(&corps, Scope::All, false, Some("0123456789abcdef".into())).await;
    assert!(report.halt.is_some());
    pair.leave("p030");
    let report = pair.run_with(&corps, Scope::All, false, Some(halt.code)).await;
    assert!(pair.writes().iter().all(|write| !write.contains("disable")));
    let code = report.halt.unwrap().code;
    let report = pair.run_with(&corps, Scope::All, false, Some(code)).await;
    assert_eq!((report.counts.members_disabled, report.is_failed()), (13, false), "{report:?}");
    assert_eq!(crate::status(&pair, "acme").await.unwrap().halt, None);
    // What was approved does not count for the next.
    pair.leave("p031");
    let report = pair.sync(&corps).await;
    assert_eq!(report.counts.members_disabled, 1);
}

#[tokio::test]
async fn small_windows_add_up_within_a_day() {
    let (pair, corps) = (many(40), corp(""));
    pair.sync(&corps).await;
    let mut disabled = 0;
    for at in 0..15 {
        let userid = format!("p{at:03}");
        pair.leave(&userid);
        let report = pair.hint(&corps, people(&[&userid])).await;
        disabled += report.counts.members_disabled;
        assert_eq!(report.halt.is_some(), at >= 10, "{at}");
    }
    assert_eq!(disabled, 10);
}

/// Breaks DingTalk's side.
type Break = fn(&mut crate::pair::Ding, Trouble);

#[tokio::test]
async fn an_error_an_empty_list_or_a_shrunk_scope_removes_nobody() {
    let corps = corp(r#","roles":true"#);
    let stop = |code| Trouble::of_code(Meaning::Stop, code, "refused");
    let breaks: [(&str, Break); 9] = [
        ("an empty directory", |ding, _| ding.is_silent = true),
        ("nobody is counted", |ding, _| ding.count = Some(0)),
        ("more are counted than shown", |ding, _| ding.count = Some(500)),
        ("a list cannot be read", |ding, trouble| drop(ding.errors.insert("people 20".into(), trouble))),
        ("the tree cannot be read", |ding, trouble| {
            drop(ding.errors.insert("subdepartments 1".into(), trouble));
        }),
        ("the scope cannot be read", |ding, trouble| drop(ding.errors.insert("visible".into(), trouble))),
        ("the roles cannot be read", |ding, trouble| drop(ding.errors.insert("roles".into(), trouble))),
        ("a person is out of the scope", |ding, trouble| {
            drop(ding.errors.insert("person carl".into(), trouble));
        }),
        ("the scope has shrunk", |ding, _| {
            ding.visible = Some(Visible { departments: vec![1], people: vec![], fields: vec![] });
        }),
    ];
    for (what, broken) in breaks {
        let pair = small();
        pair.ding().visible = Some(Visible {
            departments: vec![1, 99],
            people: vec!["x".into()],
            fields: vec!["mobile".into()],
        });
        pair.ding()
            .roles
            .insert(5, (Role { id: 5, name: "Lead".into(), group: "G".into() }, ["anna".to_owned()].into()));
        pair.sync(&corps).await;
        pair.writes();
        pair.leave("carl");
        broken(&mut pair.ding(), stop(50_002));
        let report = pair.run(&corps, Scope::All).await;
        assert!(report.is_failed() || !report.notes.is_empty(), "{what}: {report:?}");
        assert!(pair.writes().is_empty(), "{what}");
        assert!(pair.account("carl").member.is_enabled, "{what}");
    }
}

#[tokio::test]
async fn an_application_that_does_not_see_the_whole_company_is_reported() {
    let (pair, corps) = (small(), corp(""));
    pair.ding().visible = Some(Visible { departments: vec![20], people: vec![], fields: vec![] });
    let report = pair.run(&corps, Scope::All).await;
    assert!(report.error.unwrap().contains("extend its contact scope, or set `departments`"));
    assert!(pair.writes().is_empty());
}

#[tokio::test]
async fn a_lost_permission_for_numbers_clears_none() {
    let (pair, corps) = (small(), corp(""));
    pair.ding().people.get_mut("anna").unwrap().email = Some("anna@example.com".into());
    pair.sync(&corps).await;
    let before = pair.account("anna").member;
    for person in pair.ding().people.values_mut() {
        person.mobile = None;
    }
    pair.ding().visible =
        Some(Visible { departments: vec![1], people: vec![], fields: vec!["email".into()] });
    pair.ding().people.get_mut("carl").unwrap().title = Some("Boss".into());
    pair.writes();
    let report = pair.sync(&corps).await;
    assert_eq!(pair.writes(), ["user/update carl"]);
    assert_eq!(pair.account("anna").member, before);
    assert!(conflicts(&report).contains(&("bert".into(), ConflictKind::NoMobileNoEmail)), "{report:?}");
    assert!(pair.account("carl").member.mobile.is_some());
}

#[tokio::test]
async fn departments_are_deleted_last_and_deepest_first_and_nobody_with_them() {
    let (pair, corps) = (small(), corp(""));
    pair.sync(&corps).await;
    let (sales, north) = (group_id(&pair, "Sales"), group_id(&pair, "North_ 1"));
    // One left, and stays disabled in it; one moves; one is in both.
    pair.leave("carl");
    pair.sync(&corps).await;
    pair.ding().departments.clear();
    pair.ding().people.get_mut("bert").unwrap().departments = vec![1];
    pair.writes();
    // The event for the departments comes before that for the people.
    let report = pair.hint(&corps, departments(&[10, 20])).await;
    assert_eq!(
        pair.writes(),
        [
            "user/update bert".to_owned(),
            "user/update carl".into(),
            format!("department/delete {north}"),
            format!("department/delete {sales}")
        ],
        "{report:?}"
    );
    assert_eq!(
        (pair.account("bert").member.departments, pair.account("carl").member.departments),
        (vec![1], vec![1])
    );
    assert!(!pair.account("carl").member.is_enabled);
}

#[tokio::test]
async fn a_department_with_somebody_elses_members_stays() {
    let (pair, corps) = (small(), corp(""));
    pair.sync(&corps).await;
    let north = group_id(&pair, "North_ 1");
    by_hand(&pair, "zoe", "13900000001");
    pair.wecom().members.get_mut("zoe").unwrap().member.departments = vec![north];
    pair.ding().departments.remove(&10);
    pair.ding().people.values_mut().for_each(|one| one.departments = vec![1]);
    let report = pair.sync(&corps).await;
    assert!(report.notes.iter().any(|note| note.contains("not empty")), "{report:?}");
    assert_eq!(pair.account("zoe").member.departments, [north]);
    pair.wecom().members.remove("zoe");
    pair.sync(&corps).await;
    assert!(!pair.wecom().groups.contains_key(&north));
}

#[tokio::test]
async fn one_bad_record_does_not_stop_the_rest() {
    let (pair, corps) = (many(5), corp(""));
    let number = pair.ding().people["p000"].mobile.clone();
    by_hand(&pair, "zoe", &number.clone().unwrap());
    pair.ding().people.get_mut("p001").unwrap().mobile = None;
    let strange = |userid: &str, meaning, code| {
        pair.wecom()
            .errors
            .insert(format!("user/create {userid}"), Trouble::of_code(meaning, code, "refused"));
    };
    strange("p002", Meaning::Bug, 40_003);
    strange("p003", Meaning::DropField(Field::Name), 60_112);
    let report = pair.sync(&corps).await;
    assert_eq!(
        conflicts(&report),
        [
            ("p000".into(), ConflictKind::MobileTaken),
            ("p001".into(), ConflictKind::NoMobileNoEmail),
            ("p002".into(), ConflictKind::Bug),
            ("p003".into(), ConflictKind::Malformed),
        ]
    );
    assert_eq!((report.counts.members_created, report.counts.parked), (4, 4));
    let text = serde_json::to_string(&crate::conflicts(&pair, "acme").await.unwrap()).unwrap();
    assert!(!text.contains(&number.unwrap()) && text.contains("\"hash\""), "{text}");
    // Somebody solves one of them.
    pair.wecom().members.remove("zoe");
    let report = pair.sync(&corps).await;
    assert_eq!((report.counts.members_created, report.counts.parked), (1, 3));
}

#[tokio::test]
async fn a_number_that_is_handed_on_is_written_in_one_run() {
    let (pair, corps) = (small(), corp(""));
    pair.sync(&corps).await;
    // The receiver comes first in the order of the ids.
    let number = pair.ding().people["bert"].mobile.clone();
    pair.ding().people.get_mut("anna").unwrap().mobile.clone_from(&number);
    pair.ding().people.get_mut("bert").unwrap().mobile = Some("13911112222".into());
    let report = pair.sync(&corps).await;
    assert_eq!((report.counts.parked, pair.account("anna").member.mobile), (0, number), "{report:?}");
}

#[tokio::test]
async fn a_field_that_wecom_does_not_accept_is_left_out_once() {
    let (pair, corps) = (small(), corp(""));
    pair.ding().people.get_mut("anna").unwrap().email = Some("anna@example.com".into());
    pair.sync(&corps).await;
    pair.ding().people.get_mut("anna").unwrap().email = Some("anna@bad.example".into());
    let error = Trouble::of_code(Meaning::DropField(Field::Email), 60_105, "refused");
    pair.wecom().errors.insert("user/update anna".into(), error);
    pair.writes();
    let report = pair.sync(&corps).await;
    assert_eq!(conflicts(&report), [("anna".into(), ConflictKind::Malformed)]);
    assert_eq!(pair.writes(), ["user/update anna"]);
    pair.sync(&corps).await;
    assert!(pair.writes().is_empty(), "it is not tried again before it changes");
    assert_eq!(crate::conflicts(&pair, "acme").await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_concerns_all_records_ends_the_run() {
    for (meaning, code, is_error) in
        [(Meaning::Stop, 60_020, true), (Meaning::Later, 45_009, false), (Meaning::Stop, 48_002, true)]
    {
        let (pair, corps) = (small(), corp(""));
        let error = Trouble::of_code(meaning, code, "refused");
        pair.wecom().errors.insert("department/create Sales".into(), error);
        let report = pair.run(&corps, Scope::All).await;
        assert_eq!(report.error.is_some(), is_error, "{code}");
        assert_eq!(report.unfinished.is_some(), !is_error, "{code}");
        assert_eq!(pair.writes().len(), 1);
        pair.wecom().errors.clear();
        pair.sync(&corps).await;
    }
}

#[tokio::test]
async fn a_platform_that_fails_again_and_again_ends_the_run() {
    let (pair, corps) = (many(9), corp(""));
    for at in 0..9 {
        let error = Trouble::of_code(Meaning::Retry, -1, "busy");
        pair.wecom().errors.insert(format!("user/create p{at:03}"), error);
    }
    let report = pair.run(&corps, Scope::All).await;
    assert!(report.error.unwrap().starts_with("3 records in a row failed"));
    pair.wecom().errors.clear();
    pair.sync(&corps).await;
    assert_eq!(pair.wecom().members.len(), 12);
}

#[tokio::test]
async fn the_limit_of_accounts_stops_creations_alone() {
    let (pair, corps) = (small(), corp(""));
    pair.wecom().most = Some(2);
    let report = pair.run(&corps, Scope::All).await;
    assert!(report.error.is_some());
    assert_eq!(pair.wecom().members.len(), 2);
    pair.ding().people.get_mut("anna").unwrap().title = Some("Boss".into());
    pair.run(&corps, Scope::All).await;
    assert_eq!(pair.account("anna").member.position.as_deref(), Some("Boss"));
    pair.wecom().most = None;
    pair.sync(&corps).await;
    assert_eq!(pair.wecom().members.len(), 3);
}

#[tokio::test]
async fn roles_are_mirrored_as_tags() {
    let (pair, corps) = (small(), corp(r#","roles":true"#));
    let role = |id, name: &str| Role { id, name: name.into(), group: "Group".into() };
    let members = |pair: &Pair, name: &str| {
        let wecom = pair.wecom();
        let found = wecom.tags.values().find(|(known, _)| known == name);
        found.map(|(_, members)| members.iter().cloned().collect::<Vec<_>>())
    };
    pair.ding().roles.insert(5, (role(5, "Lead"), ["anna".to_owned(), "bert".into()].into()));
    pair.ding().roles.insert(6, (role(6, "Tester"), ["carl".to_owned(), "unknown".into()].into()));
    pair.sync(&corps).await;
    assert_eq!(members(&pair, "Lead").unwrap(), ["anna", "bert"]);
    assert_eq!(members(&pair, "Tester").unwrap(), ["carl"]);
    pair.writes();
    pair.sync(&corps).await;
    assert!(pair.writes().is_empty());
    // By events: one loses a role, one is renamed, one is deleted.
    pair.ding().roles.get_mut(&5).unwrap().1.remove("anna");
    pair.ding().roles.get_mut(&5).unwrap().0.name = "Head".into();
    pair.ding().roles.remove(&6);
    let roles = [5, 6].into();
    pair.hint(&corps, Hints { roles, ..Hints::default() }).await;
    assert_eq!(members(&pair, "Head").unwrap(), ["bert"]);
    assert_eq!((members(&pair, "Lead"), members(&pair, "Tester")), (None, None));
    // A tag that was deleted at WeCom comes back with its members.
    pair.wecom().tags.clear();
    pair.ding().roles.get_mut(&5).unwrap().1.insert("carl".into());
    pair.run(&corps, Scope::All).await;
    pair.sync(&corps).await;
    assert_eq!(members(&pair, "Head").unwrap(), ["bert", "carl"]);
}

#[tokio::test]
async fn managers_change_and_end() {
    let (pair, corps) = (small(), corp(""));
    pair.sync(&corps).await;
    let manage =
        |userid: &str, manager: Manager| pair.ding().people.get_mut(userid).unwrap().manager = manager;
    manage("carl", Manager::Person("anna".into()));
    manage("bert", Manager::Person("nobody-known".into()));
    pair.sync(&corps).await;
    assert_eq!(pair.account("carl").member.manager.as_deref(), Some("anna"));
    assert_eq!(pair.account("bert").member.manager, None);
    manage("carl", Manager::Nobody);
    pair.hint(&corps, people(&["carl"])).await;
    assert_eq!(pair.account("carl").member.manager, None);
    let corps = corp(r#","managers":false"#);
    manage("carl", Manager::Person("anna".into()));
    let report = pair.sync(&corps).await;
    assert_eq!(report.counts.written(), 0);
}

#[tokio::test]
async fn userids_that_wecom_cannot_have_are_replaced_and_kept() {
    let (pair, corps) = (Pair::default(), corp(""));
    pair.add(&[], &[person("Anna", &[1]), person("anna", &[1]), person("王 五", &[1])]);
    pair.sync(&corps).await;
    let userids: Vec<_> = pair.wecom().members.keys().cloned().collect();
    assert_eq!((userids.len(), userids.contains(&"anna".to_owned())), (3, true), "{userids:?}");
    pair.writes();
    pair.leave("Anna");
    pair.sync(&corps).await;
    assert_eq!(pair.writes(), ["user/disable Anna"], "the other keeps the userid that it has");
}

#[tokio::test]
async fn only_the_departments_of_the_settings_are_mirrored() {
    let (pair, corps) = (small(), corp(r#","departments":[20]"#));
    pair.add(
        &[department(30, 1, "Other"), Department { is_of_union: true, ..department(31, 20, "Union") }],
        &[person("dora", &[30]), person("emil", &[30, 10])],
    );
    let report = pair.sync(&corps).await;
    let mut groups: Vec<_> = pair.wecom().groups.values().map(|one| one.name.clone()).collect();
    groups.sort();
    assert_eq!(groups, ["Acme", "North_ 1", "Sales"]);
    let userids: Vec<_> = pair.wecom().members.keys().cloned().collect();
    assert_eq!(userids, ["bert", "carl", "emil"]);
    assert_eq!(report.departments, 2);
    pair.writes();
    pair.hint(&corps, people(&["anna", "dora"])).await;
    assert!(pair.writes().is_empty());
}

#[tokio::test]
async fn an_event_for_a_person_in_an_unknown_department_creates_its_chain() {
    let (pair, corps) = (small(), corp(""));
    pair.sync(&corps).await;
    pair.add(&[department(40, 20, "Team"), department(41, 40, "Group")], &[person("dora", &[41])]);
    pair.writes();
    pair.hint(&corps, people(&["dora"])).await;
    assert_eq!(pair.writes(), ["department/create Team", "department/create Group", "user/create dora"]);
    assert_eq!(pair.account("dora").member.departments, [group_id(&pair, "Group")]);
}

#[tokio::test]
async fn a_bad_id_in_an_event_stops_no_other() {
    let (pair, corps) = (small(), corp(""));
    pair.ding().errors.insert("person !".into(), Trouble::of_code(Meaning::Bug, 400_002, "refused"));
    pair.ding().errors.insert("person far".into(), Trouble::of_code(Meaning::Stop, 50_002, "refused"));
    let report = pair.hint(&corps, people(&["!", "anna", "far"])).await;
    assert_eq!((report.counts.members_created, report.notes.len(), report.error), (1, 2, None));
}

#[tokio::test]
async fn one_run_at_a_time() {
    let (pair, corps) = (small(), corp(""));
    let now = Timestamp(pair.now.load(SeqCst));
    let lease = lease::acquire(&pair, "contacts/acme", now, Timestamp(now.0 + 60_000)).await.unwrap();
    let report = pair.run(&corps, Scope::All).await;
    assert!(report.busy && pair.writes().is_empty());
    lease::release(&pair, lease.unwrap()).await;
    pair.sync(&corps).await;
}

#[tokio::test]
async fn a_run_whose_time_is_over_is_continued_by_the_next() {
    let (pair, corps) = (many(20), corp(""));
    let corp = corps.named("acme").unwrap();
    let mut runs = 0;
    loop {
        let stop = &|| false;
        let mode = Mode {
            scope: Scope::All,
            is_dry: false,
            approve: None,
            is_for_terminal: false,
            milliseconds: 45,
            stop,
            progress: &|_| {},
        };
        let report = run_at(corp, &pair, &pair, &mode, &|| pair.now.fetch_add(1, SeqCst)).await;
        assert_eq!(report.error, None);
        runs += 1;
        if report.unfinished.is_none() {
            break;
        }
        assert!(runs < 50, "{report:?}");
    }
    assert!(runs > 1);
    assert_eq!(pair.wecom().members.len(), 23);
    assert_eq!(pair.account("carl").member.manager.as_deref(), Some("bert"));
    pair.writes();
    pair.sync(&corps).await;
    assert!(pair.writes().is_empty());
}

#[tokio::test]
async fn a_run_that_is_stopped_ends_after_the_present_call() {
    let (pair, corps) = (small(), corp(""));
    let corp = corps.named("acme").unwrap();
    let mode = Mode {
        scope: Scope::All,
        is_dry: false,
        approve: None,
        is_for_terminal: true,
        milliseconds: 60_000,
        stop: &|| pair.wecom().log.len() >= 2,
        progress: &|_| {},
    };
    let report = run_at(corp, &pair, &pair, &mode, &|| pair.now.load(SeqCst)).await;
    assert!(report.unfinished.unwrap().contains("stopped"));
    assert_eq!(pair.writes().len(), 2);
    // The lease is free.
    pair.sync(&corps).await;
}

#[tokio::test]
async fn conflicts_of_records_that_are_gone_end() {
    let (pair, corps) = (small(), corp(""));
    pair.ding().people.get_mut("carl").unwrap().mobile = None;
    let report = pair.sync(&corps).await;
    assert_eq!((report.counts.parked, report.conflicts[0].of), (1, Subject::Person));
    pair.leave("carl");
    let report = pair.sync(&corps).await;
    assert_eq!(report.counts.parked, 0);
}
