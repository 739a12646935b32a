//! What is removed: members are disabled, and deleted after their time; departments and tags are deleted. Only what the mirror
//! has made, and only with proof that it is gone.

use std::collections::BTreeSet;

use letterbox_codec::Timestamp;

use super::{Done, Work, kind_of};
use crate::{
    end::End,
    guard::{Amounts, Removals},
    look,
    model::{Department, Field, Member, Person},
    proof::Proof,
    report::{Action, ConflictKind, Subject},
    state::{DAY, MemberRecord},
    trouble::{Meaning, Trouble},
};

/// Up to so many are confirmed before the guard judges. Of more, it judges what is missing, confirmed or not.
const MOST_CONFIRMED: usize = 500;

/// How far back the leave records are read for an event.
const LEAVES: i64 = 35 * DAY;

impl Work<'_> {
    /// What the state has and DingTalk no longer shows. For events: what they named.
    fn missing(&self) -> Removals {
        let is_complete = self.picture.is_complete;
        let grace = self.corp.delete_after_days.map(|days| i64::from(days).saturating_mul(DAY));
        let mut removals = Removals::default();
        for (userid, record) in self.state.members.iter().filter(|(_, record)| record.deleted.is_none()) {
            if self.picture.people.contains_key(userid) {
                continue;
            }
            match record.disabled {
                None if is_complete || self.picture.absent_people.contains(userid) => {
                    removals.leaving.push(userid.clone());
                }
                Some(at)
                    if is_complete && grace.is_some_and(|grace| self.now().saturating_sub(at) >= grace) =>
                {
                    removals.due.push(userid.clone());
                }
                _ => {}
            }
        }
        for (id, _) in self.state.departments.iter().filter(|(_, record)| record.deleted.is_none()) {
            let is_gone = self.picture.absent_departments.contains(id);
            if !self.picture.departments.contains_key(id) && (is_complete || is_gone) {
                removals.departments.push(*id);
            }
        }
        if let Some(roles) = self.picture.roles.as_ref().filter(|roles| !roles.is_empty()) {
            let roles: BTreeSet<_> = roles.iter().map(|role| role.id).collect();
            let gone =
                self.state.tags.iter().filter(|(id, tag)| tag.deleted.is_none() && !roles.contains(id));
            removals.tags = gone.map(|(id, _)| *id).collect();
        }
        removals
    }

    /// What is gone, for a complete run: absent from the walk, and by a code. Whoever exists after all was moved while the directory was
    /// read, or out of what is mirrored.
    pub async fn prove(&mut self) -> Result<Proof, End> {
        let mut proof = Proof { removals: self.missing(), ..Proof::default() };
        if proof.removals.is_empty() {
            return Ok(proof);
        }
        proof.doubts = self.doubts();
        let people = proof.removals.leaving.len().saturating_add(proof.removals.due.len());
        if people.saturating_add(proof.removals.departments.len()) <= MOST_CONFIRMED {
            self.confirm(&mut proof).await?;
        }
        Ok(proof)
    }

    /// What is gone, for events: by a code, and by a second source.
    pub async fn prove_hints(&mut self) -> Result<Proof, End> {
        let mut removals = self.missing();
        if !removals.leaving.is_empty() {
            self.clock.check()?;
            let since = Timestamp(self.now().saturating_sub(LEAVES));
            match self.source.leaves(since).await {
                Ok(leaves) => {
                    let left: BTreeSet<_> = leaves.into_iter().map(|leave| leave.userid).collect();
                    removals.leaving.retain(|userid| left.contains(userid));
                }
                Err(trouble) => {
                    removals.leaving.clear();
                    self.report.note(format!(
                        "leave records: {trouble}; the next complete run decides who has left"
                    ));
                }
            }
        }
        let mut departments = Vec::new();
        for id in removals.departments {
            if self.is_gone_from_parent(id).await? {
                departments.push(id);
            }
        }
        removals.departments = departments;
        Ok(Proof { removals, is_confirmed: true, doubts: Vec::new() })
    }

    /// The second source for a department: the list of its parent, or that its parent is gone, too.
    async fn is_gone_from_parent(&mut self, id: i64) -> Result<bool, End> {
        let Some(parent) = self.state.departments.get(&id).map(|record| record.parent) else {
            return Ok(false);
        };
        if self.picture.absent_departments.contains(&parent) {
            return Ok(true);
        }
        self.clock.check()?;
        match self.source.subdepartments(parent).await {
            Ok(below) => Ok(below.iter().all(|department| department.id != id)),
            Err(trouble) => {
                self.report.note(format!("department {id}: {trouble}; the next complete run decides"));
                Ok(false)
            }
        }
    }

    /// Why absence from the walk proves nothing.
    fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        if let (Some(before), Some(now)) = (&self.state.last.visible, &self.picture.visible) {
            let departments = before.departments.iter().filter(|id| !now.departments.contains(id)).count();
            let people = before.people.iter().filter(|id| !now.people.contains(id)).count();
            if departments > 0 || people > 0 {
                doubts.push(format!(
                    "the contact scope of DingTalk's application has lost {departments} departments and {people} people"
                ));
            }
        }
        let walked = self.picture.people.len();
        let count = self.picture.count.and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
        if walked == 0 || count == 0 {
            doubts.push(format!("DingTalk showed {walked} people and counts {count}"));
        } else if self.corp.is_whole() && self.corp.skip_departments.is_empty() {
            let tolerance = self.corp.guard.limit(count);
            if walked.saturating_add(tolerance) < count {
                doubts.push(format!("DingTalk counts {count} people and showed {walked}"));
            }
        }
        doubts
    }

    /// Asks DingTalk for each that is missing. What it does not answer for is not removed in this run.
    pub async fn confirm(&mut self, proof: &mut Proof) -> Result<(), End> {
        proof.is_confirmed = true;
        let asked: BTreeSet<_> = proof.removals.leaving.iter().chain(&proof.removals.due).cloned().collect();
        let mut found = crate::picture::Picture::default();
        look::people(self.source, &self.clock, &asked, &mut found).await?;
        let mut missed: usize = 0;
        for (userid, person) in found.people {
            missed = missed.saturating_add(usize::from(self.found(&userid, person).await?));
        }
        // A few may have moved while the lists were read.
        if missed > self.corp.guard.limit(self.picture.people.len()) {
            proof.doubts.push(format!("{missed} people exist whom no list of DingTalk showed"));
        }
        proof.removals.leaving.retain(|userid| found.absent_people.contains(userid));
        proof.removals.due.retain(|userid| found.absent_people.contains(userid));
        for (what, trouble) in found.unread {
            proof.doubts.push(format!("{what}: {trouble}"));
        }
        let mut departments = Vec::new();
        for id in std::mem::take(&mut proof.removals.departments) {
            if self.picture.absent_departments.contains(&id) {
                departments.push(id);
                continue;
            }
            self.clock.check()?;
            match self.source.department(id).await {
                Ok(found) if self.is_listed(&found) => {
                    proof
                        .doubts
                        .push(format!("the department {id} exists, and no list of DingTalk showed it"));
                }
                Ok(_) => {
                    self.park(Subject::Department, &id.to_string(), ConflictKind::Outside, None, None)
                        .await?;
                }
                Err(trouble) if trouble.meaning == Meaning::Absent => departments.push(id),
                Err(trouble) if look::ends_run(&trouble) => return Err(End::of(&trouble)),
                Err(trouble) => proof.doubts.push(format!("department {id}: {trouble}")),
            }
        }
        proof.removals.departments = departments;
        Ok(())
    }

    /// True for a department that the walk should have shown.
    fn is_listed(&self, department: &Department) -> bool {
        let is_below = department.parent.is_some_and(|parent| self.mirrors(parent));
        !self.corp.is_skipped(department) && (is_below || self.corp.is_top(department.id))
    }

    /// A person whom the walk did not show exists. True if a department is mirrored that has the person.
    async fn found(&mut self, userid: &str, person: Person) -> Result<bool, End> {
        let is_mirrored = person.departments.iter().any(|id| self.mirrors(*id));
        if is_mirrored {
            self.picture.people.insert(userid.to_owned(), person);
        } else if self.state.member(userid).is_none_or(|record| record.disabled.is_none()) {
            self.park(Subject::Person, userid, ConflictKind::Outside, None, None).await?;
        }
        Ok(is_mirrored)
    }

    /// What the guard counts: what is there, and what was removed within the last day and not approved.
    pub fn amounts(&self) -> (Amounts, Amounts) {
        let since = self.now().saturating_sub(DAY).max(self.state.last.approved.unwrap_or(i64::MIN));
        let is_recent = |at: &Option<i64>| at.is_some_and(|at| at > since);
        let state = &self.state;
        let members = || state.members.values().filter(|record| !record.pending);
        let before = Amounts {
            members: members()
                .filter(|record| is_recent(&record.deleted) || is_recent(&record.disabled))
                .count(),
            departments: state.departments.values().filter(|record| is_recent(&record.deleted)).count(),
            tags: state.tags.values().filter(|record| is_recent(&record.deleted)).count(),
        };
        let all = Amounts {
            members: members().filter(|record| record.disabled.is_none() && record.deleted.is_none()).count(),
            departments: state
                .departments
                .values()
                .filter(|record| record.deleted.is_none() && !record.pending)
                .count(),
            tags: state.tags.values().filter(|record| record.deleted.is_none()).count(),
        };
        (before, all)
    }

    /// Disables and deletes.
    pub async fn remove(&mut self, removals: &Removals) -> Result<(), End> {
        for userid in &removals.leaving {
            self.disable(userid).await?;
        }
        for userid in &removals.due {
            self.delete_member(userid).await?;
        }
        for role in &removals.tags {
            self.delete_tag(*role).await?;
        }
        self.delete_departments(&removals.departments).await
    }

    async fn disable(&mut self, userid: &str) -> Result<(), End> {
        let Some(record) = self.state.member(userid).cloned() else { return Ok(()) };
        self.clock.check()?;
        let member = Member { userid: record.wecom.clone(), is_enabled: false, ..Member::default() };
        self.unsure(userid, &[Field::Enabled]).await?;
        let result = self.target.update_member(&member, &[Field::Enabled]).await;
        match self.done(result)? {
            Done::Fine(_) => {
                let mut record = MemberRecord { disabled: Some(self.now()), pending: false, ..record };
                record.written.remove(&Field::Enabled);
                self.table.member(&mut self.state, userid, record).await?;
                self.settle(Subject::Person, userid).await?;
                self.changed(Action::DisableMember, userid, &member.userid, &[], "left in DingTalk");
            }
            Done::Not(trouble) => self.not_removed(userid, record, &trouble).await?,
        }
        Ok(())
    }

    async fn delete_member(&mut self, userid: &str) -> Result<(), End> {
        let Some(record) = self.state.member(userid).cloned() else { return Ok(()) };
        self.clock.check()?;
        self.forget_manager(&record.wecom).await?;
        let result = self.target.delete_member(&record.wecom).await;
        match self.done(result)? {
            Done::Fine(()) => {
                let wecom = record.wecom.clone();
                let record = MemberRecord { deleted: Some(self.now()), ..record };
                self.table.member(&mut self.state, userid, record).await?;
                self.settle(Subject::Person, userid).await?;
                self.changed(
                    Action::DeleteMember,
                    userid,
                    &wecom,
                    &[],
                    "left in DingTalk, and its time is over",
                );
            }
            Done::Not(trouble) => self.not_removed(userid, record, &trouble).await?,
        }
        Ok(())
    }

    async fn not_removed(
        &mut self,
        userid: &str,
        record: MemberRecord,
        trouble: &Trouble,
    ) -> Result<(), End> {
        match trouble.meaning {
            Meaning::Retry => Ok(()),
            // Somebody has deleted it at WeCom, or it was never created.
            Meaning::Absent if record.pending => {
                Ok(self.table.forget_member(&mut self.state, userid).await?)
            }
            Meaning::Absent => {
                let record = MemberRecord { deleted: Some(self.now()), ..record };
                self.table.member(&mut self.state, userid, record).await?;
                self.settle(Subject::Person, userid).await
            }
            _ => self.park(Subject::Person, userid, kind_of(trouble), Some(trouble), None).await,
        }
    }

    async fn delete_tag(&mut self, role: i64) -> Result<(), End> {
        let Some(record) = self.state.tag(role).cloned() else { return Ok(()) };
        self.clock.check()?;
        let result = self.target.delete_tag(record.wecom).await;
        match self.done(result)? {
            Done::Fine(()) => {
                self.forget_tag(role).await?;
                self.settle(Subject::Role, &role.to_string()).await?;
                let (id, wecom) = (role.to_string(), record.wecom.to_string());
                self.changed(Action::DeleteTag, &id, &wecom, &[], "deleted in DingTalk");
            }
            Done::Not(trouble) if trouble.meaning == Meaning::Absent => self.forget_tag(role).await?,
            Done::Not(trouble) if trouble.meaning == Meaning::Retry => {}
            Done::Not(trouble) => {
                self.park(Subject::Role, &role.to_string(), kind_of(&trouble), Some(&trouble), None).await?;
            }
        }
        Ok(())
    }
}
