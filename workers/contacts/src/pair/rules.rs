//! WeCom's rules.

use super::*;

impl Wecom {
    fn check_name(&self, group: &Group) -> Result<(), Trouble> {
        if group.name.is_empty()
            || group.name.chars().count() > 64
            || group.name.contains(['\\', ':', '*', '?', '"', '<', '>', '｜'])
        {
            return Err(trouble(Meaning::DropField(Field::Name), 60_009));
        }
        let mut others = self.groups.values().filter(|one| one.parent == group.parent && one.id != group.id);
        if others.any(|one| one.name.to_lowercase() == group.name.to_lowercase()) {
            return Err(trouble(Meaning::Conflict(Field::Name), 60_008));
        }
        Ok(())
    }

    fn check_member(&self, member: &Member) -> Result<(), Trouble> {
        if member.mobile.is_none() && member.email.is_none() {
            return Err(trouble(Meaning::Conflict(Field::MobileOrEmail), 60_129));
        }
        if member.leads.len() != member.departments.len() || member.departments.is_empty() {
            return Err(trouble(Meaning::Bug, 60_132));
        }
        for other in self
            .members
            .values()
            .filter(|one| one.member.userid.to_lowercase() != member.userid.to_lowercase())
        {
            if member.mobile.is_some() && other.member.mobile == member.mobile {
                return Err(trouble(Meaning::Conflict(Field::Mobile), 60_104));
            }
            if member.email.is_some() && other.member.email == member.email {
                return Err(trouble(Meaning::Conflict(Field::Email), 60_106));
            }
        }
        Ok(())
    }

    /// Creates the departments that do not exist, without being asked.
    fn silent(&mut self, departments: &[i32]) -> Vec<i32> {
        let missing: Vec<_> =
            departments.iter().copied().filter(|id| !self.groups.contains_key(id)).collect();
        for id in &missing {
            self.groups
                .insert(*id, Group { id: *id, parent: 1, name: format!("待设置部门{id}"), order: None });
        }
        missing
    }

    fn is_below(&self, group: i32, above: i32) -> bool {
        let parents = std::iter::successors(Some(group), |id| Some(self.groups.get(id)?.parent));
        parents.take(100).any(|id| id == above)
    }
}

