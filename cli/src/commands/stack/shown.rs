//! What several commands print of deliveries and of the archive.

use crate::{
    delivery_line::DeliveryLine,
    stack::archive::{ArchivedDelivery, Progress},
    terminal::{QUIET, note},
};

/// Prints on standard error what was found and read.
pub fn summary(count: u64, progress: &Progress) {
    let Progress { records, objects, .. } = progress;
    note(QUIET, &format!("{count} deliveries, of {records} records in {objects} objects"));
    unreadable(progress);
}

/// Prints that something in the archive could not be read.
pub fn unreadable(progress: &Progress) {
    if progress.unreadable > 0 {
        let number = progress.unreadable;
        note(
            QUIET,
            &format!("{number} lines or objects of the archive are damaged or too large, and were skipped"),
        );
    }
}

/// The line of a delivery.
pub fn line(delivery: &ArchivedDelivery) -> DeliveryLine<'_> {
    let record = &delivery.record;
    DeliveryLine {
        time: Some(record.time),
        has_date: true,
        outcome: record.outcome.as_str(),
        provider: &record.provider,
        source: &record.source,
        kind: record.kind.as_deref(),
        reason: record.reason.as_deref(),
        request_id: Some(&delivery.request_id),
        ..DeliveryLine::default()
    }
}
