//! Why a delivery is refused, judged with the stack's own credentials.

use crate::{
    doctor::{Report, archived},
    stack::{archive::ArchivedDelivery, credentials::StackCredentials},
};

/// What the diagnosis says of a delivery with today's credentials at its time of receipt. The error says why there is no
/// diagnosis.
pub async fn diagnose(
    credentials: &mut StackCredentials,
    delivery: &ArchivedDelivery,
) -> Result<Report, String> {
    archived::report(delivery, credentials.of_provider(&delivery.record.provider).await?)
}
