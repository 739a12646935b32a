//! The parts of the page that depend on where its deliveries are stored.

use std::fmt::Display;

use letterbox_codec::Timestamp;

use super::totals::TotalsView;

/// Where the deliveries are stored.
pub enum Place {
    /// In the history of this machine.
    History(HistoryPlace),
    /// In the archive of a stack.
    Archive(ArchivePlace),
}

/// The history of this machine.
pub struct HistoryPlace {
    pub totals: TotalsView,
    /// The number of the newest delivery.
    pub newest: i64,
    pub served: Vec<Served>,
}

/// A provider that is served, and can be sent samples.
pub struct Served {
    pub name: &'static str,
    pub sources: Vec<String>,
    /// Whether the sample is preselected, and its name.
    pub samples: Vec<(bool, String)>,
}

/// The archive of a stack.
pub struct ArchivePlace {
    /// The stack's name.
    pub stack: String,
    pub region: String,
    /// The fields of the filter that only the archive has.
    pub reason: String,
    /// Suggestions for it.
    pub reasons: Vec<String>,
    pub since: String,
    pub until: String,
    /// True if the filter chooses by more than the time.
    pub is_choosing: bool,
    /// The first time and, unless that is now, the last one; `None` if the filter is invalid.
    pub range: Option<(Option<Timestamp>, Option<Timestamp>)>,
    /// What did not succeed, and the reason in English.
    pub failure: Option<(&'static str, String)>,
    pub listing: ListingView,
}

impl ArchivePlace {
    /// How many records were looked at, in groups of three digits.
    pub fn count(&self) -> String {
        grouped(self.listing.count)
    }
}

/// A whole number in groups of three digits.
pub fn grouped(number: impl Display) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How the list came about.
pub struct ListingView {
    /// How many records were looked at.
    pub count: u64,
    /// How many could not be read.
    pub unreadable: u64,
    /// The time up to which everything was looked at; `None` if that was all.
    pub reached: Option<Timestamp>,
    /// True if the list ends because the search has taken long enough.
    pub is_unfinished: bool,
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_have_groups() {
        for (number, expected) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (12_345, "12,345"), (1_000_000, "1,000,000")]
        {
            assert_eq!(super::grouped(number), expected);
        }
    }
}
