//! Two directories in memory, for tests: DingTalk's and WeCom's, as strict as the documentation says, and a state whose process can be
//! killed at any call.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::ready,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicI64, AtomicU64, Ordering::SeqCst},
    },
};

use letterbox_codec::Timestamp;
use letterbox_outbound::store::{Condition, Item, Pending, Store, StoreError, memory::Memory};

use crate::{
    model::{
        Department, Field, Group, GroupId, Hints, Leave, Manager, Member, Membership, Person, ROOT, Role,
        Visible,
    },
    report::CorpReport,
    run::{Connect, Mode, Scope, run_at},
    settings::{Corp, Corps},
    source::{Answer, Source},
    target::Target,
    trouble::{Meaning, Trouble},
};

/// DingTalk's directory.
#[derive(Clone, Default)]
pub struct Ding {
    pub departments: BTreeMap<i64, Department>,
    pub people: BTreeMap<String, Person>,
    pub roles: BTreeMap<i64, (Role, BTreeSet<String>)>,
    pub leaves: Vec<Leave>,
    /// What the application may read; the whole company if `None`.
    pub visible: Option<Visible>,
    /// In place of the true count.
    pub count: Option<u64>,
    /// Errors in place of answers, by call and id.
    pub errors: BTreeMap<String, Trouble>,
    /// Lists are empty.
    pub is_silent: bool,
    /// People in no list.
    pub unlisted: BTreeSet<String>,
}

/// A member of WeCom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub member: Member,
    /// Made in the console.
    pub by_hand: bool,
}

/// WeCom's directory.
#[derive(Clone, Default)]
pub struct Wecom {
    pub groups: BTreeMap<i32, Group>,
    /// By userid in lower case.
    pub members: BTreeMap<String, Account>,
    pub tags: BTreeMap<i32, (String, BTreeSet<String>)>,
    /// Errors in place of writes, by call and id.
    pub errors: BTreeMap<String, Trouble>,
    /// The most members.
    pub most: Option<usize>,
    /// Every write, such as `user/create zhang`.
    pub log: Vec<String>,
}

/// Both, with their clock, their state, and the number of calls that are left before the process is killed.
pub struct Pair {
    pub ding: Mutex<Ding>,
    pub wecom: Mutex<Wecom>,
    pub store: Memory,
    pub now: AtomicI64,
    lives: AtomicU64,
}

pub const ENDLESS: u64 = u64::MAX;
const NOW: i64 = 1_795_000_000_000;

fn trouble(meaning: Meaning, code: i64) -> Trouble {
    Trouble::of_code(meaning, code, "refused")
}

fn killed() -> Trouble {
    Trouble::new(Meaning::Stop, "killed")
}

/// A corp with a root of 1, and with whatever is set in `more`.
pub fn corp(more: &str) -> Corps {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    Corps::parse(&format!(
        r#"{{"acme":{{"dingtalk":{{"corp_id":"ding1","client_id":"key","client_secret":"s"}},
        "wecom":{{"corp_id":"ww1","secret":"s"}},"hash_key":"{key}"{more}}}}}"#
    ))
    .unwrap()
}

pub fn person(userid: &str, departments: &[i64]) -> Person {
    Person {
        userid: userid.into(),
        name: format!("Name of {userid}"),
        mobile: Some(format!(
            "138{:08}",
            userid.bytes().fold(0_u32, |sum, byte| sum * 31 % 9_999_991 + u32::from(byte))
        )),
        departments: departments.to_vec(),
        manager: Manager::Nobody,
        ..Person::default()
    }
}

pub fn department(id: i64, parent: i64, name: &str) -> Department {
    Department { id, parent: Some(parent), name: name.into(), order: Some(id), is_of_union: false }
}

impl Default for Pair {
    fn default() -> Self {
        let mut wecom = Wecom::default();
        wecom.groups.insert(1, Group { id: 1, parent: 0, name: "Acme".into(), order: None });
        Self {
            ding: Mutex::default(),
            wecom: Mutex::new(wecom),
            store: Memory::default(),
            now: AtomicI64::new(NOW),
            lives: AtomicU64::new(ENDLESS),
        }
    }
}

