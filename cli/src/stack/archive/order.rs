//! The order in which the archive is read.

/// In which order deliveries are read, by their times of receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The latest one first.
    NewestFirst,
    /// The first one first.
    OldestFirst,
}
