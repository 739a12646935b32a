//! People: which member each becomes, and which of its fields differ from what was last written.

use std::collections::{BTreeMap, BTreeSet};

use super::departments::wecom_department;
use crate::{
    actual::Actual,
    mapping,
    model::{Field, Manager, Member, Person},
    picture::Picture,
    report::{Action, ConflictKind},
    settings::Corp,
    state::{MemberRecord, State, UNSURE},
};

/// What is to be done with one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberPlan {
    /// Nothing: the member is as it should be.
    Same,
    /// Nothing: the person is in no mirrored department, and never was.
    Outside,
    /// The record is parked.
    Conflict(ConflictKind),
    /// The member is written.
    Write(Box<Write>),
}

/// One write of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// `CreateMember`, `AdoptMember` or `UpdateMember`.
    pub action: Action,
    /// As it is to be.
    pub member: Member,
    /// DingTalk's departments that it is in.
    pub departments: BTreeSet<i64>,
    /// The fields that differ.
    pub fields: Vec<Field>,
    /// Why.
    pub reason: &'static str,
    /// True if neither a mobile number nor an address is known: what WeCom has stays.
    pub lacks_both: bool,
}

/// What the plans of all people share.
pub struct People<'a> {
    corp: &'a Corp,
    /// Who has which userid at WeCom, in lower case.
    owners: BTreeMap<String, String>,
    can_clear: BTreeSet<Field>,
}

impl<'a> People<'a> {
    /// For the people of a picture.
    pub fn new(corp: &'a Corp, state: &State, picture: &Picture) -> Self {
        let live = state.members.iter().filter(|(_, record)| record.deleted.is_none());
        let owners = live.map(|(userid, record)| (record.wecom.to_lowercase(), userid.clone())).collect();
        // A missing mobile number may only mean that the application has lost the permission to read it.
        let fields = picture.visible.iter().flat_map(|visible| &visible.fields);
        let can_clear = fields.filter_map(|field| match field.as_str() {
            "mobile" => Some(Field::Mobile),
            "email" => Some(Field::Email),
            _ => None,
        });
        let mut people = Self { corp, owners, can_clear: can_clear.collect() };
        for userid in picture.people.keys().filter(|userid| state.member(userid).is_none()) {
            // Of several that differ only in their case, the first in the order of their ids is written as it is.
            if mapping::is_userid(userid) {
                people.owners.entry(userid.to_lowercase()).or_insert_with(|| userid.clone());
            }
        }
        people
    }

    /// WeCom's userid of a person.
    pub fn userid(&self, state: &State, userid: &str) -> String {
        if let Some(record) = state.member(userid) {
            return record.wecom.clone();
        }
        let owner = self.owners.get(&userid.to_lowercase());
        if mapping::is_userid(userid) && owner.is_none_or(|owner| owner == userid) {
            userid.to_owned()
        } else {
            mapping::derived_userid(&self.corp.hash_key, userid)
        }
    }

    /// Plans one person. `mirrors` says whether a department of DingTalk is mirrored, although it may not yet exist at WeCom.
    pub fn plan(
        &self,
        state: &State,
        actual: &Actual,
        person: &Person,
        mirrors: impl Fn(i64) -> bool,
    ) -> MemberPlan {
        let record = state.member(&person.userid);
        let is_mirrored = person.departments.iter().any(|id| mirrors(*id));
        let exist = person.departments.iter().filter(|id| mirrors(**id));
        let exist = exist.filter_map(|id| Some((*id, wecom_department(self.corp, state, *id)?)));
        let exist: BTreeMap<i64, i32> = exist.take(mapping::MOST_DEPARTMENTS).collect();
        if exist.is_empty() {
            return match (is_mirrored, record) {
                (true, _) => MemberPlan::Conflict(ConflictKind::NoDepartment),
                (false, Some(_)) => MemberPlan::Conflict(ConflictKind::Outside),
                (false, None) => MemberPlan::Outside,
            };
        }
        let departments = exist.iter().map(|(id, wecom)| (*wecom, person.leads.contains(id))).collect();
        let userid = self.userid(state, &person.userid);
        let member = mapping::member(userid, person, departments, self.corp.invite);
        let lacks_both = member.mobile.is_none() && member.email.is_none();
        let (action, fields, reason) = match self.differences(actual, &member, record) {
            Some(found) => found,
            None if lacks_both => return MemberPlan::Conflict(ConflictKind::NoMobileNoEmail),
            None => return MemberPlan::Same,
        };
        match action {
            Action::CreateMember if lacks_both => return MemberPlan::Conflict(ConflictKind::NoMobileNoEmail),
            Action::AdoptMember if !self.corp.adopt => return MemberPlan::Conflict(ConflictKind::IdTaken),
            _ => {}
        }
        let departments = exist.into_keys().collect();
        MemberPlan::Write(Box::new(Write { action, member, departments, fields, reason, lacks_both }))
    }

