//! Why a run ends before its end.

use letterbox_outbound::store::StoreError;

use crate::trouble::{Meaning, Trouble};

/// Why a run ends before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The next run goes on: no time is left, somebody has stopped it, or a platform limits its calls for minutes.
    Unfinished(String),
    /// It failed.
    Failed(String),
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl End {
    /// The end that trouble makes which does not concern one record alone.
    pub fn of(trouble: &Trouble) -> Self {
        match trouble.meaning {
            Meaning::Later => Self::Unfinished(trouble.to_string()),
            _ => Self::Failed(trouble.to_string()),
        }
    }
}

/// Asked before each call.
pub struct Clock<'a> {
    /// The time, in milliseconds since the epoch.
    pub now: &'a (dyn Fn() -> i64 + Sync),
    /// No call begins after this time.
    pub ends: i64,
    /// True if the run is to end.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

impl Clock<'_> {
    /// Ends the run if no time is left for another call, or somebody has stopped it.
    pub fn check(&self) -> Result<(), End> {
        if (self.stop)() {
            return Err(End::Unfinished("it was stopped; the next run goes on".to_owned()));
        }
        if (self.now)() >= self.ends {
            return Err(End::Unfinished("no time was left; the next run goes on".to_owned()));
        }
        Ok(())
    }
}