impl Target for Writer<'_> {
    fn memberships(&self) -> Answer<'_, Vec<Membership>> {
        let wecom = self.0.wecom();
        let rows = wecom.members.values().flat_map(|one| {
            let userid = one.member.userid.clone();
            one.member
                .departments
                .iter()
                .map(move |id| Membership { userid: userid.clone(), department: *id })
        });
        let result = if self.0.is_dead() { Err(killed()) } else { Ok(rows.collect()) };
        Box::pin(ready(result))
    }

    fn groups(&self) -> Answer<'_, Vec<GroupId>> {
        let wecom = self.0.wecom();
        let rows = wecom.groups.values().map(|one| GroupId { id: one.id, parent: one.parent });
        let result = match wecom.errors.get("groups") {
            Some(error) => Err(error.clone()),
            None => Ok(rows.collect()),
        };
        Box::pin(ready(result))
    }

    fn create_group<'a>(&'a self, group: &'a Group) -> Answer<'a, i32> {
        self.write(format!("department/create {}", group.name), |wecom| {
            if !wecom.groups.contains_key(&group.parent) {
                return Err(trouble(Meaning::Rebuild, 60_004));
            }
            if wecom.groups.contains_key(&group.id) {
                return Err(trouble(Meaning::Conflict(Field::Name), 60_008));
            }
            wecom.check_name(group)?;
            wecom.groups.insert(group.id, group.clone());
            Ok(group.id)
        })
    }

    fn update_group<'a>(&'a self, group: &'a Group, fields: &'a [Field]) -> Answer<'a, ()> {
        self.write(format!("department/update {}", group.id), |wecom| {
            let mut changed =
                wecom.groups.get(&group.id).cloned().ok_or_else(|| trouble(Meaning::Rebuild, 60_003))?;
            for field in fields {
                match field {
                    Field::Name => changed.name.clone_from(&group.name),
                    Field::Parent => changed.parent = group.parent,
                    Field::Order => changed.order = group.order,
                    other => panic!("{other:?}"),
                }
            }
            if !wecom.groups.contains_key(&changed.parent) {
                return Err(trouble(Meaning::Rebuild, 60_004));
            }
            if wecom.is_below(changed.parent, group.id) {
                return Err(trouble(Meaning::Rebuild, 60_010));
            }
            wecom.check_name(&changed)?;
            wecom.groups.insert(group.id, changed);
            Ok(())
        })
    }

    fn delete_group(&self, id: i32) -> Answer<'_, ()> {
        self.write(format!("department/delete {id}"), |wecom| {
            if id == 1 {
                return Err(trouble(Meaning::Skip, 60_007));
            }
            if !wecom.groups.contains_key(&id) {
                return Err(trouble(Meaning::Rebuild, 60_003));
            }
            if wecom.groups.values().any(|one| one.parent == id) {
                return Err(trouble(Meaning::Occupied, 60_006));
            }
            if wecom.members.values().any(|one| one.member.departments.contains(&id)) {
                return Err(trouble(Meaning::Occupied, 60_005));
            }
            wecom.groups.remove(&id);
            Ok(())
        })
    }

    fn create_member<'a>(&'a self, member: &'a Member) -> Answer<'a, Vec<i32>> {
        self.write(format!("user/create {}", member.userid), |wecom| {
            if wecom.members.contains_key(&member.userid.to_lowercase()) {
                return Err(trouble(Meaning::Conflict(Field::Id), 60_102));
            }
            if wecom.most.is_some_and(|most| wecom.members.len() >= most) {
                return Err(trouble(Meaning::Full, 45_024));
            }
            wecom.check_member(member)?;
            let silent = wecom.silent(&member.departments);
            let member = Member { manager: None, ..member.clone() };
            wecom.members.insert(member.userid.to_lowercase(), Account { member, by_hand: false });
            Ok(silent)
        })
    }

    fn update_member<'a>(&'a self, member: &'a Member, fields: &'a [Field]) -> Answer<'a, Vec<i32>> {
        let what =
            if fields == [Field::Enabled] && !member.is_enabled { "user/disable" } else { "user/update" };
        self.write(format!("{what} {}", member.userid), |wecom| {
            let key = member.userid.to_lowercase();
            let mut changed =
                wecom.members.get(&key).cloned().ok_or_else(|| trouble(Meaning::Absent, 60_111))?;
            for field in fields {
                let to = &mut changed.member;
                match field {
                    Field::Name => to.name.clone_from(&member.name),
                    Field::Mobile => to.mobile.clone_from(&member.mobile),
                    Field::Email => to.email.clone_from(&member.email),
                    Field::Position => to.position.clone_from(&member.position),
                    Field::Telephone => to.telephone.clone_from(&member.telephone),
                    Field::Manager => {
                        if member
                            .manager
                            .as_ref()
                            .is_some_and(|one| !wecom.members.contains_key(&one.to_lowercase()))
                        {
                            return Err(trouble(Meaning::Absent, 60_111));
                        }
                        to.manager.clone_from(&member.manager);
                    }
                    Field::Departments => {
                        to.departments.clone_from(&member.departments);
                        to.leads.clone_from(&member.leads);
                    }
                    Field::Enabled => to.is_enabled = member.is_enabled,
                    other => panic!("{other:?}"),
                }
            }
            if !changed.by_hand {
                wecom.check_member(&changed.member)?;
            }
            let silent = wecom.silent(&changed.member.departments);
            wecom.members.insert(key, changed);
            Ok(silent)
        })
    }

    fn delete_member<'a>(&'a self, userid: &'a str) -> Answer<'a, ()> {
        self.write(format!("user/delete {userid}"), |wecom| {
            let key = userid.to_lowercase();
            let gone = wecom.members.remove(&key).map(|_| ());
            for (_, members) in wecom.tags.values_mut() {
                members.remove(&key);
            }
            gone.ok_or_else(|| trouble(Meaning::Absent, 60_111))
        })
    }

    fn create_tag<'a>(&'a self, tag: i32, name: &'a str) -> Answer<'a, i32> {
        self.write(format!("tag/create {name}"), |wecom| {
            if wecom.tags.contains_key(&tag) || wecom.tags.values().any(|(known, _)| known == name) {
                return Err(trouble(Meaning::Conflict(Field::Name), 40_071));
            }
            wecom.tags.insert(tag, (name.to_owned(), BTreeSet::new()));
            Ok(tag)
        })
    }

    fn rename_tag<'a>(&'a self, tag: i32, name: &'a str) -> Answer<'a, ()> {
        self.write(format!("tag/update {name}"), |wecom| {
            if wecom.tags.iter().any(|(id, (known, _))| *id != tag && known == name) {
                return Err(trouble(Meaning::Conflict(Field::Name), 40_071));
            }
            let found = wecom.tags.get_mut(&tag).ok_or_else(|| trouble(Meaning::Absent, 40_068))?;
            name.clone_into(&mut found.0);
            Ok(())
        })
    }

    fn delete_tag(&self, tag: i32) -> Answer<'_, ()> {
        self.write(format!("tag/delete {tag}"), |wecom| {
            wecom.tags.remove(&tag).map(|_| ()).ok_or_else(|| trouble(Meaning::Absent, 40_068))
        })
    }

    fn tag_members<'a>(&'a self, tag: i32, members: &'a [String]) -> Answer<'a, Vec<String>> {
        self.write(format!("tag/addtagusers {tag} {members:?}"), |wecom| {
            let known: BTreeSet<_> = wecom.members.keys().cloned().collect();
            let found = wecom.tags.get_mut(&tag).ok_or_else(|| trouble(Meaning::Absent, 40_068))?;
            let (valid, invalid): (Vec<_>, Vec<_>) =
                members.iter().cloned().partition(|one| known.contains(&one.to_lowercase()));
            found.1.extend(valid.iter().map(|one| one.to_lowercase()));
            Ok(invalid)
        })
    }

    fn untag_members<'a>(&'a self, tag: i32, members: &'a [String]) -> Answer<'a, Vec<String>> {
        self.write(format!("tag/deltagusers {tag} {members:?}"), |wecom| {
            let found = wecom.tags.get_mut(&tag).ok_or_else(|| trouble(Meaning::Absent, 40_068))?;
            Ok(members.iter().filter(|one| !found.1.remove(&one.to_lowercase())).cloned().collect())
        })
    }
}
