//! Metrics in CloudWatch's embedded metric format: log lines that CloudWatch turns into metrics by itself.

use letterbox_codec::Timestamp;
use serde_json::{Value, json};

use crate::Record;

/// The one line that counts an answer which was sent although the queue did not take its event.
pub(crate) fn unqueued(record: &Record, Timestamp(now): Timestamp) -> Value {
    json!({
        "_aws": {
            "Timestamp": now,
            "CloudWatchMetrics": [{
                "Namespace": "Letterbox",
                "Dimensions": [["provider"], ["provider", "source"]],
                "Metrics": [{ "Name": "Unqueued", "Unit": "Count" }],
            }],
        },
        "level": "ERROR",
        "message": "metric",
        "provider": record.provider,
        "source": record.source,
        "Unqueued": 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every dimension and metric that is declared is there: the format's own rule.
    #[test]
    fn what_is_declared_is_there() {
        let record = Record::new("opencard", "default");
        let line = unqueued(&record, Timestamp(1_795_255_200_123));
        let declared = &line["_aws"]["CloudWatchMetrics"][0];
        let names = declared["Dimensions"].as_array().unwrap().iter().flat_map(|set| set.as_array().unwrap());
        for name in names {
            assert!(line[name.as_str().unwrap()].is_string(), "{name}");
        }
        assert_eq!(line[declared["Metrics"][0]["Name"].as_str().unwrap()], 1);
        assert_eq!(line["_aws"]["Timestamp"], 1_795_255_200_123_i64);
    }
}
