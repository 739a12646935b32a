//! What events named.

use std::collections::BTreeSet;

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
