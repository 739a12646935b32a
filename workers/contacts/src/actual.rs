//! The ids that WeCom has: all that the contact sync assistant may read.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{GroupId, Membership};

/// The ids that WeCom has. What is `None` was not read.
#[derive(Clone, Debug, Default)]
pub struct Actual {
    /// Departments, each with its parent.
    pub groups: Option<BTreeMap<i32, i32>>,
    /// The departments of each member, by its userid in lower case, since WeCom ignores the case.
    pub members: Option<BTreeMap<String, BTreeSet<i32>>>,
}

impl Actual {
    /// Takes over the departments.
    pub fn set_groups(&mut self, groups: &[GroupId]) {
        self.groups = Some(groups.iter().map(|group| (group.id, group.parent)).collect());
    }

    /// Takes over the members.
    pub fn set_members(&mut self, memberships: Vec<Membership>) {
        let mut members: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
        for one in memberships {
            members.entry(one.userid.to_lowercase()).or_default().insert(one.department);
        }
        self.members = Some(members);
    }

    /// The departments of a member, or `None` if WeCom has no such member or was not asked.
    pub fn member(&self, userid: &str) -> Option<&BTreeSet<i32>> {
        self.members.as_ref()?.get(&userid.to_lowercase())
    }

    /// True if WeCom was asked and has no such member.
    pub fn lacks_member(&self, userid: &str) -> bool {
        self.members.is_some() && self.member(userid).is_none()
    }
}
