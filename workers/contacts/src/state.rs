//! What the mirror remembers of a corp: which record of DingTalk is which of WeCom, and what was last written.
//!
//! One partition for each corp, with one item for each department, person and role that was written, each conflict, the last
//! runs, the guard's halt and the lease. There is no name, number or address in it, only keyed hashes of them.

use std::collections::{BTreeMap, BTreeSet};

use letterbox_codec::Timestamp;
use letterbox_outbound::store::{Condition, Item, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::{
    model::{Field, Visible},
    report::{Conflict, Counts, Halt, Subject},
};

/// The most items of one corp that are read: more than WeCom's 30,000 departments and any corp's people.
const MOST: usize = 1_000_000;

/// How long what was deleted is remembered, in milliseconds: the guard counts it for a day.
const TOMBSTONE: i64 = 2 * DAY;

/// In milliseconds.
pub const DAY: i64 = 24 * 60 * 60 * 1000;

const DEPARTMENT: &str = "department#";
const MEMBER: &str = "member#";
const TAG: &str = "tag#";
const CONFLICT: &str = "conflict#";
const LAST: &str = "last";
const HALT: &str = "halt";

/// In place of a hash while a value is being written: what WeCom has is not known before it has answered.
pub const UNSURE: &str = "?";

/// A department that was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepartmentRecord {
    /// WeCom's id.
    pub wecom: i32,
    /// True from before the creation until WeCom has accepted it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pending: bool,
    /// DingTalk's parent, as last written.
    pub parent: i64,
    /// Hash of the name without a suffix, as last written.
    pub name: String,
    /// The same of the name in lower case: no two siblings may have one.
    #[serde(default)]
    pub folded: String,
    /// The number after the name, if a sibling has the name; 0 for none.
    #[serde(default)]
    pub suffix: u32,
    /// True if a department that the mirror did not make has the name without a number.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_name_taken: bool,
    /// DingTalk's order, as last seen.
    #[serde(default)]
    pub rank: Option<i64>,
    /// WeCom's order, as last written.
    #[serde(default)]
    pub order: Option<u32>,
    /// When it was deleted, in milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<i64>,
}

/// A member that was written. The mirror made it, or was told to adopt it: others have no record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRecord {
    /// WeCom's userid.
    pub wecom: String,
    /// True from before the creation until WeCom has accepted it. WeCom did not have this userid before.
    #[serde(default)]
    pub pending: bool,
    /// DingTalk's departments, as last written, as far as they are mirrored.
    #[serde(default)]
    pub departments: BTreeSet<i64>,
    /// Hashes of what was last written.
    #[serde(default)]
    pub written: BTreeMap<Field, String>,
    /// DingTalk's ids of the roles whose tags the member has.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<i64>,
    /// Those of which it is being added or removed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unsure_roles: BTreeSet<i64>,
    /// When it was disabled, in milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<i64>,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<i64>,
}

/// A tag that was created.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagRecord {
    /// WeCom's id.
    pub wecom: i32,
    /// Hash of the name as last written.
    pub name: String,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<i64>,
}

/// The last runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// The last run over everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<RunSummary>,
    /// The last run for events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<RunSummary>,
    /// What the application could read in the last run that was allowed to remove.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visible: Option<Visible>,
    /// The last person whose manager was compared, if the last run over everything did not get to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managers_until: Option<String>,
    /// When removals were last approved, in milliseconds since the epoch: the guard counts from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<i64>,
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// When it began, RFC 3339.
    pub started: String,
    /// When it ended, RFC 3339.
    pub ended: String,
    /// What was written.
    pub counts: Counts,
    /// People of DingTalk that were read.
    pub people: u64,
    /// Departments of DingTalk that were read.
    pub departments: u64,
    /// Why it ended early, without an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What `letterbox contacts status` shows of a corp.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Its name.
    pub corp: String,
    /// Departments that are mirrored.
    pub departments: u64,
    /// Members that are mirrored, without disabled ones.
    pub members: u64,
    /// Members that were disabled.
    pub disabled: u64,
    /// Tags that are mirrored.
    pub tags: u64,
    /// Records that are parked.
    pub conflicts: u64,
    /// The guard's halt, if the last complete run was stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halt: Option<Halt>,
    /// The last runs.
    pub last: Last,
}

