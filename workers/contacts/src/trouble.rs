//! What a failed call means for the calls after it.

use std::fmt;

use crate::model::Field;

/// What to do about a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Temporary, and still so after the client's attempts: this record is left for the next run.
    Retry,
    /// There is no such person, department, member or tag. It must be said by its code, never by an empty answer.
    Absent,
    /// Nothing more can succeed before somebody has changed something: credentials, permission, scope, trusted address,
    /// quota. The run ends, and fails.
    Stop,
    /// Another record owns the value, or a required value is missing: the record is parked. `Id` means that the member or
    /// the department exists, `Name` of a department that a sibling has the name.
    Conflict(Field),
    /// The platform does not accept the value of this field: the call is repeated once without it.
    DropField(Field),
    /// A department that was named does not exist, or the tree does not fit: its chain is written again.
    Rebuild,
    /// A rate limit that lasts for minutes: the run ends, and the next one goes on.
    Later,
    /// The department still has members or subdepartments: it is deleted in a later run.
    Occupied,
    /// The platform never allows this for this record, such as the creator of the corp: it is left as it is.
    Skip,
    /// The corp's limit of accounts is reached: no more creations in this run, which fails.
    Full,
    /// The request has a form that the platform does not accept: a fault of this program. The record is parked.
    Bug,
}

/// Why a call failed.
///
/// The message is the platform's, without token, URL, mobile, email and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What to do about it.
    pub meaning: Meaning,
    /// `errcode`, if there was one.
    pub code: Option<i64>,
    /// The call and the platform's message, for the operator.
    pub message: String,
}

impl Trouble {
    /// Trouble without a code of the platform.
    pub fn new(meaning: Meaning, message: impl Into<String>) -> Self {
        Self { meaning, code: None, message: message.into() }
    }

    /// Trouble that the platform has given a code.
    pub fn of_code(meaning: Meaning, code: i64, message: impl Into<String>) -> Self {
        Self { meaning, code: Some(code), message: message.into() }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.code {
            Some(code) => write!(f, " (errcode {code})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Trouble {}
