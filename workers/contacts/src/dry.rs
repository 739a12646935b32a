//! WeCom's directory for a plan: reads are real, and every write only succeeds.

use std::future::ready;

use crate::{
    model::{Field, Group, GroupId, Member, Membership},
    source::Answer,
    target::Target,
};

/// A directory that is not written.
pub struct Dry<'a>(pub &'a dyn Target);

impl Target for Dry<'_> {
    fn memberships(&self) -> Answer<'_, Vec<Membership>> {
        self.0.memberships()
    }

    fn groups(&self) -> Answer<'_, Vec<GroupId>> {
        self.0.groups()
    }

    fn create_group<'a>(&'a self, group: &'a Group) -> Answer<'a, i32> {
        Box::pin(ready(Ok(group.id)))
    }

    fn update_group<'a>(&'a self, _: &'a Group, _: &'a [Field]) -> Answer<'a, ()> {
        Box::pin(ready(Ok(())))
    }

    fn delete_group(&self, _: i32) -> Answer<'_, ()> {
        Box::pin(ready(Ok(())))
    }

    fn create_member<'a>(&'a self, _: &'a Member) -> Answer<'a, Vec<i32>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn update_member<'a>(&'a self, _: &'a Member, _: &'a [Field]) -> Answer<'a, Vec<i32>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn delete_member<'a>(&'a self, _: &'a str) -> Answer<'a, ()> {
        Box::pin(ready(Ok(())))
    }

    fn create_tag<'a>(&'a self, tag: i32, _: &'a str) -> Answer<'a, i32> {
        Box::pin(ready(Ok(tag)))
    }

    fn rename_tag<'a>(&'a self, _: i32, _: &'a str) -> Answer<'a, ()> {
        Box::pin(ready(Ok(())))
    }

    fn delete_tag(&self, _: i32) -> Answer<'_, ()> {
        Box::pin(ready(Ok(())))
    }

    fn tag_members<'a>(&'a self, _: i32, _: &'a [String]) -> Answer<'a, Vec<String>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn untag_members<'a>(&'a self, _: i32, _: &'a [String]) -> Answer<'a, Vec<String>> {
        Box::pin(ready(Ok(Vec::new())))
    }
}