/// What the mirror remembers of a corp.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// By DingTalk's id.
    pub departments: BTreeMap<i64, DepartmentRecord>,
    /// By DingTalk's userid.
    pub members: BTreeMap<String, MemberRecord>,
    /// By DingTalk's id of the role.
    pub tags: BTreeMap<i64, TagRecord>,
    /// What is parked.
    pub conflicts: BTreeMap<(Subject, String), Conflict>,
    /// The last runs.
    pub last: Last,
    /// The guard's halt.
    pub halt: Option<Halt>,
}

/// The partition of a corp.
pub fn partition(corp: &str) -> String {
    format!("contacts/{corp}")
}

fn conflict_key(of: Subject, id: &str) -> String {
    format!("{CONFLICT}{}#{id}", of.name())
}

impl State {
    /// Reads the state of a corp.
    pub async fn load(store: &dyn Store, corp: &str) -> Result<Self, StoreError> {
        let mut state = Self::default();
        for item in store.list(&partition(corp), "", MOST).await? {
            let key = item.key.as_str();
            let number = |text: &str| {
                text.parse().map_err(|_| StoreError(format!("{key}: expected a number in the key")))
            };
            if let Some(id) = key.strip_prefix(DEPARTMENT) {
                state.departments.insert(number(id)?, item.value()?);
            } else if let Some(id) = key.strip_prefix(MEMBER) {
                state.members.insert(id.to_owned(), item.value()?);
            } else if let Some(id) = key.strip_prefix(TAG) {
                state.tags.insert(number(id)?, item.value()?);
            } else if key.starts_with(CONFLICT) {
                let conflict: Conflict = item.value()?;
                state.conflicts.insert((conflict.of, conflict.id.clone()), conflict);
            } else if key == LAST {
                state.last = item.value()?;
            } else if key == HALT {
                state.halt = Some(item.value()?);
            }
        }
        Ok(state)
    }

    /// A department that exists at WeCom, as far as is known.
    pub fn department(&self, id: i64) -> Option<&DepartmentRecord> {
        self.departments.get(&id).filter(|record| record.deleted.is_none() && !record.pending)
    }

    /// A member that exists at WeCom, or may.
    pub fn member(&self, userid: &str) -> Option<&MemberRecord> {
        self.members.get(userid).filter(|record| record.deleted.is_none())
    }

    /// A tag that exists at WeCom.
    pub fn tag(&self, role: i64) -> Option<&TagRecord> {
        self.tags.get(&role).filter(|record| record.deleted.is_none())
    }

    /// Counts for `status`.
    pub fn status(&self, corp: &str) -> Status {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let members = || self.members.values().filter(|member| member.deleted.is_none() && !member.pending);
        Status {
            corp: corp.to_owned(),
            departments: count(
                self.departments.values().filter(|one| one.deleted.is_none() && !one.pending).count(),
            ),
            members: count(members().filter(|member| member.disabled.is_none()).count()),
            disabled: count(members().filter(|member| member.disabled.is_some()).count()),
            tags: count(self.tags.values().filter(|one| one.deleted.is_none()).count()),
            conflicts: count(self.conflicts.len()),
            halt: self.halt.clone(),
            last: self.last.clone(),
        }
    }
}

/// Reads the counts and the last runs of a corp.
pub async fn status(store: &dyn Store, corp: &str) -> Result<Status, StoreError> {
    State::load(store, corp).await.map(|state| state.status(corp))
}

/// Reads what is parked of a corp.
pub async fn conflicts(store: &dyn Store, corp: &str) -> Result<Vec<Conflict>, StoreError> {
    let items = store.list(&partition(corp), CONFLICT, MOST).await?;
    items.iter().map(Item::value).collect()
}

/// Where the changes of a state are written; a plan writes nothing.
pub struct Table<'a> {
    store: Option<&'a dyn Store>,
    partition: String,
}

