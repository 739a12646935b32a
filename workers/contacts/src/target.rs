//! What is written to WeCom, and the two reads that the contact sync assistant is allowed.

use crate::{
    model::{Field, Group, GroupId, Member, Membership},
    source::Answer,
};

/// The directory that is written.
///
/// Every write may be repeated: the codes say what was already done. Creations of departments and of members are sent one
/// after another, as WeCom asks.
pub trait Target: Send + Sync {
    /// `user/list_id`, all pages.
    fn memberships(&self) -> Answer<'_, Vec<Membership>>;

    /// `department/simplelist`: the whole tree.
    fn groups(&self) -> Answer<'_, Vec<GroupId>>;

    /// `department/create` with the group's id, returning the id that WeCom says.
    fn create_group<'a>(&'a self, group: &'a Group) -> Answer<'a, i32>;

    /// `department/update` of these fields: `Name`, `Parent`, `Order`.
    fn update_group<'a>(&'a self, group: &'a Group, fields: &'a [Field]) -> Answer<'a, ()>;

    /// `department/delete`
    fn delete_group(&self, id: i32) -> Answer<'_, ()>;

    /// `user/create` with all fields but the manager. It returns the ids of `created_department_list`: departments that did not
    /// exist, and that WeCom has created without asking.
    fn create_member<'a>(&'a self, member: &'a Member) -> Answer<'a, Vec<i32>>;

    /// `user/update` of these fields. A field that is `None` is written empty, to clear it. It returns the same as a creation.
    fn update_member<'a>(&'a self, member: &'a Member, fields: &'a [Field]) -> Answer<'a, Vec<i32>>;

    /// `user/delete`
    fn delete_member<'a>(&'a self, userid: &'a str) -> Answer<'a, ()>;

    /// `tag/create` with this id, returning the id that WeCom says.
    fn create_tag<'a>(&'a self, tag: i32, name: &'a str) -> Answer<'a, i32>;

    /// `tag/update`
    fn rename_tag<'a>(&'a self, tag: i32, name: &'a str) -> Answer<'a, ()>;

    /// `tag/delete`
    fn delete_tag(&self, tag: i32) -> Answer<'_, ()>;

    /// `tag/addtagusers`, in as many calls as are needed. It returns who was not added: `invalidlist`, or all of a call for 40070.
    fn tag_members<'a>(&'a self, tag: i32, members: &'a [String]) -> Answer<'a, Vec<String>>;

    /// `tag/deltagusers`, in as many calls as are needed. It returns who was not in the tag.
    fn untag_members<'a>(&'a self, tag: i32, members: &'a [String]) -> Answer<'a, Vec<String>>;
}
