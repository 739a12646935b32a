//! Structured logs: JSON lines on standard output, one per delivery.

use lambda_runtime::tracing::{
    self,
    subscriber::{self, filter::LevelFilter},
};

use letterbox_codec::Timestamp;

use crate::{Outcome, Record, ambient, metrics};

/// Sets the runtime's own tracing up for JSON. The level is `AWS_LAMBDA_LOG_LEVEL`, else `RUST_LOG`, else `info`; at
/// most `debug`, since the runtime traces whole events, payloads and signatures included.
pub(crate) fn init() {
    let level = std::env::var("AWS_LAMBDA_LOG_LEVEL").or_else(|_| std::env::var("RUST_LOG"));
    let level =
        level.ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO).min(LevelFilter::DEBUG);
    subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_span_list(false)
        .with_max_level(level)
        .init();
}

/// The one line of a delivery; and one more, a metric, if its event did not reach the queue.
pub(crate) fn delivery(record: &Record) {
    let Record { provider, source, kind, id, delivery, key, outcome, reason, detail, status, milliseconds } =
        record;
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                provider,
                source,
                r#type = kind,
                id,
                rid = (*provider == "opencard").then_some(delivery.as_deref()).flatten(),
                deliveryid = delivery,
                key,
                outcome = outcome.as_str(),
                reason,
                detail,
                status,
                milliseconds = (milliseconds * 1000.0).round() / 1000.0,
                "delivery"
            )
        };
    }
    match outcome {
        Outcome::Queued | Outcome::Answered => line!(info),
        Outcome::Refused => line!(warn),
        Outcome::Failed => line!(error),
        Outcome::Unqueued => {
            line!(error);
            let now = ambient::system().map_or(Timestamp(0), |ambient| ambient.now);
            println!("{}", metrics::unqueued(record, now));
        }
    }
}
