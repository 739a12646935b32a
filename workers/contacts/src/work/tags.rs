//! Writes roles as tags. The state knows which members have which tag, since the contact sync assistant may not read them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Done, Work, kind_of};
use crate::{
    end::End,
    mapping,
    model::{Field, Role},
    report::{Action, Change, Subject},
    state::{TagRecord, UNSURE},
    trouble::{Meaning, Trouble},
};

/// How many members are added at a time: the state is written after each call.
const AT_A_TIME: usize = 1000;

impl Work<'_> {
    /// Reads all roles and who has them.
    pub async fn read_roles(&mut self) -> Result<(), End> {
        self.clock.check()?;
        let roles = self.source.roles().await.map_err(|trouble| End::of(&trouble))?;
        for role in &roles {
            self.clock.check()?;
            let people = self.source.people_of_role(role.id).await.map_err(|trouble| End::of(&trouble))?;
            self.picture.people_of_roles.insert(role.id, people);
        }
        self.picture.roles = Some(roles);
        Ok(())
    }

    /// Creates and renames tags, and adds and removes their members, of the roles whose people were read.
    pub async fn tags(&mut self) -> Result<(), End> {
        let roles = self.picture.roles.clone().unwrap_or_default();
        let names = names(&roles);
        for role in &roles {
            let Some(people) = self.picture.people_of_roles.get(&role.id).cloned() else { continue };
            let Some(name) = names.get(&role.id) else { continue };
            if let Some(tag) = self.tag(role.id, name).await? {
                self.tag_members(role.id, tag, &people.into_iter().collect()).await?;
            }
        }
        Ok(())
    }

    /// Creates or renames a tag. `None` if that is not possible.
    async fn tag(&mut self, role: i64, name: &str) -> Result<Option<i32>, End> {
        let hash = self.corp.hash_key.hash("tag", name);
        let known = self.state.tag(role).cloned();
        let (action, fields, reason, tag) = match &known {
            Some(record) if record.name == hash || self.only_additions => return Ok(Some(record.wecom)),
            Some(record) => (Action::RenameTag, vec![Field::Name], "renamed in DingTalk", record.wecom),
            None => {
                let taken: BTreeSet<_> = self.state.tags.values().map(|record| record.wecom).collect();
                let mut ids = (0..64).map(|at| mapping::derived_id(&self.corp.hash_key, "tag", role, at));
                let tag = ids.find(|id| !taken.contains(id)).unwrap_or_default();
                (Action::CreateTag, Vec::new(), "new in DingTalk", tag)
            }
        };
        self.clock.check()?;
        // Noted before, so that a run that is cut off after the call knows the tag for its own.
        let unsure = TagRecord { wecom: tag, name: UNSURE.to_owned(), deleted: None };
        self.table.tag(&mut self.state, role, unsure).await?;
        let mut result = match &known {
            Some(_) => self.target.rename_tag(tag, name).await.map(|()| tag),
            None => self.create_tag(tag, name).await,
        };
        if known.is_some_and(|known| known.name == UNSURE)
            && result.as_ref().is_err_and(|trouble| trouble.meaning == Meaning::Absent)
        {
            result = self.create_tag(tag, name).await;
        }
        match self.done(result)? {
            Done::Fine(tag) => {
                let record = TagRecord { wecom: tag, name: hash, deleted: None };
                self.table.tag(&mut self.state, role, record).await?;
                self.settle(Subject::Role, &role.to_string()).await?;
                self.changed(action, &role.to_string(), &tag.to_string(), &fields, reason);
                Ok(Some(tag))
            }
            Done::Not(trouble) if trouble.meaning == Meaning::Retry => Ok(None),
            Done::Not(trouble) => {
                if trouble.meaning == Meaning::Absent || action == Action::CreateTag {
                    // It was deleted at WeCom, or is not there: the next run creates it, and adds its members.
                    self.forget_tag(role).await?;
                }
                self.park(Subject::Role, &role.to_string(), kind_of(&trouble), Some(&trouble), None).await?;
                Ok(None)
            }
        }
    }

    /// Creates a tag. One whose id exists is that of a run which was cut off before it could note it.
    async fn create_tag(&self, tag: i32, name: &str) -> Result<i32, Trouble> {
        match self.target.create_tag(tag, name).await {
            Err(trouble) if matches!(trouble.meaning, Meaning::Conflict(_)) => {
                let is_ours = self.target.rename_tag(tag, name).await.is_ok();
                if is_ours { Ok(tag) } else { Err(trouble) }
            }
            other => other,
        }
    }

    /// Adds and removes the members of a tag.
    async fn tag_members(&mut self, role: i64, tag: i32, people: &BTreeSet<String>) -> Result<(), End> {
        let (mut add, mut remove) = (Vec::new(), Vec::new());
        for (userid, record) in &self.state.members {
            if record.deleted.is_some() || record.pending {
                continue;
            }
            let (has, is_unsure) = (record.roles.contains(&role), record.unsure_roles.contains(&role));
            let wants = people.contains(userid) && record.disabled.is_none();
            if wants && (!has || is_unsure) {
                add.push((userid.clone(), record.wecom.clone()));
            } else if !wants && (has || is_unsure) {
                remove.push((userid.clone(), record.wecom.clone()));
            }
        }
        if self.only_additions {
            remove.clear();
        }
        for (action, all) in [(Action::TagMembers, add), (Action::UntagMembers, remove)] {
            for some in all.chunks(AT_A_TIME) {
                self.clock.check()?;
                let members: Vec<_> = some.iter().map(|(_, wecom)| wecom.clone()).collect();
                // Noted before, so that a run that is cut off after the call does not take them for what they were.
                for (userid, _) in some {
                    let Some(mut record) = self.state.member(userid).cloned() else { continue };
                    record.roles.remove(&role);
                    record.unsure_roles.insert(role);
                    self.table.member(&mut self.state, userid, record).await?;
                }
                let result = match action {
                    Action::TagMembers => self.target.tag_members(tag, &members).await,
                    _ => self.target.untag_members(tag, &members).await,
                };
                let invalid = match self.done(result)? {
                    Done::Fine(invalid) => invalid,
                    Done::Not(trouble) => {
                        if trouble.meaning == Meaning::Absent {
                            self.forget_tag(role).await?;
                        }
                        self.report.note(format!("tag of the role {role}: {trouble}"));
                        return Ok(());
                    }
                };
                self.tagged(action, role, tag, some, &invalid).await?;
            }
        }
        Ok(())
    }

    /// Notes who was added or removed.
    async fn tagged(
        &mut self,
        action: Action,
        role: i64,
        tag: i32,
        some: &[(String, String)],
        invalid: &[String],
    ) -> Result<(), End> {
        let invalid: BTreeSet<_> = invalid.iter().map(|userid| userid.to_lowercase()).collect();
        let mut members = Vec::new();
        for (userid, wecom) in some {
            let Some(mut record) = self.state.member(userid).cloned() else { continue };
            let is_invalid = invalid.contains(&wecom.to_lowercase());
            // Who was not in the tag is not in it now.
            record.unsure_roles.remove(&role);
            if action == Action::TagMembers && !is_invalid {
                record.roles.insert(role);
            }
            if action == Action::UntagMembers || !is_invalid {
                members.push(wecom.clone());
            }
            self.table.member(&mut self.state, userid, record).await?;
        }
        if action == Action::TagMembers && !invalid.is_empty() {
            self.report.note(format!("tag of the role {role}: WeCom did not add {} members", invalid.len()));
        }
        if members.is_empty() {
            return Ok(());
        }
        let counts = &mut self.report.counts;
        let count = u64::try_from(members.len()).unwrap_or(u64::MAX);
        counts.tag_members_changed = counts.tag_members_changed.saturating_add(count);
        let name = self.is_for_terminal.then(|| self.name(action, &role.to_string())).flatten();
        let reason =
            if action == Action::TagMembers { "has the role in DingTalk" } else { "no longer has the role" };
        let (id, wecom) = (role.to_string(), tag.to_string());
        let change = Change { action, id, wecom, name, fields: Vec::new(), members, reason };
        self.report.change(change, self.is_for_terminal);
        Ok(())
    }

    /// Forgets a tag that WeCom does not have, and that members have it.
    pub(super) async fn forget_tag(&mut self, role: i64) -> Result<(), End> {
        let now = self.now();
        if let Some(record) = self.state.tag(role).cloned() {
            let record = TagRecord { deleted: Some(now), ..record };
            self.table.tag(&mut self.state, role, record).await?;
        }
        let having = self
            .state
            .members
            .iter()
            .filter(|(_, record)| record.roles.contains(&role) || record.unsure_roles.contains(&role));
        let having: Vec<_> = having.map(|(userid, record)| (userid.clone(), record.clone())).collect();
        for (userid, mut record) in having {
            record.roles.remove(&role);
            record.unsure_roles.remove(&role);
            self.table.member(&mut self.state, &userid, record).await?;
        }
        Ok(())
    }
}