    /// What differs; `None` if nothing does.
    fn differences(
        &self,
        actual: &Actual,
        member: &Member,
        record: Option<&MemberRecord>,
    ) -> Option<(Action, Vec<Field>, &'static str)> {
        let all = || {
            let fields = mapping::FIELDS.into_iter();
            let fields = fields.filter(|field| !mapping::value(member, *field).is_empty());
            fields.chain([Field::Enabled]).collect::<Vec<_>>()
        };
        let exists = actual.member(&member.userid).is_some();
        let Some(record) = record else {
            let (action, reason) = if exists {
                (Action::AdoptMember, "exists at WeCom")
            } else {
                (Action::CreateMember, "new in DingTalk")
            };
            return Some((action, all(), reason));
        };
        if actual.lacks_member(&member.userid) {
            let reason = if record.pending { "new in DingTalk" } else { "missing at WeCom" };
            return Some((Action::CreateMember, all(), reason));
        }
        if record.pending {
            // An earlier run was cut off after its creation, or before it.
            let action = if exists { Action::UpdateMember } else { Action::CreateMember };
            return Some((action, all(), "new in DingTalk"));
        }
        let differs = |field: &Field| {
            let value = mapping::value(member, *field);
            if value.is_empty() && matches!(field, Field::Mobile | Field::Email) {
                let other = if *field == Field::Mobile { &member.email } else { &member.mobile };
                if !self.can_clear.contains(field) || other.is_none() {
                    return false;
                }
            }
            let written = record.written.get(field).map(String::as_str).unwrap_or_default();
            mapping::hash(&self.corp.hash_key, *field, &value) != written
        };
        let mut fields: Vec<_> = mapping::FIELDS.into_iter().filter(differs).collect();
        let mut reason = "changed in DingTalk";
        let elsewhere = actual
            .member(&member.userid)
            .is_some_and(|found| *found != member.departments.iter().copied().collect::<BTreeSet<_>>());
        if elsewhere && !fields.contains(&Field::Departments) {
            fields.push(Field::Departments);
            reason = "moved at WeCom";
        }
        let is_unsure = record.written.get(&Field::Enabled).is_some_and(|written| written == UNSURE);
        if record.disabled.is_some() || is_unsure {
            fields.push(Field::Enabled);
            reason = "back in DingTalk";
        }
        (!fields.is_empty()).then_some((Action::UpdateMember, fields, reason))
    }

    /// The manager that a member is to have, as WeCom's userid, if that differs from what was last written: empty for none.
    pub fn manager(&self, state: &State, userid: &str, manager: &Manager) -> Option<String> {
        let record = state.member(userid).filter(|record| !record.pending && record.disabled.is_none())?;
        let manager = match manager {
            Manager::Unread => return None,
            Manager::Nobody => None,
            Manager::Person(manager) if manager == userid => None,
            Manager::Person(manager) => {
                state.member(manager).filter(|record| !record.pending && record.disabled.is_none())
            }
        };
        let value = manager.map(|record| record.wecom.clone()).unwrap_or_default();
        let written = record.written.get(&Field::Manager).map(String::as_str).unwrap_or_default();
        (mapping::hash(&self.corp.hash_key, Field::Manager, &value) != written).then_some(value)
    }
}