impl Pair {
    pub fn ding(&self) -> MutexGuard<'_, Ding> {
        self.ding.lock().unwrap()
    }

    pub fn wecom(&self) -> MutexGuard<'_, Wecom> {
        self.wecom.lock().unwrap()
    }

    pub fn add(&self, departments: &[Department], people: &[Person]) {
        let mut ding = self.ding();
        ding.departments.extend(departments.iter().map(|one| (one.id, one.clone())));
        ding.people.extend(people.iter().map(|one| (one.userid.clone(), one.clone())));
    }

    pub fn leave(&self, userid: &str) {
        let at = Timestamp(self.now.load(SeqCst));
        let mut ding = self.ding();
        ding.people.remove(userid).unwrap();
        for (_, people) in ding.roles.values_mut() {
            people.remove(userid);
        }
        ding.leaves.push(Leave { userid: userid.into(), at });
    }

    pub fn account(&self, userid: &str) -> Account {
        self.wecom().members.get(&userid.to_lowercase()).unwrap_or_else(|| panic!("no {userid}")).clone()
    }

    /// Forgets the writes so far, and returns them.
    pub fn writes(&self) -> Vec<String> {
        std::mem::take(&mut self.wecom().log)
    }

    /// Kills the process after so many calls to WeCom and writes of the state.
    pub fn kill_after(&self, calls: u64) {
        self.lives.store(calls, SeqCst);
    }

    pub fn is_dead(&self) -> bool {
        self.lives.load(SeqCst) == 0
    }

    /// A new process, after the lease of the last has ended.
    pub fn revive(&self) {
        self.lives.store(ENDLESS, SeqCst);
        self.now.fetch_add(20 * 60_000, SeqCst);
    }

    /// True if the process is alive for one more call.
    fn lives(&self) -> bool {
        let one = |left: u64| if left == ENDLESS { Some(left) } else { left.checked_sub(1) };
        self.lives.fetch_update(SeqCst, SeqCst, one).is_ok()
    }

    pub async fn run(&self, corps: &Corps, scope: Scope) -> CorpReport {
        self.run_with(corps, scope, false, None).await
    }

    pub async fn plan(&self, corps: &Corps) -> CorpReport {
        self.run_with(corps, Scope::All, true, None).await
    }

    pub async fn run_with(
        &self,
        corps: &Corps,
        scope: Scope,
        is_dry: bool,
        approve: Option<String>,
    ) -> CorpReport {
        let mode = Mode {
            scope,
            is_dry,
            approve,
            is_for_terminal: true,
            milliseconds: 10 * 60_000,
            stop: &|| false,
            progress: &|_| {},
        };
        let corp = corps.named("acme").unwrap();
        run_at(corp, self, self, &mode, &|| self.now.fetch_add(1, SeqCst)).await
    }

    /// A complete run that must succeed.
    pub async fn sync(&self, corps: &Corps) -> CorpReport {
        let report = self.run(corps, Scope::All).await;
        assert_eq!((&report.error, report.busy, &report.halt), (&None, false, &None), "{report:?}");
        report
    }

    pub async fn hint(&self, corps: &Corps, hints: Hints) -> CorpReport {
        self.run(corps, Scope::Hints(hints)).await
    }
}

/// Hints at people.
pub fn people(userids: &[&str]) -> Hints {
    Hints { people: userids.iter().map(|one| (*one).to_owned()).collect(), ..Hints::default() }
}

/// Hints at departments.
pub fn departments(ids: &[i64]) -> Hints {
    Hints { departments: ids.iter().copied().collect(), ..Hints::default() }
}

impl Connect for Pair {
    fn source<'a>(&'a self, _: &'a Corp) -> Box<dyn Source + 'a> {
        Box::new(Reader(self))
    }

    fn target<'a>(&'a self, _: &'a Corp) -> Box<dyn Target + 'a> {
        Box::new(Writer(self))
    }
}

impl Store for Pair {
    fn get<'a>(&'a self, partition: &'a str, key: &'a str) -> Pending<'a, Option<Item>> {
        self.store.get(partition, key)
    }

    fn list<'a>(&'a self, partition: &'a str, prefix: &'a str, most: usize) -> Pending<'a, Vec<Item>> {
        self.store.list(partition, prefix, most)
    }

    fn put<'a>(&'a self, item: &'a Item, condition: Condition) -> Pending<'a, bool> {
        if self.lives() { self.store.put(item, condition) } else { dead() }
    }

    fn put_all<'a>(&'a self, items: &'a [Item]) -> Pending<'a, ()> {
        if self.lives() { self.store.put_all(items) } else { dead() }
    }

    fn delete<'a>(&'a self, partition: &'a str, key: &'a str) -> Pending<'a, ()> {
        if self.lives() { self.store.delete(partition, key) } else { dead() }
    }
}

