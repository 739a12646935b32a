//! What a run did, or what a plan would do: for the terminal, the log and the metrics.
//!
//! It has no mobile number, address or token. Names are in it only if the run was asked for them, which is for a terminal.

use serde::{Deserialize, Serialize};

use crate::model::Field;

/// The most notes of a run.
const MOST_NOTES: usize = 200;

/// The most changes that a run lists, unless all were asked for.
const MOST_LISTED: usize = 200;

/// What a run did for every corp.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// True if nothing was changed.
    pub dry_run: bool,
    /// Each corp, in the order of the credentials.
    pub corps: Vec<CorpReport>,
}

/// What a run did for one corp.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CorpReport {
    /// Its name in the credentials.
    pub corp: String,
    /// True if another run had the lease, so that this one did nothing.
    pub busy: bool,
    /// Why the run ended before its end, without an error: the next run goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<String>,
    /// Why the corp could not be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The guard's halt: only additions were made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halt: Option<Halt>,
    /// People of DingTalk that were read.
    pub people: u64,
    /// Departments of DingTalk that were read.
    pub departments: u64,
    /// What was written, or would be.
    pub counts: Counts,
    /// Remarks for the operator.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Conflicts that this run met.
    pub conflicts: Vec<Conflict>,
    /// What was done, or what a plan would do, in its order.
    pub changes: Vec<Change>,
    /// How many more there were. A plan and a run from a terminal list all.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_changes: u64,
}

/// How many of each kind were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Departments created.
    pub departments_created: u64,
    /// Departments renamed, moved or sorted.
    pub departments_updated: u64,
    /// Departments deleted.
    pub departments_deleted: u64,
    /// Members created.
    pub members_created: u64,
    /// Members updated, managers included.
    pub members_updated: u64,
    /// Members disabled.
    pub members_disabled: u64,
    /// Members deleted.
    pub members_deleted: u64,
    /// Tags created, renamed or deleted.
    pub tags_changed: u64,
    /// Members added to a tag or taken out of it.
    pub tag_members_changed: u64,
    /// Records that are parked as conflicts.
    pub parked: u64,
    /// Records that failed for now, and that the next run does.
    pub failed: u64,
    /// People whose departments are not mirrored.
    pub outside: u64,
}

impl Counts {
    /// All writes.
    pub fn written(&self) -> u64 {
        [
            self.departments_created,
            self.departments_updated,
            self.departments_deleted,
            self.members_created,
            self.members_updated,
            self.members_disabled,
            self.members_deleted,
            self.tags_changed,
            self.tag_members_changed,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }
}

/// What is done with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Create a department.
    CreateDepartment,
    /// Rename, move or sort a department.
    UpdateDepartment,
    /// Delete a department.
    DeleteDepartment,
    /// Create a member.
    CreateMember,
    /// Take over a member that exists, and update it.
    AdoptMember,
    /// Update a member.
    UpdateMember,
    /// Set or clear a member's manager.
    SetManager,
    /// Disable a member.
    DisableMember,
    /// Delete a member that was disabled.
    DeleteMember,
    /// Create a tag.
    CreateTag,
    /// Rename a tag.
    RenameTag,
    /// Delete a tag.
    DeleteTag,
    /// Add members to a tag.
    TagMembers,
    /// Take members out of a tag.
    UntagMembers,
}

impl Action {
    /// Its name in the JSON form.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreateDepartment => "create_department",
            Self::UpdateDepartment => "update_department",
            Self::DeleteDepartment => "delete_department",
            Self::CreateMember => "create_member",
            Self::AdoptMember => "adopt_member",
            Self::UpdateMember => "update_member",
            Self::SetManager => "set_manager",
            Self::DisableMember => "disable_member",
            Self::DeleteMember => "delete_member",
            Self::CreateTag => "create_tag",
            Self::RenameTag => "rename_tag",
            Self::DeleteTag => "delete_tag",
            Self::TagMembers => "tag_members",
            Self::UntagMembers => "untag_members",
        }
    }

    /// True for what is done although the guard has stopped the run.
    pub const fn is_addition(self) -> bool {
        matches!(self, Self::CreateDepartment | Self::CreateMember | Self::CreateTag | Self::TagMembers)
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What is done.
    pub action: Action,
    /// DingTalk's id of the person, department or role.
    pub id: String,
    /// WeCom's id of the member, department or tag.
    pub wecom: String,
    /// The name, if the run was asked for names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The fields that are written; empty for a creation and a deletion.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// The members, for a tag.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
    /// Why, such as `new in DingTalk`.
    pub reason: &'static str,
}

