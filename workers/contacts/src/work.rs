//! Writes what was planned, record by record. The state notes a write before it begins, and again once the platform has accepted it,
//! so that a run that is cut off at any point is completed by the next.

mod department_deletions;
mod departments;
mod managers;
mod people;
mod removals;
mod tags;

use letterbox_codec::Timestamp;

use crate::{
    actual::Actual,
    end::{Clock, End},
    model::Field,
    picture::Picture,
    report::{Action, Change, Conflict, ConflictKind, CorpReport, Subject},
    settings::Corp,
    source::Source,
    state::{State, Table},
    target::Target,
    trouble::{Meaning, Trouble},
};

/// After so many records in a row that failed for now, the platform is not available.
const MOST_FAILURES: u32 = 3;

/// What the phases of a run share.
pub struct Work<'a> {
    /// Whose directories they are.
    pub corp: &'a Corp,
    /// Where it is read.
    pub source: &'a dyn Source,
    /// Where it is written. For a plan, its writes only succeed.
    pub target: &'a dyn Target,
    /// Where the state is written.
    pub table: Table<'a>,
    /// The state.
    pub state: State,
    /// What was read of DingTalk.
    pub picture: Picture,
    /// The ids that WeCom has, as far as they were read.
    pub actual: Actual,
    /// What was done.
    pub report: CorpReport,
    /// The clock and the end of the run.
    pub clock: Clock<'a>,
    /// Receives each step.
    pub progress: &'a (dyn Fn(&str) + Sync),
    /// True for a terminal.
    pub is_for_terminal: bool,
    /// True if the guard has stopped all but additions.
    pub only_additions: bool,
    /// True if the corp's limit of accounts is reached.
    pub is_full: bool,
    /// How many records in a row have failed for now.
    pub failures: u32,
}

/// What became of a call.
enum Done<T> {
    /// It succeeded.
    Fine(T),
    /// It did not, for a reason of this record.
    Not(Trouble),
}