impl<'a> Table<'a> {
    /// The partition of a corp. Without a store, writes only succeed.
    pub fn new(store: Option<&'a dyn Store>, corp: &str) -> Self {
        Self { store, partition: partition(corp) }
    }

    async fn put(&self, key: String, value: &impl Serialize, expires: Option<i64>) -> Result<(), StoreError> {
        let Some(store) = self.store else { return Ok(()) };
        let item = Item::new(&self.partition, key, value)?;
        let item = Item { expires: expires.map(Timestamp), ..item };
        store.put(&item, Condition::Always).await.map(|_| ())
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let Some(store) = self.store else { return Ok(()) };
        store.delete(&self.partition, key).await
    }

    /// Writes a department's record, here and there.
    pub async fn department(
        &self,
        state: &mut State,
        id: i64,
        record: DepartmentRecord,
    ) -> Result<(), StoreError> {
        let expires = record.deleted.map(|at| at.saturating_add(TOMBSTONE));
        self.put(format!("{DEPARTMENT}{id}"), &record, expires).await?;
        state.departments.insert(id, record);
        Ok(())
    }

    /// Forgets a department that was never created.
    pub async fn forget_department(&self, state: &mut State, id: i64) -> Result<(), StoreError> {
        self.delete(&format!("{DEPARTMENT}{id}")).await?;
        state.departments.remove(&id);
        Ok(())
    }

    /// Writes a member's record.
    pub async fn member(
        &self,
        state: &mut State,
        userid: &str,
        record: MemberRecord,
    ) -> Result<(), StoreError> {
        let expires = record.deleted.map(|at| at.saturating_add(TOMBSTONE));
        self.put(format!("{MEMBER}{userid}"), &record, expires).await?;
        state.members.insert(userid.to_owned(), record);
        Ok(())
    }

    /// Forgets a member that was never created.
    pub async fn forget_member(&self, state: &mut State, userid: &str) -> Result<(), StoreError> {
        self.delete(&format!("{MEMBER}{userid}")).await?;
        state.members.remove(userid);
        Ok(())
    }

    /// Writes a tag's record.
    pub async fn tag(&self, state: &mut State, role: i64, record: TagRecord) -> Result<(), StoreError> {
        let expires = record.deleted.map(|at| at.saturating_add(TOMBSTONE));
        self.put(format!("{TAG}{role}"), &record, expires).await?;
        state.tags.insert(role, record);
        Ok(())
    }

    /// Parks a record. A conflict that is known keeps its time.
    pub async fn park(&self, state: &mut State, mut conflict: Conflict) -> Result<Conflict, StoreError> {
        let key = (conflict.of, conflict.id.clone());
        if let Some(known) = state.conflicts.get(&key) {
            if known.kind == conflict.kind {
                conflict.since.clone_from(&known.since);
            }
            if *known == conflict {
                return Ok(conflict);
            }
        }
        self.put(conflict_key(conflict.of, &conflict.id), &conflict, None).await?;
        state.conflicts.insert(key, conflict.clone());
        Ok(conflict)
    }

    /// Ends a conflict, if there is one.
    pub async fn settle(&self, state: &mut State, of: Subject, id: &str) -> Result<(), StoreError> {
        if state.conflicts.remove(&(of, id.to_owned())).is_some() {
            self.delete(&conflict_key(of, id)).await?;
        }
        Ok(())
    }

    /// Writes the last runs.
    pub async fn last(&self, state: &mut State, last: Last) -> Result<(), StoreError> {
        self.put(LAST.to_owned(), &last, None).await?;
        state.last = last;
        Ok(())
    }

    /// Writes the guard's halt, or ends it.
    pub async fn halt(&self, state: &mut State, halt: Option<Halt>) -> Result<(), StoreError> {
        match &halt {
            Some(halt) => self.put(HALT.to_owned(), halt, None).await?,
            None if state.halt.is_some() => self.delete(HALT).await?,
            None => {}
        }
        state.halt = halt;
        Ok(())
    }
}
