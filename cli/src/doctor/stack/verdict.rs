//! What one check says.

use serde::Serialize;

/// How serious it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing to do.
    Note,
    /// It could not be read.
    Unknown,
    /// It works, and may fail later or unnoticed.
    Warning,
    /// Deliveries fail or are lost.
    Problem,
}

/// What one check says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// How serious it is.
    pub level: Level,
    /// A stable code.
    pub code: &'static str,
    /// What was checked, such as `github/default`.
    pub subject: String,
    /// What was found.
    pub explanation: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Verdict {
    /// As it should be.
    pub fn ok(code: &'static str, subject: impl Into<String>, explanation: impl Into<String>) -> Self {
        Self {
            level: Level::Ok,
            code,
            subject: subject.into(),
            explanation: explanation.into(),
            remedy: None,
        }
    }

    /// At another level.
    #[must_use]
    pub fn level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// With what to do.
    #[must_use]
    pub fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// True if it is for somebody to look at.
    pub fn is_finding(&self) -> bool {
        self.level >= Level::Unknown
    }
}
