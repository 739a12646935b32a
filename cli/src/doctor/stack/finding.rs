//! How a finding of a check is written.

use std::time::Duration;

use super::verdict::{Level, Verdict};
use crate::{stack::AwsError, time::about};

/// Something that is wrong.
pub(super) fn problem(
    code: &'static str,
    subject: &str,
    explanation: impl Into<String>,
    remedy: impl Into<String>,
) -> Verdict {
    Verdict::ok(code, subject, explanation).level(Level::Problem).remedy(remedy)
}

/// Something that will be wrong, or may be.
pub(super) fn warning(
    code: &'static str,
    subject: &str,
    explanation: impl Into<String>,
    remedy: impl Into<String>,
) -> Verdict {
    Verdict::ok(code, subject, explanation).level(Level::Warning).remedy(remedy)
}

/// What could not be read, with the permission that is missing.
pub(super) fn unread(subject: &str, error: &AwsError) -> Verdict {
    let verdict =
        Verdict::ok("unread", subject, format!("It could not be read: {error}.")).level(Level::Unknown);
    match error {
        AwsError::Denied { action, .. } => Verdict { code: "denied", ..verdict }
            .remedy(format!("Allow {action} to whoever runs doctor; the other checks do not need it.")),
        _ => verdict,
    }
}

/// A duration in words.
pub(super) fn about_duration(time: Duration) -> String {
    about(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
