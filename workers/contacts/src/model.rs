//! The two directories, as far as the mapping needs them: what DingTalk says, and what is written to WeCom.

use std::{collections::BTreeSet, fmt};

use letterbox_codec::Timestamp;
use serde::{Deserialize, Serialize};

/// DingTalk's root department, the company itself.
pub const ROOT: i64 = 1;

/// A person in DingTalk's directory. Absent and empty fields are `None`.
///
/// Field names: <https://open.dingtalk.com/document/orgapp/query-user-details> (read 2026-11-27).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// `userid`: 1 to 64 characters, unique in the corp, never changed.
    pub userid: String,
    /// `name`, at most 80 characters.
    pub name: String,
    /// `state_code`: the country code of the mobile number, without `+`.
    pub country: Option<String>,
    /// `mobile`, only with the permission to read it.
    pub mobile: Option<String>,
    /// `telephone`
    pub telephone: Option<String>,
    /// `email`, only with the permission to read it.
    pub email: Option<String>,
    /// `org_email`, if the person has a corporate mailbox.
    pub org_email: Option<String>,
    /// `title`, at most 200 characters.
    pub title: Option<String>,
    /// `dept_id_list`
    pub departments: Vec<i64>,
    /// The departments that the person leads: of `leader_in_dept`, or of a list, the listed department if `leader` is true.
    pub leads: Vec<i64>,
    /// `manager_userid`
    pub manager: Manager,
}

/// Who manages a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Manager {
    /// The answer does not say: the people of a department are listed without it.
    #[default]
    Unread,
    /// The person has none.
    Nobody,
    /// The manager's `userid`.
    Person(String),
}

/// A department in DingTalk's directory.
///
/// <https://open.dingtalk.com/document/orgapp/query-department-details0-v2> (read 2026-11-27).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Department {
    /// `dept_id`: documented examples exceed 32 bits.
    pub id: i64,
    /// `parent_id`; `None` for the root.
    pub parent: Option<i64>,
    /// `name`, 1 to 64 characters.
    pub name: String,
    /// `order`: small first. The list of subdepartments does not have it.
    pub order: Option<i64>,
    /// `from_union_org`: it belongs to a related organisation. The list of subdepartments does not have it.
    pub is_of_union: bool,
}

/// A role in DingTalk's directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// `id`
    pub id: i64,
    /// `name`
    pub name: String,
    /// The name of its role group.
    pub group: String,
}

/// The record that a person has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leave {
    /// `userId`
    pub userid: String,
    /// `leaveTime`
    pub at: Timestamp,
}

/// What DingTalk's application may read: the answer of `auth/scopes`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visible {
    /// `authed_dept`, sorted. `[1]` is the whole company.
    pub departments: Vec<i64>,
    /// `authed_user`, sorted: people beside those of the departments.
    pub people: Vec<String>,
    /// `auth_user_field`, sorted, such as `mobile`.
    pub fields: Vec<String>,
}

impl Visible {
    /// What the application may not read and WeCom needs of each new member: a mobile number or an address.
    pub fn lacks_contact(&self) -> Option<&'static str> {
        let can_read = |name: &str| self.fields.iter().any(|field| field == name);
        match (can_read("mobile"), can_read("email")) {
            (true, _) => None,
            (false, true) => Some(
                "the application of DingTalk may not read mobile numbers: members are created with their e-mail address alone, and those without one cannot be created",
            ),
            (false, false) => Some(
                "the application of DingTalk may read neither mobile numbers nor e-mail addresses: no member can be created; give it the permission for one of them (企业员工手机号信息, 邮箱等个人信息), and publish it",
            ),
        }
    }
}

/// DingTalk's ids that events named. They say only where to look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// `userid`s.
    pub people: BTreeSet<String>,
    /// Departments.
    pub departments: BTreeSet<i64>,
    /// Roles, or groups of roles.
    pub roles: BTreeSet<i64>,
}

/// A member of WeCom, as it is written.
///
/// <https://developer.work.weixin.qq.com/document/path/90195> (read 2026-11-27).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// `userid`
    pub userid: String,
    /// `name`
    pub name: String,
    /// `mobile`; with `+` and the country code outside of the mainland.
    pub mobile: Option<String>,
    /// `email`
    pub email: Option<String>,
    /// `position`
    pub position: Option<String>,
    /// `telephone`
    pub telephone: Option<String>,
    /// `department`, in ascending order.
    pub departments: Vec<i32>,
    /// `is_leader_in_dept`, of the same length and order.
    pub leads: Vec<bool>,
    /// `direct_leader`: at most one `userid` of WeCom.
    pub manager: Option<String>,
    /// `enable`
    pub is_enabled: bool,
    /// `to_invite`, only on creation.
    pub is_invited: bool,
}

/// A field of a member or of a department.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// `userid`, or the `id` of a department.
    Id,
    /// `name`
    Name,
    /// `mobile`
    Mobile,
    /// `email`
    Email,
    /// Mobile and email together: at least one is required.
    MobileOrEmail,
    /// `position`
    Position,
    /// `telephone`
    Telephone,
    /// `department` and `is_leader_in_dept`, which are always written together.
    Departments,
    /// `direct_leader`
    Manager,
    /// `enable`
    Enabled,
    /// `parentid`
    Parent,
    /// `order`
    Order,
}

impl Field {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::Mobile => "mobile",
            Self::Email => "email",
            Self::MobileOrEmail => "mobile_or_email",
            Self::Position => "position",
            Self::Telephone => "telephone",
            Self::Departments => "departments",
            Self::Manager => "manager",
            Self::Enabled => "enabled",
            Self::Parent => "parent",
            Self::Order => "order",
        }
    }
}

/// A department of WeCom, as it is written.
///
/// <https://developer.work.weixin.qq.com/document/path/90205> (read 2026-11-27).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// `id`: more than 1, below 2^31. It is passed on creation, so that a repeated creation is recognised.
    pub id: i32,
    /// `parentid`
    pub parent: i32,
    /// `name`
    pub name: String,
    /// `order`: large first. Not written if `None`.
    pub order: Option<u32>,
}

/// A department as `department/simplelist` returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupId {
    /// `id`
    pub id: i32,
    /// `parentid`; 0 for the root.
    pub parent: i32,
}

/// One membership as `user/list_id` returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// `userid`
    pub userid: String,
    /// `department`
    pub department: i32,
}

// Names, numbers and addresses are personal data: they are not printed.

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person").field("userid", &self.userid).finish_non_exhaustive()
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("userid", &self.userid).finish_non_exhaustive()
    }
}

impl fmt::Debug for Visible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visible").field("departments", &self.departments).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_numbers_and_addresses_nobody_can_be_created() {
        let note = |fields: &[&str]| {
            let fields = fields.iter().map(ToString::to_string).collect();
            Visible { fields, ..Visible::default() }.lacks_contact().unwrap_or_default()
        };
        assert_eq!(note(&["email", "mobile"]), "");
        assert_eq!(note(&["mobile", "name"]), "");
        assert!(note(&["email"]).contains("those without one cannot be created"));
        assert!(note(&["name"]).contains("no member can be created"));
    }
}