impl Work<'_> {
    fn now(&self) -> i64 {
        (self.clock.now)()
    }

    /// Sorts the result of a call: trouble that does not concern one record ends the run.
    fn done<T>(&mut self, result: Result<T, Trouble>) -> Result<Done<T>, End> {
        match result {
            Ok(value) => {
                self.failures = 0;
                Ok(Done::Fine(value))
            }
            Err(trouble) => match trouble.meaning {
                Meaning::Stop | Meaning::Later => Err(End::of(&trouble)),
                Meaning::Retry => {
                    self.failures = self.failures.saturating_add(1);
                    self.report.counts.failed = self.report.counts.failed.saturating_add(1);
                    if self.failures >= MOST_FAILURES {
                        return Err(End::Failed(format!(
                            "{MOST_FAILURES} records in a row failed: {trouble}"
                        )));
                    }
                    Ok(Done::Not(trouble))
                }
                _ => Ok(Done::Not(trouble)),
            },
        }
    }

    /// Reads the ids that WeCom has.
    pub async fn read_target(&mut self) -> Result<(), End> {
        self.clock.check()?;
        (self.progress)("reading WeCom");
        let groups = self.target.groups().await.map_err(|trouble| End::of(&trouble))?;
        let root = self.corp.wecom.root;
        if !groups.iter().any(|group| group.id == root) {
            return Err(End::Failed(format!(
                "WeCom does not show the department {root}, which the mirrored tree hangs under: set `wecom.root`"
            )));
        }
        self.actual.set_groups(&groups);
        self.read_members().await
    }

    /// Ends the conflicts of people, departments and roles that are neither in DingTalk nor at WeCom.
    pub async fn forget_conflicts(&mut self) -> Result<(), End> {
        let is_over = |of: Subject, id: &str| match of {
            Subject::Person => !self.picture.people.contains_key(id) && self.state.member(id).is_none(),
            Subject::Department => id.parse().is_ok_and(|id| {
                !self.picture.departments.contains_key(&id) && self.state.department(id).is_none()
            }),
            Subject::Role => {
                let roles = self.picture.roles.iter().flatten();
                !roles.map(|role| role.id.to_string()).any(|role| role == id)
            }
        };
        let over: Vec<_> = self.state.conflicts.keys().filter(|(of, id)| is_over(*of, id)).cloned().collect();
        for (of, id) in over {
            self.settle(of, &id).await?;
        }
        Ok(())
    }

    /// Lists a change that was made.
    fn changed(&mut self, action: Action, id: &str, wecom: &str, fields: &[Field], reason: &'static str) {
        let name = self.is_for_terminal.then(|| self.name(action, id)).flatten();
        let counts = &mut self.report.counts;
        let count = match action {
            Action::CreateDepartment => &mut counts.departments_created,
            Action::UpdateDepartment => &mut counts.departments_updated,
            Action::DeleteDepartment => &mut counts.departments_deleted,
            Action::CreateMember => &mut counts.members_created,
            Action::AdoptMember | Action::UpdateMember | Action::SetManager => &mut counts.members_updated,
            Action::DisableMember => &mut counts.members_disabled,
            Action::DeleteMember => &mut counts.members_deleted,
            Action::CreateTag | Action::RenameTag | Action::DeleteTag => &mut counts.tags_changed,
            Action::TagMembers | Action::UntagMembers => &mut counts.tag_members_changed,
        };
        *count = count.saturating_add(1);
        let change = Change {
            action,
            id: id.to_owned(),
            wecom: wecom.to_owned(),
            name,
            fields: fields.to_vec(),
            members: Vec::new(),
            reason,
        };
        self.report.change(change, self.is_for_terminal);
        (self.progress)(&format!("{} {id}", action.name()));
    }

    /// The name of a record, for a terminal.
    fn name(&self, action: Action, id: &str) -> Option<String> {
        match action {
            Action::CreateDepartment | Action::UpdateDepartment | Action::DeleteDepartment => {
                let id: i64 = id.parse().ok()?;
                self.picture.departments.get(&id).map(|department| department.name.clone())
            }
            Action::CreateTag
            | Action::RenameTag
            | Action::DeleteTag
            | Action::TagMembers
            | Action::UntagMembers => {
                let id: i64 = id.parse().ok()?;
                self.picture.roles.iter().flatten().find(|role| role.id == id).map(|role| role.name.clone())
            }
            _ => self.picture.people.get(id).map(|person| person.name.clone()),
        }
    }

    /// Parks a record.
    async fn park(
        &mut self,
        of: Subject,
        id: &str,
        kind: ConflictKind,
        trouble: Option<&Trouble>,
        hash: Option<String>,
    ) -> Result<(), End> {
        let conflict = Conflict {
            of,
            id: id.to_owned(),
            kind,
            code: trouble.and_then(|trouble| trouble.code),
            detail: trouble.map(|trouble| trouble.message.clone()).unwrap_or_default(),
            hash,
            since: Timestamp(self.now()).to_string(),
        };
        let conflict = self.table.park(&mut self.state, conflict).await?;
        self.report.conflicts.retain(|one| (one.of, one.id.as_str()) != (of, id));
        self.report.conflicts.push(conflict);
        Ok(())
    }

    /// Ends a conflict.
    async fn settle(&mut self, of: Subject, id: &str) -> Result<(), End> {
        self.report.conflicts.retain(|one| (one.of, one.id.as_str()) != (of, id));
        Ok(self.table.settle(&mut self.state, of, id).await?)
    }
}

/// What a conflict of a member is about.
fn kind_of(trouble: &Trouble) -> ConflictKind {
    match trouble.meaning {
        Meaning::Conflict(Field::Mobile) => ConflictKind::MobileTaken,
        Meaning::Conflict(Field::Email) => ConflictKind::EmailTaken,
        Meaning::Conflict(Field::MobileOrEmail) => ConflictKind::NoMobileNoEmail,
        Meaning::Conflict(Field::Id) => ConflictKind::IdTaken,
        Meaning::Conflict(Field::Name) => ConflictKind::NameTaken,
        Meaning::DropField(_) => ConflictKind::Malformed,
        Meaning::Rebuild | Meaning::Absent => ConflictKind::NoDepartment,
        Meaning::Bug => ConflictKind::Bug,
        _ => ConflictKind::Refused,
    }
}
