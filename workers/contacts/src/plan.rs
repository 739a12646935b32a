//! What has to be written: the difference between what DingTalk says now and what was last written.
//!
//! Nothing here calls a platform. A plan is made from what was read, the state, and the ids that WeCom has.

mod departments;
mod people;

pub use self::{
    departments::{GroupPlan, departments, wecom_department},
    people::{MemberPlan, People, Write},
};