fn dead<'a, T: Send + 'a>() -> Pending<'a, T> {
    Box::pin(ready(Err(StoreError("killed".into()))))
}

struct Reader<'a>(&'a Pair);

impl Reader<'_> {
    fn answer<'a, T: Send + 'a>(
        &'a self,
        call: &str,
        found: impl FnOnce(&Ding) -> Result<T, Trouble>,
    ) -> Answer<'a, T> {
        let ding = self.0.ding();
        let result = match ding.errors.get(call) {
            Some(error) => Err(error.clone()),
            None if self.0.is_dead() => Err(killed()),
            None => found(&ding),
        };
        Box::pin(ready(result))
    }
}

impl Source for Reader<'_> {
    fn visible(&self) -> Answer<'_, Visible> {
        self.answer("visible", |ding| {
            Ok(ding.visible.clone().unwrap_or(Visible {
                departments: vec![ROOT],
                people: vec![],
                fields: vec!["email".into(), "mobile".into()],
            }))
        })
    }

    fn count(&self) -> Answer<'_, u64> {
        self.answer("count", |ding| Ok(ding.count.unwrap_or(ding.people.len() as u64)))
    }

    fn subdepartments(&self, department: i64) -> Answer<'_, Vec<Department>> {
        self.answer(&format!("subdepartments {department}"), |ding| {
            if department != ROOT && !ding.departments.contains_key(&department) {
                return Err(trouble(Meaning::Absent, 60_003));
            }
            let below =
                ding.departments.values().filter(|one| one.parent == Some(department) && !ding.is_silent);
            Ok(below.map(|one| Department { order: None, is_of_union: false, ..one.clone() }).collect())
        })
    }

    fn department(&self, department: i64) -> Answer<'_, Department> {
        self.answer(&format!("department {department}"), |ding| {
            ding.departments.get(&department).cloned().ok_or_else(|| trouble(Meaning::Absent, 60_003))
        })
    }

    fn people(&self, department: i64) -> Answer<'_, Vec<Person>> {
        self.answer(&format!("people {department}"), |ding| {
            if department != ROOT && !ding.departments.contains_key(&department) {
                return Err(trouble(Meaning::Absent, 60_003));
            }
            let is_listed = |one: &&Person| {
                one.departments.contains(&department)
                    && !ding.is_silent
                    && !ding.unlisted.contains(&one.userid)
            };
            let people = ding.people.values().filter(is_listed);
            let of_list = |one: &Person| Person {
                leads: one.leads.iter().copied().filter(|id| *id == department).collect(),
                manager: Manager::Unread,
                ..one.clone()
            };
            Ok(people.map(of_list).collect())
        })
    }

    fn person<'a>(&'a self, userid: &'a str) -> Answer<'a, Person> {
        self.answer(&format!("person {userid}"), |ding| {
            ding.people.get(userid).cloned().ok_or_else(|| trouble(Meaning::Absent, 33_012))
        })
    }

    fn roles(&self) -> Answer<'_, Vec<Role>> {
        self.answer("roles", |ding| {
            Ok(ding.roles.values().filter(|_| !ding.is_silent).map(|(role, _)| role.clone()).collect())
        })
    }

    fn people_of_role(&self, role: i64) -> Answer<'_, Vec<String>> {
        self.answer(&format!("role {role}"), |ding| {
            let found = ding.roles.get(&role).ok_or_else(|| trouble(Meaning::Bug, 33_011))?;
            Ok(found.1.iter().cloned().collect())
        })
    }

    fn leaves(&self, since: Timestamp) -> Answer<'_, Vec<Leave>> {
        self.answer("leaves", |ding| Ok(ding.leaves.iter().filter(|one| one.at >= since).cloned().collect()))
    }
}

struct Writer<'a>(&'a Pair);

impl Writer<'_> {
    /// A write: it takes place, and then the process may be killed before it sees the answer; or before it takes place.
    fn write<'a, T: Send + 'a>(
        &'a self,
        call: String,
        act: impl FnOnce(&mut Wecom) -> Result<T, Trouble>,
    ) -> Answer<'a, T> {
        if !self.0.lives() {
            return Box::pin(ready(Err(killed())));
        }
        let mut wecom = self.0.wecom();
        let result = match wecom.errors.get(&call) {
            Some(error) => Err(error.clone()),
            None => act(&mut wecom),
        };
        wecom.log.push(call);
        let result = if self.0.is_dead() { Err(killed()) } else { result };
        Box::pin(ready(result))
    }
}

mod rules;