/// A record that cannot be written before somebody changes something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// `person`, `department` or `role`.
    pub of: Subject,
    /// DingTalk's id.
    pub id: String,
    /// What is wrong.
    pub kind: ConflictKind,
    /// The platform's code, if it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// More about it, without personal data.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// A keyed hash of the value in question, if there is one: two conflicts with one hash are about one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Since when, RFC 3339.
    pub since: String,
}

/// What a conflict is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A person.
    Person,
    /// A department.
    Department,
    /// A role.
    Role,
}

impl Subject {
    /// Its name in the JSON form.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Department => "department",
            Self::Role => "role",
        }
    }
}

/// Why a record is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictKind {
    /// Another member of WeCom has the mobile number.
    MobileTaken,
    /// Another member of WeCom has the e-mail address.
    EmailTaken,
    /// A member with this userid exists that the mirror did not create; `adopt` would take it over.
    IdTaken,
    /// DingTalk shows neither a mobile number nor an e-mail address, and WeCom requires one of them.
    NoMobileNoEmail,
    /// WeCom does not accept the value of a field, which was left out.
    Malformed,
    /// A sibling has the name, and so have those with a suffix.
    NameTaken,
    /// The department could not be created, or WeCom does not know it.
    NoDepartment,
    /// The person or department still exists in DingTalk, but no longer in a mirrored department: it is left as it is.
    Outside,
    /// The department is deeper than WeCom's 15 levels.
    TooDeep,
    /// WeCom refuses the change for this record.
    Refused,
    /// WeCom does not accept the form of the request.
    Bug,
}

impl ConflictKind {
    /// Its name in the JSON form.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MobileTaken => "mobile_taken",
            Self::EmailTaken => "email_taken",
            Self::IdTaken => "id_taken",
            Self::NoMobileNoEmail => "no_mobile_no_email",
            Self::Malformed => "malformed",
            Self::NameTaken => "name_taken",
            Self::NoDepartment => "no_department",
            Self::Outside => "outside",
            Self::TooDeep => "too_deep",
            Self::Refused => "refused",
            Self::Bug => "bug",
        }
    }
}

/// Why the guard stopped a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// Approves exactly these removals: `letterbox contacts apply --approve CODE`.
    pub code: String,
    /// What the guard objects to.
    pub reasons: Vec<String>,
    /// People that would be disabled, or deleted after their time, by DingTalk's id; at most 100 of them.
    pub people: Vec<String>,
    /// How many there are.
    pub people_count: u64,
    /// Departments that would be deleted; at most 100 of them.
    pub departments: Vec<i64>,
    /// How many there are.
    pub departments_count: u64,
    /// Tags that would be deleted.
    pub tags_count: u64,
    /// Since when, RFC 3339.
    pub since: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl CorpReport {
    /// An empty report on a corp.
    pub fn new(corp: &str) -> Self {
        Self { corp: corp.to_owned(), ..Self::default() }
    }

    /// Adds a remark, up to a bound.
    pub fn note(&mut self, note: impl Into<String>) {
        if self.notes.len() < MOST_NOTES {
            self.notes.push(note.into());
        }
    }

    /// Lists a change: all, or up to a bound.
    pub fn change(&mut self, change: Change, lists_all: bool) {
        if lists_all || self.changes.len() < MOST_LISTED {
            self.changes.push(change);
        } else {
            self.more_changes = self.more_changes.saturating_add(1);
        }
    }

    /// True if the run did not do all that it was for, and not only because its time was over.
    pub fn is_failed(&self) -> bool {
        self.error.is_some() || self.halt.is_some()
    }
}

impl Report {
    /// True if a corp failed.
    pub fn is_failed(&self) -> bool {
        self.corps.iter().any(CorpReport::is_failed)
    }
}
