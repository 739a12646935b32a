//! What is read from DingTalk.

use std::pin::Pin;

use letterbox_codec::Timestamp;

use crate::{
    model::{Department, Leave, Person, Role, Visible},
    trouble::Trouble,
};

/// A call in progress.
///
/// The client keeps to the rate limits, fetches a token that has ended once more, and repeats what is temporary, three times
/// at most. What it returns is final for this run.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Trouble>> + Send + 'a>>;

/// The directory that is read. Nothing in it is ever written.
///
/// Every list is whole, or an error: all pages have been read, each with errcode 0.
pub trait Source: Send + Sync {
    /// `auth/scopes`. It may count against the monthly quota, so only a complete run calls it, once.
    fn visible(&self) -> Answer<'_, Visible>;

    /// `user/count`, with people who have not activated their account.
    fn count(&self) -> Answer<'_, u64>;

    /// `department/listsub`: one level.
    fn subdepartments(&self, department: i64) -> Answer<'_, Vec<Department>>;

    /// `department/get`, or [`Absent`](crate::trouble::Meaning::Absent) for 60003.
    fn department(&self, department: i64) -> Answer<'_, Department>;

    /// `user/list`: the people directly in a department. Each leads at most this department, as far as the list says.
    fn people(&self, department: i64) -> Answer<'_, Vec<Person>>;

    /// `user/get`, or [`Absent`](crate::trouble::Meaning::Absent) for 33012 and 60121. 50002 is no absence but
    /// [`Stop`](crate::trouble::Meaning::Stop). The manager is always read.
    fn person<'a>(&'a self, userid: &'a str) -> Answer<'a, Person>;

    /// `role/list`, without the groups themselves.
    fn roles(&self) -> Answer<'_, Vec<Role>>;

    /// `role/simplelist`: who has a role.
    fn people_of_role(&self, role: i64) -> Answer<'_, Vec<String>>;

    /// `empLeaveRecords`, from `since` to now.
    fn leaves(&self, since: Timestamp) -> Answer<'_, Vec<Leave>>;
}
