//! The errors of all commands, and their exit codes.

use std::{fmt::Display, process::ExitCode};

use thiserror::Error;

use crate::terminal::OutputError;

/// Why a command did not succeed. Its kind decides the exit code, in the same way for every command.
#[derive(Debug, Error)]
pub enum CommandError {
    /// The command line, or a file that it names, cannot be used, so that the command has not begun its work.
    #[error("{0}")]
    Usage(String),
    /// The work is done, and its result is a refusal: of a delivery, or of the response to one.
    #[error("{0}")]
    Refused(String),
    /// As [`Self::Refused`], where the command has printed the reason on standard output.
    #[error("refused, as the report says")]
    Reported,
    /// The work could not be finished.
    #[error("{0}")]
    Failed(String),
}

impl CommandError {
    /// The exit code of a command line that clap rejects, and of [`Self::Usage`].
    pub const BAD_USAGE: u8 = 2;

    /// An error of [`Self::Usage`] with the text of `error`.
    pub fn usage(error: impl Display) -> Self {
        Self::Usage(error.to_string())
    }

    /// An error of [`Self::Failed`] with the text of `error`.
    pub fn failed(error: impl Display) -> Self {
        Self::Failed(error.to_string())
    }

    /// The same error with more to say.
    #[must_use]
    pub fn followed_by(self, more: &str) -> Self {
        match self {
            Self::Usage(text) => Self::Usage(format!("{text}; {more}")),
            Self::Refused(text) => Self::Refused(format!("{text}; {more}")),
            Self::Failed(text) => Self::Failed(format!("{text}; {more}")),
            Self::Reported => Self::Reported,
        }
    }

    /// 2 for bad usage, 1 for everything else.
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
