//! Writes people.

use std::collections::BTreeSet;

use super::{Done, Work, kind_of};
use crate::{
    end::End,
    mapping,
    model::{Field, Member},
    plan::{MemberPlan, People, Write, wecom_department},
    report::{Action, ConflictKind, Subject},
    state::{MemberRecord, UNSURE},
    trouble::{Meaning, Trouble},
};

impl Work<'_> {
    /// Creates and updates the members of all people that were read.
    pub async fn people(&mut self) -> Result<(), End> {
        let userids: Vec<_> = self.picture.people.keys().cloned().collect();
        self.each(&userids).await?;
        // A number that one person has given up may be another's now, who came first.
        let is_taken = |kind| matches!(kind, ConflictKind::MobileTaken | ConflictKind::EmailTaken);
        let conflicts =
            self.report.conflicts.iter().filter(|one| one.of == Subject::Person && is_taken(one.kind));
        let again: Vec<_> = conflicts.map(|one| one.id.clone()).collect();
        if self.report.counts.members_updated > 0 {
            self.each(&again).await?;
        }
        Ok(())
    }

    async fn each(&mut self, userids: &[String]) -> Result<(), End> {
        let people = People::new(self.corp, &self.state, &self.picture);
        for userid in userids {
            let Some(person) = self.picture.people.get(userid) else { continue };
            let mut plan = people.plan(&self.state, &self.actual, person, |id| self.mirrors(id));
            if is_unknown(&plan, self.state.member(userid).is_none()) && self.actual.members.is_none() {
                // Before the first creation: who is at WeCom already is not ours.
                self.read_members().await?;
                let Some(person) = self.picture.people.get(userid) else { continue };
                plan = people.plan(&self.state, &self.actual, person, |id| self.mirrors(id));
            }
            match plan {
                MemberPlan::Same => self.settle_same(userid).await?,
                MemberPlan::Outside => {
                    self.report.counts.outside = self.report.counts.outside.saturating_add(1);
                    self.settle(Subject::Person, userid).await?;
                }
                MemberPlan::Conflict(kind) => self.park(Subject::Person, userid, kind, None, None).await?,
                MemberPlan::Write(write) => self.person(userid, *write).await?,
            }
        }
        Ok(())
    }

    /// Nothing differs: a conflict is over, but for a field that was left out, which stays as it is.
    async fn settle_same(&mut self, userid: &str) -> Result<(), End> {
        let known = self.state.conflicts.get(&(Subject::Person, userid.to_owned()));
        if known.is_some_and(|conflict| conflict.kind == ConflictKind::Malformed) {
            return Ok(());
        }
        self.settle(Subject::Person, userid).await
    }

    /// True if a department is mirrored, as far as is known.
    pub(super) fn mirrors(&self, id: i64) -> bool {
        if id == crate::model::ROOT {
            return self.corp.is_whole();
        }
        self.picture.departments.contains_key(&id)
            || (!self.picture.is_complete
                && !self.picture.outside.contains(&id)
                && !self.picture.absent_departments.contains(&id)
                && self.state.department(id).is_some())
    }

    /// Reads who is at WeCom.
    pub(super) async fn read_members(&mut self) -> Result<(), End> {
        self.clock.check()?;
        let members = self.target.memberships().await.map_err(|trouble| End::of(&trouble))?;
        self.actual.set_members(members);
        Ok(())
    }

    async fn person(&mut self, userid: &str, mut write: Write) -> Result<(), End> {
        let is_addition = write.action == Action::CreateMember;
        if (self.only_additions && !is_addition) || (self.is_full && is_addition) {
            return Ok(());
        }
        let known = self.state.member(userid).cloned();
        if is_addition {
            self.begin(userid, &write).await?;
        } else {
            self.unsure(userid, &write.fields).await?;
        }
        let mut dropped: Vec<Trouble> = Vec::new();
        let mut is_rebuilt = false;
        while write.action == Action::CreateMember || !write.fields.is_empty() {
            self.clock.check()?;
            let result = self.write_member(&write).await;
            let trouble = match self.done(result)? {
                Done::Fine(silent) => {
                    if !silent.is_empty() {
                        self.repair(userid, &write, &silent).await?;
                    }
                    break;
                }
                Done::Not(trouble) => trouble,
            };
            match trouble.meaning {
                Meaning::Retry => return Ok(()),
                Meaning::DropField(field) if write.fields.contains(&field) && field != Field::Name => {
                    drop_field(&mut write, field);
                    let is_empty = write.member.mobile.is_none() && write.member.email.is_none();
                    if write.action == Action::CreateMember && is_empty {
                        return self.refuse(userid, known.is_none(), Some(&trouble)).await;
                    }
                    dropped.push(trouble);
                }
                Meaning::Rebuild if !is_rebuilt => {
                    is_rebuilt = true;
                    for id in write.departments.clone() {
                        self.rebuild(id).await?;
                    }
                    self.renew_departments(userid, &mut write);
                }
                Meaning::Absent if write.action != Action::CreateMember => {
                    // It was deleted at WeCom: it is created again, with all that is known.
                    write.action = Action::CreateMember;
                    write.reason = "missing at WeCom";
                    write.fields = mapping::FIELDS.into_iter().chain([Field::Enabled]).collect();
                    if write.lacks_both {
                        return self
                            .park(Subject::Person, userid, ConflictKind::NoMobileNoEmail, None, None)
                            .await;
                    }
                    if self.only_additions || self.is_full {
                        return Ok(());
                    }
                    self.begin(userid, &write).await?;
                }
                Meaning::Full => {
                    self.is_full = true;
                    self.report.note(format!("no more members are created: {trouble}"));
                    self.report.error.get_or_insert_with(|| trouble.to_string());
                    return self.forget(userid, known.is_none()).await;
                }
                _ => return self.refuse(userid, known.is_none(), Some(&trouble)).await,
            }
        }
        self.noted(userid, write, &dropped).await
    }

    /// Notes a creation before it begins, so that a run that is cut off after it knows the member for its own, and what it lacks.
    async fn begin(&mut self, userid: &str, write: &Write) -> Result<(), End> {
        if self.state.member(userid).is_some_and(|record| !record.pending) {
            self.forget_manager(&write.member.userid).await?;
        }
        let record = MemberRecord {
            wecom: write.member.userid.clone(),
            pending: true,
            departments: write.departments.clone(),
            ..MemberRecord::default()
        };
        Ok(self.table.member(&mut self.state, userid, record).await?)
    }

    /// Notes fields before they are written, so that a run that is cut off after it does not take the old values for WeCom's.
    pub(super) async fn unsure(&mut self, userid: &str, fields: &[Field]) -> Result<(), End> {
        let Some(mut record) = self.state.member(userid).filter(|record| !record.pending).cloned() else {
            return Ok(());
        };
        record.written.extend(fields.iter().map(|field| (*field, UNSURE.to_owned())));
        Ok(self.table.member(&mut self.state, userid, record).await?)
    }

    /// Creates or updates a member. A creation whose userid exists is ours: it is only begun if WeCom has no such member.
    async fn write_member(&self, write: &Write) -> Result<Vec<i32>, Trouble> {
        if write.action != Action::CreateMember {
            return self.target.update_member(&write.member, &write.fields).await;
        }
        match self.target.create_member(&write.member).await {
            Err(trouble) if trouble.meaning == Meaning::Conflict(Field::Id) => {
                let fields: Vec<_> = mapping::FIELDS.into_iter().chain([Field::Enabled]).collect();
                self.target.update_member(&write.member, &fields).await
            }
            other => other,
        }
    }

    /// Notes a member that was written.
    async fn noted(&mut self, userid: &str, write: Write, dropped: &[Trouble]) -> Result<(), End> {
        let mut record = self.state.member(userid).cloned().unwrap_or_default();
        let is_new = write.action == Action::CreateMember;
        if is_new {
            record.written.clear();
            record.roles.clear();
            record.unsure_roles.clear();
        }
        record.wecom.clone_from(&write.member.userid);
        (record.pending, record.disabled) = (false, None);
        record.written.remove(&Field::Enabled);
        let Some(person) = self.picture.people.get(userid) else { return Ok(()) };
        let departments = write.member.departments.iter().copied().zip(write.member.leads.iter().copied());
        // With the values of fields that were dropped: they are not tried again before they change.
        let wanted = mapping::member(write.member.userid.clone(), person, departments.collect(), false);
        for field in mapping::FIELDS {
            let value = mapping::value(&wanted, field);
            if write.fields.contains(&field) || (is_new && !value.is_empty()) || is_dropped(dropped, field) {
                record.written.insert(field, mapping::hash(&self.corp.hash_key, field, &value));
            }
        }
        if is_new || write.fields.contains(&Field::Departments) {
            record.departments = write.departments;
        }
        if let Some(members) = &mut self.actual.members {
            let departments: BTreeSet<_> = write.member.departments.iter().copied().collect();
            members.insert(write.member.userid.to_lowercase(), departments);
        }
        self.table.member(&mut self.state, userid, record).await?;
        let conflict = match dropped {
            [_, ..] => Some(ConflictKind::Malformed),
            [] => write.lacks_both.then_some(ConflictKind::NoMobileNoEmail),
        };
        match conflict {
            Some(kind) => self.park(Subject::Person, userid, kind, dropped.first(), None).await?,
            None => self.settle(Subject::Person, userid).await?,
        }
        let fields = if is_new { Vec::new() } else { write.fields };
        self.changed(write.action, userid, &write.member.userid, &fields, write.reason);
        Ok(())
    }

    /// A member that was deleted at WeCom is nobody's manager any more.
    pub(super) async fn forget_manager(&mut self, wecom: &str) -> Result<(), End> {
        let hash = mapping::hash(&self.corp.hash_key, Field::Manager, wecom);
        let members = self.state.members.iter();
        let managed = members.filter(|(_, record)| record.written.get(&Field::Manager) == Some(&hash));
        let managed: Vec<_> = managed.map(|(userid, record)| (userid.clone(), record.clone())).collect();
        for (userid, mut record) in managed {
            record.written.remove(&Field::Manager);
            self.table.member(&mut self.state, &userid, record).await?;
        }
        Ok(())
    }

    /// Parks a person whose member WeCom does not accept.
    async fn refuse(&mut self, userid: &str, is_new: bool, trouble: Option<&Trouble>) -> Result<(), End> {
        self.forget(userid, is_new).await?;
        let Some(trouble) = trouble else { return Ok(()) };
        let kind = kind_of(trouble);
        let hash = self.picture.people.get(userid).and_then(|person| {
            let member = mapping::member(String::new(), person, Vec::new(), false);
            let field = match kind {
                ConflictKind::MobileTaken => Field::Mobile,
                ConflictKind::EmailTaken => Field::Email,
                _ => return None,
            };
            Some(self.corp.hash_key.hash(field.name(), &mapping::value(&member, field)))
        });
        self.park(Subject::Person, userid, kind, Some(trouble), hash).await
    }

    /// Forgets a creation that has not taken place.
    async fn forget(&mut self, userid: &str, is_new: bool) -> Result<(), End> {
        if is_new && self.state.member(userid).is_some_and(|record| record.pending) {
            self.table.forget_member(&mut self.state, userid).await?;
        }
        Ok(())
    }

    /// WeCom has created departments without asking: they are ours, and lost, so they are put where they belong; or else a defect.
    async fn repair(&mut self, userid: &str, write: &Write, silent: &[i32]) -> Result<(), End> {
        let ids: Vec<_> = silent.iter().map(ToString::to_string).collect();
        self.report.note(format!(
            "WeCom has created departments without being asked, for the member {userid}: {}",
            ids.join(", ")
        ));
        for id in &write.departments {
            if wecom_department(self.corp, &self.state, *id).is_some_and(|wecom| silent.contains(&wecom)) {
                self.rebuild(*id).await?;
            }
        }
        Ok(())
    }

    /// Takes the departments of a member from the state again.
    fn renew_departments(&self, userid: &str, write: &mut Write) {
        let Some(person) = self.picture.people.get(userid) else { return };
        let found = write.departments.iter();
        let found = found.filter_map(|id| {
            Some((wecom_department(self.corp, &self.state, *id)?, person.leads.contains(id)))
        });
        let renewed: Member =
            mapping::member(write.member.userid.clone(), person, found.collect(), self.corp.invite);
        write.member.departments = renewed.departments;
        write.member.leads = renewed.leads;
    }
}

/// True for the creation of a member that has no record.
fn is_unknown(plan: &MemberPlan, has_no_record: bool) -> bool {
    has_no_record && matches!(plan, MemberPlan::Write(write) if write.action == Action::CreateMember)
}

fn is_dropped(dropped: &[Trouble], field: Field) -> bool {
    dropped.iter().any(|trouble| trouble.meaning == Meaning::DropField(field))
}

fn drop_field(write: &mut Write, field: Field) {
    write.fields.retain(|one| *one != field);
    match field {
        Field::Mobile => write.member.mobile = None,
        Field::Email => write.member.email = None,
        Field::Position => write.member.position = None,
        Field::Telephone => write.member.telephone = None,
        _ => {}
    }
}
