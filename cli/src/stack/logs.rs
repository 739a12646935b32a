//! The log lines of a stack's deliveries, as they are written.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_cloudwatchlogs::{Client, types::FilteredLogEvent};
use letterbox_codec::{Timestamp, timestamp::Unit};
use letterbox_intake::Outcome;
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};

use super::{Account, AwsError, Stack, archive::Filter, logical_name, recent::Recent};

const FILTER: &str = "logs:FilterLogEvents";

/// Lines of other kinds are not returned.
const PATTERN: &str = r#"{ $.message = "delivery" }"#;

/// In milliseconds: a line may become visible so long after others that are later.
const OVERLAP: i64 = 60 * 1000;

/// Between two calls: CloudWatch Logs admits five to ten a second for the whole account
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>, read 2026-11-27).
const PAUSE: Duration = Duration::from_millis(250);

/// So many pages are read of one group before the next one has its turn.
const PAGES: usize = 20;

/// The log line of one delivery.
#[derive(Clone, Debug, Deserialize)]
pub struct DeliveryLog {
    /// As it is in the log.
    #[serde(skip)]
    pub json: String,
    /// When it was written, in RFC 3339.
    timestamp: String,
    /// The provider.
    pub provider: String,
    /// The source.
    #[serde(default)]
    pub source: String,
    /// The outcome.
    pub outcome: Outcome,
    /// The HTTP status.
    pub status: Option<u16>,
    /// How long the response took, in milliseconds.
    pub milliseconds: Option<f64>,
    /// The event's type.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The event's id.
    pub id: Option<String>,
    /// The code of the refusal or failure, or the remark on the reply.
    pub reason: Option<String>,
    /// Details.
    pub detail: Option<String>,
    /// True if it came from the archive.
    #[serde(default)]
    pub replayed: bool,
}

impl DeliveryLog {
    /// Reads a line; `None` if it is of something else.
    pub fn parse(json: &str) -> Option<Self> {
        let log: Self = serde_json::from_str(json).ok()?;
        Some(Self { json: json.trim_end().to_owned(), ..log })
    }

    /// When it was written.
    pub fn time(&self) -> Option<Timestamp> {
        Timestamp::parse(&self.timestamp, Unit::Rfc3339)
    }

    /// True if the filter passes it. Text is looked for in the line.
    pub fn passes(&self, filter: &Filter) -> bool {
        let kind = self.kind.as_deref().unwrap_or_default();
        let is_one = |list: &[String], text: Option<&str>| {
            list.is_empty() || text.is_some_and(|text| list.iter().any(|one| one == text))
        };
        is_one(&filter.providers, Some(&self.provider))
            && is_one(&filter.reasons, self.reason.as_deref())
            && (filter.outcomes.is_empty() || filter.outcomes.contains(&self.outcome))
            && (filter.sources.is_empty() || filter.sources.iter().any(|source| source.matches(&self.source)))
            && (filter.types.is_empty() || filter.types.iter().any(|pattern| pattern.matches(kind)))
            && filter.text.as_ref().is_none_or(|text| self.json.to_lowercase().contains(&text.to_lowercase()))
    }
}

/// The log groups of a stack's functions, and how far they have been read.
pub struct Tail {
    client: Client,
    /// The time from which on a group is read, by its name.
    groups: BTreeMap<String, i64>,
    since: i64,
    seen: Recent,
    due: Instant,
}

