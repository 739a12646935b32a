//! Which deliveries to read.

use base64::{Engine, engine::general_purpose::STANDARD};
use letterbox_codec::Timestamp;
use letterbox_intake::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{ArchivedDelivery, Position};

/// Which deliveries to read. What is empty passes every delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// Received at this time or later.
    #[serde(with = "optional_time")]
    pub since: Option<Timestamp>,
    /// Received before this time.
    #[serde(with = "optional_time")]
    pub until: Option<Timestamp>,
    /// Of one of these providers.
    pub providers: Vec<String>,
    /// To one of these sources.
    pub sources: Vec<Pattern>,
    /// With one of these outcomes.
    pub outcomes: Vec<Outcome>,
    /// With one of these reason codes.
    pub reasons: Vec<String>,
    /// With an event of one of these types.
    pub types: Vec<Pattern>,
    /// With this text in the URL, a header, the body or the event, whatever the case of its letters.
    pub text: Option<String>,
    /// With this request id, or an event with this id.
    pub id: Option<String>,
    /// After this one, in the order in which they are read.
    #[serde(skip)]
    pub after: Option<Position>,
    /// From objects that S3 has stored at this time or before, by its own clock: what an earlier reader has seen.
    #[serde(with = "optional_time")]
    pub stored_by: Option<Timestamp>,
}

/// A time in milliseconds, or `null`.
mod optional_time {
    use letterbox_codec::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[allow(clippy::ref_option, reason = "serde calls it so")]
    pub fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        time.map(|Timestamp(time)| time).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::deserialize(deserializer)?.map(Timestamp))
    }
}

/// A text in which each `*` stands for any text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(pub String);

impl Pattern {
    /// True if the whole text fits.
    pub fn matches(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts.next().and_then(|start| text.strip_prefix(start)) else { return false };
        let Some(end) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let Some((_, after)) = rest.split_once(part) else { return false };
            rest = after;
        }
        rest.ends_with(end)
    }
}

impl Filter {
    /// True if it passes the delivery, whatever became of it.
    ///
    /// All records of one delivery give the same result, so that it can be asked before it is known which of them is right.
    pub fn passes(&self, delivery: &ArchivedDelivery) -> bool {
        let record = &delivery.record;
        let kind = record.kind.as_deref().unwrap_or_default();
        self.since.is_none_or(|since| record.time >= since)
            && self.until.is_none_or(|until| record.time < until)
            && (self.providers.is_empty() || self.providers.contains(&record.provider))
            && (self.sources.is_empty() || self.sources.iter().any(|source| source.matches(&record.source)))
            && (self.types.is_empty() || self.types.iter().any(|pattern| pattern.matches(kind)))
            && self.id.as_ref().is_none_or(|id| *id == delivery.request_id || record.id.as_ref() == Some(id))
            && self.text.as_ref().is_none_or(|text| contains(delivery, &text.to_lowercase()))
    }

    /// True if it passes what became of the delivery.
    pub fn passes_outcome(&self, delivery: &ArchivedDelivery) -> bool {
        let record = &delivery.record;
        let reason = record.reason.as_deref();
        (self.outcomes.is_empty() || self.outcomes.contains(&record.outcome))
            && (self.reasons.is_empty() || self.reasons.iter().any(|one| reason == Some(one)))
    }

    /// True if a line that passes must contain the bytes: a cheap test before the line is parsed.
    pub fn may_pass(&self, line: &[u8]) -> bool {
        // JSON may write these characters in another way.
        let is_plain =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\/".contains(&byte));
        let Some(id) = self.id.as_deref().filter(|id| is_plain(id) && !id.is_empty()) else { return true };
        std::str::from_utf8(line).is_ok_and(|line| line.contains(id))
    }
}

/// True if the delivery has a text, given in lower case.
fn contains(delivery: &ArchivedDelivery, text: &str) -> bool {
    let has = |place: &str| place.to_lowercase().contains(text);
    let record = &delivery.record;
    let mut parts =
        [Some(record.event.get()), record.id.as_deref(), record.message.as_deref().map(RawValue::get)];
    parts.iter_mut().flatten().any(|part| has(part))
        || body(record.event.get()).is_some_and(|body| has(&body))
}

