//! The parts of the page that depend on where its deliveries are stored.

use super::totals::TotalsView;

/// Where the deliveries are stored.
pub enum Place {
    /// In the history of this machine.
    History(HistoryPlace),
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
