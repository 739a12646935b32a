//! How the senders behind the presets deliver, as far as their documents say.

use std::time::Duration;

use letterbox_codec::platform::DeliveryPolicy;

/// Svix's own schedule.
const SVIX: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(10),
];

/// The schedule that the Standard Webhooks specification gives as its example, up to a day after the first attempt.
const STANDARD: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];

/// Square's: doubled from a minute on, and from the seventh attempt on every hour up to 72 hours.
const SQUARE: [Duration; 78] = {
    let mut pauses = [Duration::from_hours(1); 78];
    if let Some(first) = pauses.first_chunk_mut() {
        *first = [
            Duration::from_mins(1),
            Duration::from_mins(2),
            Duration::from_mins(4),
            Duration::from_mins(8),
            Duration::from_mins(16),
            Duration::from_mins(32),
        ];
    }
    pauses
};

/// Paystack's: every 3 minutes four times, then every hour for 72 hours.
const PAYSTACK: [Duration; 76] = {
    let mut pauses = [Duration::from_hours(1); 76];
    if let Some(first) = pauses.first_chunk_mut() {
        *first = [Duration::from_mins(3); 4];
    }
    pauses
};

/// A sender of which no more is known than that any 2xx will do.
const SILENT: DeliveryPolicy = DeliveryPolicy {
    timeout: None,
    accepted: 200..=299,
    retry_delays: &[],
    afterwards: "no schedule of further attempts is known of this sender",
    checks: "status 2xx",
};

/// No sender in particular delivers as the Standard Webhooks specification recommends to all.
const ANY: DeliveryPolicy = DeliveryPolicy {
    timeout: Some(Duration::from_secs(15)),
    retry_delays: &STANDARD,
    afterwards: "after the last attempt, Standard Webhooks recommends to tell the receiver's operator",
    ..SILENT
};

/// One row for each preset.
const PRESETS: [(&str, DeliveryPolicy); 9] = [
    (
        "github-style",
        DeliveryPolicy {
            timeout: Some(Duration::from_secs(10)),
            afterwards: "a sender of GitHub's kind does not send again by itself",
            ..SILENT
        },
    ),
    (
        "stripe",
        DeliveryPolicy {
            afterwards: "Stripe sends again for up to three days, after pauses that grow and are not published",
            ..SILENT
        },
    ),
    (
        "shopify",
        DeliveryPolicy {
            timeout: Some(Duration::from_secs(5)),
            afterwards: "Shopify sends again 8 times within 4 hours, after pauses that are not published, and then \
                         removes the subscription",
            ..SILENT
        },
    ),
    // It asks for 200, as Paystack does; neither says that another 2xx would be a failure.
    (
        "paddle",
        DeliveryPolicy {
            timeout: Some(Duration::from_secs(5)),
            afterwards: "Paddle sends again for up to three days, after pauses that grow and are not published",
            ..SILENT
        },
    ),
    (
        "paystack",
        DeliveryPolicy {
            retry_delays: &PAYSTACK,
            afterwards: "Paystack drops the notice after 72 hours",
            ..SILENT
        },
    ),
    (
        "razorpay",
        DeliveryPolicy {
            afterwards: "Razorpay sends again for 24 hours, after pauses that grow and are not published, and then \
                         disables the webhook",
            ..SILENT
        },
    ),
    (
        "square",
        DeliveryPolicy {
            timeout: Some(Duration::from_secs(10)),
            retry_delays: &SQUARE,
            afterwards: "Square drops the notice after 72 hours",
            ..SILENT
        },
    ),
    ("standard-webhooks", ANY),
    (
        "svix",
        DeliveryPolicy {
            timeout: Some(Duration::from_secs(15)),
            retry_delays: &SVIX,
            afterwards: "Svix marks the message as failed, and disables an endpoint that fails for 5 days",
            ..SILENT
        },
    ),
];

/// The manners of a preset's sender, or those of none in particular.
pub fn of(preset: Option<&str>) -> DeliveryPolicy {
    let row = PRESETS.into_iter().find(|(name, _)| Some(*name) == preset);
    row.map_or(ANY, |(_, manners)| manners)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_has_a_row() {
        let rows: std::collections::BTreeSet<_> =
            PRESETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(rows, crate::presets().into_iter().collect());
    }

    #[test]
    fn some_end_after_72_hours() {
        let hours: Duration = SQUARE.iter().sum();
        assert_eq!(hours, Duration::from_mins(63) + Duration::from_hours(72));
        assert_eq!(PAYSTACK.iter().sum::<Duration>(), Duration::from_mins(12) + Duration::from_hours(72));
    }
}