/// The body in an API Gateway event, as text.
fn body(event: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Event {
        body: Option<String>,
        #[serde(rename = "isBase64Encoded", default)]
        is_base64: bool,
    }

    let Event { body, is_base64 } = serde_json::from_str(event).ok()?;
    let body = body?;
    if !is_base64 {
        return Some(body);
    }
    let bytes = STANDARD.decode(body).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(line: &str) -> ArchivedDelivery {
        ArchivedDelivery::parse(line.as_bytes()).unwrap()
    }

    fn queued() -> ArchivedDelivery {
        delivery(
            r#"{"time":"2026-11-27T03:20:00.123Z","provider":"github","source":"acme","outcome":"queued","reason":null,"id":"e1","type":"github.push","event":{"rawPath":"/github/acme","headers":{"user-agent":"GitHub-Hookshot"},"requestContext":{"requestId":"r1="},"body":"{\"ref\":\"refs/heads/Größe\"}","isBase64Encoded":false},"message":{"id":"e1","data":{"ref":"x"}}}"#,
        )
    }

    fn refused() -> ArchivedDelivery {
        delivery(
            r#"{"time":"2026-11-27T03:20:01.000Z","provider":"payment","source":"default","outcome":"refused","reason":"signature_mismatch","id":null,"event":{"requestContext":{"requestId":"r2="},"body":"aGVsbG8=","isBase64Encoded":true}}"#,
        )
    }

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, expected) in [
            ("github.push", "github.push", true),
            ("github.push", "github.pushes", false),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("github.*", "github.push", true),
            ("github.*", "gitlab.push", false),
            ("*.push", "github.push", true),
            ("*push*", "github.push", true),
            ("g*b.*h", "github.push", true),
            ("g*b*b*h", "github.push", false),
            ("ab*ba", "aba", false),
            ("a*a", "a", false),
            ("支*", "支付", true),
        ] {
            assert_eq!(Pattern(pattern.to_owned()).matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn each_filter_passes_what_it_names() {
        let (queued, refused) = (queued(), refused());
        let passes =
            |filter: &Filter| [&queued, &refused].map(|one| filter.passes(one) && filter.passes_outcome(one));
        let text = |text: &str| Filter { text: Some(text.to_owned()), ..Filter::default() };
        let id = |id: &str| Filter { id: Some(id.to_owned()), ..Filter::default() };
        let list = |text: &str| vec![text.to_owned()];
        let patterns = |text: &str| vec![Pattern(text.to_owned())];
        for (filter, expected) in [
            (Filter::default(), [true, true]),
            (Filter { since: Some(refused.record.time), ..Filter::default() }, [false, true]),
            (Filter { until: Some(refused.record.time), ..Filter::default() }, [true, false]),
            (Filter { providers: list("github"), ..Filter::default() }, [true, false]),
            (Filter { sources: patterns("def*"), ..Filter::default() }, [false, true]),
            (Filter { types: patterns("github.*"), ..Filter::default() }, [true, false]),
            (
                Filter { outcomes: vec![Outcome::Refused, Outcome::Failed], ..Filter::default() },
                [false, true],
            ),
            (Filter { reasons: list("signature_mismatch"), ..Filter::default() }, [false, true]),
            (id("r2="), [false, true]),
            (id("e1"), [true, false]),
            (id("r2"), [false, false]),
            (text("HOOKSHOT"), [true, false]),
            (text("/github/"), [true, false]),
            (text("\"ref\":\"REFS/heads/größe"), [true, false]),
            (text("{\"ref\":\"x\"}"), [true, false]),
            (text("Hello"), [false, true]),
            (text("nothing"), [false, false]),
        ] {
            assert_eq!(passes(&filter), expected, "{filter:?}");
        }
    }

    #[test]
    fn a_line_without_the_id_is_not_parsed() {
        let filter = |id: &str| Filter { id: Some(id.to_owned()), ..Filter::default() };
        assert!(filter("r1=").may_pass(br#"{"requestId":"r1="}"#));
        assert!(!filter("r1=").may_pass(br#"{"requestId":"r2="}"#));
        // Such an id may be written with escapes.
        assert!(filter("a/b").may_pass(br#"{"id":"a\/b"}"#));
        assert!(Filter::default().may_pass(b""));
    }
}
