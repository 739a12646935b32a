//! The errors of all commands, and their exit codes.

use std::{fmt::Display, process::ExitCode};

use thiserror::Error;

use crate::{stack::AwsError, terminal::OutputError};

/// Why a command did not succeed. The variant determines the exit code.
#[derive(Debug, Error)]
pub enum CommandError {
    /// The command line, or a file that it names, is invalid: the command has not started its work.
    #[error("{0}")]
    Usage(String),
    /// The command completed, and its result is that a delivery or a response is refused.
    #[error("{0}")]
    Refused(String),
    /// Like [`Self::Refused`], if the command has already printed the reason to standard output.
    #[error("refused, as the report says")]
    Reported,
    /// The command could not complete its work.
    #[error("{0}")]
    Failed(String),
}

impl CommandError {
    /// The exit code of [`Self::Usage`], and of a command line that clap rejects.
    pub const BAD_USAGE: u8 = 2;

    /// A [`Self::Usage`] error with the text of `error`.
    pub fn usage(error: impl Display) -> Self {
        Self::Usage(error.to_string())
    }

    /// A [`Self::Failed`] error with the text of `error`.
    pub fn failed(error: impl Display) -> Self {
        Self::Failed(error.to_string())
    }

    /// Appends `more` to the text of the error.
    #[must_use]
    pub fn followed_by(self, more: &str) -> Self {
        match self {
            Self::Usage(text) => Self::Usage(format!("{text}; {more}")),
            Self::Refused(text) => Self::Refused(format!("{text}; {more}")),
            Self::Failed(text) => Self::Failed(format!("{text}; {more}")),
            Self::Reported => Self::Reported,
        }
    }

    /// The exit code: 2 for a usage error, 1 for all others.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(Self::BAD_USAGE),
            Self::Refused(_) | Self::Reported | Self::Failed(_) => ExitCode::FAILURE,
        }
    }
}

impl From<OutputError> for CommandError {
    fn from(error: OutputError) -> Self {
        Self::failed(error)
    }
}

impl From<AwsError> for CommandError {
    fn from(error: AwsError) -> Self {
        match error {
            AwsError::NoRegion | AwsError::NoStack { .. } => Self::usage(error),
            _ => Self::failed(error),
        }
    }
}