impl Tail {
    /// The groups of the functions of these providers, or of all if there are none, from a time on.
    pub fn of(account: &Account, stack: &Stack, providers: &[String], Timestamp(since): Timestamp) -> Self {
        let names = letterbox_registry::PROVIDERS.iter().map(|provider| provider.name());
        let chosen = names.filter(|name| providers.is_empty() || providers.iter().any(|one| one == name));
        let groups = chosen.filter_map(|name| {
            let group = stack.resource(&format!("{}LogGroup", logical_name(name)))?;
            Some((group.to_owned(), since))
        });
        Self {
            client: Client::new(&account.config),
            groups: groups.collect(),
            since,
            seen: Recent::default(),
            due: Instant::now(),
        }
    }

    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Reads each group once, and returns the lines that are new, in the order of their times.
    pub async fn poll(&mut self) -> Result<Vec<DeliveryLog>, AwsError> {
        let mut found = Vec::new();
        let names: Vec<String> = self.groups.keys().cloned().collect();
        for name in names {
            for event in self.read(&name).await? {
                let time = event.timestamp().unwrap_or_default();
                let message = event.message().unwrap_or_default();
                let stream = event.log_stream_name().unwrap_or_default();
                // Not all servers give an event an id.
                let id = event.event_id().map_or_else(|| format!("{stream} {time} {message}"), str::to_owned);
                if !self.seen.insert(&id) {
                    continue;
                }
                if let Some(from) = self.groups.get_mut(&name) {
                    *from = (*from).max(time.saturating_sub(OVERLAP));
                }
                found.extend(DeliveryLog::parse(message).map(|log| (time, log)));
            }
        }
        found.sort_by_key(|(time, log)| log.time().map_or(*time, |Timestamp(time)| time));
        Ok(found.into_iter().map(|(_, log)| log).collect())
    }

    async fn read(&mut self, group: &str) -> Result<Vec<FilteredLogEvent>, AwsError> {
        let from = self.groups.get(group).copied().unwrap_or(self.since).max(self.since);
        let mut events = Vec::new();
        let mut token = None;
        for _ in 0..PAGES {
            sleep_until(self.due).await;
            self.due = Instant::now() + PAUSE;
            let request = self.client.filter_log_events().log_group_name(group).filter_pattern(PATTERN);
            let page = match request.start_time(from).set_next_token(token).send().await {
                Ok(page) => page,
                Err(error) => match AwsError::of(FILTER, group, &error) {
                    // It has no line yet.
                    AwsError::NotFound { .. } => return Ok(events),
                    error => return Err(error),
                },
            };
            events.extend(page.events.unwrap_or_default());
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::archive::Pattern;

    const LINE: &str = r#"{"timestamp":"2026-11-27T03:20:00.123Z","level":"WARN","message":"delivery","provider":"github","source":"acme","reason":"signature_mismatch","outcome":"refused","status":401,"milliseconds":1.5,"requestId":"4f1e"}"#;

    #[test]
    fn the_line_of_a_delivery_is_read() {
        let log = DeliveryLog::parse(&format!("{LINE}\n")).unwrap();
        assert_eq!(
            (log.json.as_str(), log.time().unwrap().to_string().as_str()),
            (LINE, "2026-11-27T03:20:00.123Z")
        );
        assert_eq!((log.outcome, log.status, log.kind.as_deref()), (Outcome::Refused, Some(401), None));
        for other in
            ["", "START RequestId: 4f1e", r#"{"timestamp":"x","message":"cannot start","provider":"github"}"#]
        {
            assert!(DeliveryLog::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_filter_passes_what_it_names() {
        let log = DeliveryLog::parse(LINE).unwrap();
        let list = |text: &str| vec![text.to_owned()];
        for (filter, expected) in [
            (Filter::default(), true),
            (
                Filter {
                    providers: list("github"),
                    reasons: list("signature_mismatch"),
                    ..Filter::default()
                },
                true,
            ),
            (Filter { reasons: list("malformed_field"), ..Filter::default() }, false),
            (Filter { outcomes: vec![Outcome::Queued], ..Filter::default() }, false),
            (Filter { sources: vec![Pattern("a*".to_owned())], ..Filter::default() }, true),
            (Filter { types: vec![Pattern("github.*".to_owned())], ..Filter::default() }, false),
            (Filter { text: Some("SIGNATURE".to_owned()), ..Filter::default() }, true),
        ] {
            assert_eq!(log.passes(&filter), expected, "{filter:?}");
        }
    }
}