/// The name of each role's tag: unique in the corp, so that of a second role has the name of its group before it.
fn names(roles: &[Role]) -> BTreeMap<i64, String> {
    let mut sorted: Vec<_> = roles.iter().collect();
    sorted.sort_by_key(|role| role.id);
    let (mut names, mut used) = (BTreeMap::new(), BTreeSet::new());
    for role in sorted {
        let plain = mapping::tag_name(&role.name);
        let grouped = mapping::tag_name(&format!("{} {}", role.group, role.name));
        let numbered = mapping::tag_name(&format!("{} {}", role.id, role.name));
        let free =
            [plain, grouped, numbered.clone()].into_iter().find(|name| !used.contains(&name.to_lowercase()));
        let name = free.unwrap_or(numbered);
        used.insert(name.to_lowercase());
        names.insert(role.id, name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_of_one_name_have_tags_of_two() {
        let role = |id, name: &str, group: &str| Role { id, name: name.into(), group: group.into() };
        let found =
            names(&[role(3, "Lead", "A"), role(1, "lead", "B"), role(2, "LEAD", "B"), role(4, "lead", "B")]);
        let found: Vec<_> = found.into_values().collect();
        assert_eq!(found, ["lead", "B LEAD", "A Lead", "4 lead"]);
    }
}
