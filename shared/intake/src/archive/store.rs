//! The interface to an archive.

use std::{fmt, pin::Pin};

/// The largest line, in bytes, its line feed included: Data Firehose accepts records of 1,000 KiB
/// (<https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecord.html>, read 2026-11-27).
pub const LARGEST_LINE: usize = 1000 * 1024;

/// The result of [`Archive::put`], once it is there.
pub type Put<'a> = Pin<Box<dyn Future<Output = Result<(), ArchiveError>> + Send + 'a>>;

/// A place for records. Used as `dyn Archive`, so that nothing that handles deliveries depends on which it is.
pub trait Archive: Send + Sync + 'static {
    /// Stores one line: a [`Record`](super::Record) as JSON, ended by a line feed.
    fn put(&self, line: String) -> Put<'_>;
}

/// A record was not stored. The text is for the operator's log and contains nothing of the delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveError(pub String);

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a delivery was archived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Archived {
    /// It is none that is archived, or there is no archive.
    #[default]
    No,
    /// The archive has its record.
    Stored,
    /// The archive does not have its record, or the one that corrects it.
    Failed(ArchiveError),
    /// It was refused, and there were too many refused ones in the last minute.
    Skipped,
}

impl Archived {
    /// Why there is no record, for the operator.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::No | Self::Stored => None,
            Self::Failed(error) => Some(error.to_string()),
            Self::Skipped => Some("too many refused deliveries in the last minute".to_owned()),
        }
    }
}
