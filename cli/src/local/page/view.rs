//! The data that the page's templates show.

use std::collections::BTreeMap;

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::StatusCode;
use letterbox_codec::{Stage, json::Object};
use letterbox_intake::Outcome;
use letterbox_registry::{Facts, PROVIDERS, Platform};
use serde_json::value::RawValue;

use super::texts::Texts;
use crate::{
    doctor,
    formats::json_style::{INDENTED, restyle},
    local::history::{
        Filter, NOT_STORED, OUTCOMES, StoredDelivery, Summary,
        sqlite::{Names, Totals},
    },
};

/// How many bytes of one text the page shows; a link downloads the whole.
const SHOWN: usize = 64 * 1024;

/// The largest JSON, in bytes, that is indented.
const INDENTED_UP_TO: usize = 256 * 1024;

/// How many of the latest deliveries the latency chart shows.
pub const BARS: u32 = 80;

/// The height of the latency chart and the width of a bar with its gap, in the chart's units.
const CHART: (f64, f64) = (40.0, 4.0);

/// The page.
#[derive(Template)]
#[template(path = "page.html")]
pub struct Page<'a> {
    pub t: &'static Texts,
    pub filter: &'a Filter,
    /// The filter as a query string with its question mark; empty if the filter matches everything.
    pub query: String,
    pub totals: TotalsView,
    pub names: Names,
    pub rows: Vec<RowView>,
    /// The URL of the page with older deliveries.
    pub older: Option<String>,
    /// This page's path and query string, encoded as a value in a query string.
    pub here: String,
    /// True if the list begins with the newest delivery, so that new ones are added at the top.
    pub is_newest: bool,
    pub newest: i64,
    pub shown: Shown<'a>,
    pub notice: Option<String>,
    pub served: Vec<Served>,
    pub version: &'static str,
}

/// The content beside the list.
pub enum Shown<'a> {
    Nothing,
    /// The requested delivery is not in the history.
    Gone,
    Delivery(Box<DeliveryView<'a>>),
}

/// A provider that is served, and can be sent samples.
pub struct Served {
    pub name: &'static str,
    pub sources: Vec<String>,
    /// Whether the sample is preselected, and its name.
    pub samples: Vec<(bool, String)>,
}

/// A line of the list.
#[derive(Template)]
#[template(path = "row.html")]
pub struct RowView {
    pub t: &'static Texts,
    pub delivery: Summary,
    pub query: String,
    pub is_shown: bool,
}

/// The top of the page.
#[derive(Template)]
#[template(path = "totals.html")]
pub struct TotalsView {
    t: &'static Texts,
    count: u64,
    /// Each outcome, its number of deliveries, and the query string that lists them.
    outcomes: Vec<(String, u64, String)>,
    latency: Option<(String, String)>,
    bars: Vec<Bar>,
    width: f64,
}

/// A bar of the latency chart.
struct Bar {
    x: f64,
    y: f64,
    height: f64,
    outcome: String,
    title: String,
}

/// The form that asks for the token.
#[derive(Template)]
#[template(path = "token.html")]
struct Token {
    t: &'static Texts,
    is_wrong: bool,
}

/// One delivery in detail.
#[derive(Template)]
#[template(path = "delivery.html")]
pub struct DeliveryView<'a> {
    pub t: &'static Texts,
    pub delivery: &'a StoredDelivery,
    pub query: String,
    pub diagnosis: Option<Diagnosis>,
}

/// Why it was refused.
pub enum Diagnosis {
    Cause(Box<doctor::Report>),
    /// It would be accepted with the current credentials.
    Accepted,
    /// The body is too large for a diagnosis while the page is built.
    TooLarge,
}

/// The result of a verification step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    Passed,
    Failed,
    NotReached,
    NotNeeded,
}

/// One verification step.
pub struct StepView {
    pub state: State,
    pub label: &'static str,
    pub notes: Vec<String>,
}

/// The beginning of a text, up to [`SHOWN`] bytes.
pub struct Excerpt {
    pub text: String,
    pub is_cut: bool,
    pub is_binary: bool,
}

impl TotalsView {
    /// The counts, and a bar for each of the latest deliveries.
    pub fn new(t: &'static Texts, totals: Totals) -> Self {
        let most = totals.latest.iter().map(|one| one.milliseconds).fold(1.0, f64::max);
        let (height, step) = CHART;
        let width = f64::from(BARS) * step;
        // Always as wide as a full chart, with the newest delivery at the right end.
        let mut x = width;
        let bars: Vec<Bar> = totals
            .latest
            .iter()
            .map(|one| {
                let tall = (one.milliseconds / most * height).max(1.0);
                x -= step;
                Bar {
                    x,
                    y: height - tall,
                    height: tall,
                    outcome: one.outcome.clone(),
                    title: format!(
                        "{:.1} ms, {}/{}, {}",
                        one.milliseconds,
                        one.provider,
                        one.source,
                        t.outcome(&one.outcome)
                    ),
                }
            })
            .collect();
        let shown = |milliseconds: f64| format!("{milliseconds:.1} ms");
        Self {
            t,
            count: totals.outcomes.iter().map(|(_, count)| count).sum(),
            outcomes: totals
                .outcomes
                .into_iter()
                .map(|(outcome, count)| {
                    let filter = Filter { outcome: outcome.clone(), ..Filter::default() };
                    (outcome, count, query(&filter))
                })
                .collect(),
            latency: totals.latency.map(|(median, p95)| (shown(median), shown(p95))),
            width,
            bars,
        }
    }
}

impl RowView {
    fn label(&self) -> &str {
        let Summary { kind, reason, .. } = &self.delivery;
        kind.as_deref().or(reason.as_deref()).unwrap_or(self.t.nothing_to_queue)
    }

    fn took(&self) -> String {
        format!("{:.1}", self.delivery.milliseconds)
    }
}

impl DeliveryView<'_> {
    fn facts(&self) -> Option<&'static Facts> {
        letterbox_registry::find(&self.delivery.summary.provider).ok().map(Platform::facts)
    }

    fn is_queued(&self) -> bool {
        self.delivery.summary.known_outcome() == Some(Outcome::Queued)
    }

    /// The provider's steps, then the queue's.
    fn steps(&self) -> Vec<StepView> {
        let StoredDelivery { summary, trace, message, .. } = self.delivery;
        let steps = self.facts().map_or(&[][..], |facts| facts.steps);
        let mut views: Vec<StepView> = steps
            .iter()
            .map(|step| {
                let state = match trace.stage {
                    Some(failed) if step.stage == failed => State::Failed,
                    Some(failed) if step.stage > failed => State::NotReached,
                    _ => State::Passed,
                };
                let mut notes = Vec::new();
                if state == State::Failed {
                    notes.extend([&summary.reason, &trace.detail].into_iter().flatten().cloned());
                }
                if let Some((key, of)) = trace.key.filter(|_| step.stage == Stage::Key) {
                    notes.push(format!("{} {key}/{of}", self.t.key));
                }
                StepView { state, label: self.t.step(step), notes }
            })
            .collect();
        let state = match summary.known_outcome() {
            Some(Outcome::Queued) => State::Passed,
            Some(Outcome::Answered) => State::NotNeeded,
            Some(Outcome::Refused) => State::NotReached,
            Some(Outcome::Failed | Outcome::Unqueued) | None => State::Failed,
        };
        let notes = match (state, message) {
            (State::Failed, _) => trace.detail.iter().cloned().collect(),
            (State::NotNeeded, None) => vec![self.t.nothing_to_queue.to_owned()],
            _ => Vec::new(),
        };
        views.push(StepView { state, label: self.t.queue_step, notes });
        views
    }

    fn headers(&self) -> Vec<(String, String)> {
        let headers = self.delivery.request.headers().iter();
        headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect()
    }

    fn has_withheld(&self) -> bool {
        self.delivery.request.headers().values().any(|value| value == NOT_STORED)
    }

    fn body(&self) -> Excerpt {
        Excerpt::of(self.delivery.request.body())
    }

    /// The event's payload, from the queue message.
    fn event(&self) -> Option<Excerpt> {
        #[derive(serde::Deserialize)]
        struct Message<'m> {
            #[serde(borrow)]
            data: &'m RawValue,
        }
        let message = serde_json::from_str::<Message>(self.delivery.message.as_ref()?).ok()?;
        Some(Excerpt::json(message.data.get()))
    }

    /// The decoded content, if it differs from the body and no event shows it.
    fn content(&self) -> Option<Excerpt> {
        let content = self.delivery.content.as_ref().filter(|_| self.delivery.message.is_none())?;
        Some(std::str::from_utf8(content).map_or_else(|_| Excerpt::of(content), Excerpt::json))
    }

    fn message(&self) -> Option<Excerpt> {
        self.delivery.message.as_deref().map(Excerpt::json)
    }

    fn reply(&self) -> Excerpt {
        Excerpt::json(&self.delivery.trace.reply)
    }

    /// The Chinese text of the cause, if the page is in Chinese.
    fn translated<'r>(&self, report: &'r doctor::Report) -> Option<&'r doctor::InChinese> {
        report.in_chinese.as_ref().filter(|_| self.t.tag == "zh")
    }

    fn took(&self) -> String {
        format!("{:.1} ms", self.delivery.summary.milliseconds)
    }
}

impl StepView {
    fn class(&self) -> &'static str {
        match self.state {
            State::Passed => "passed",
            State::Failed => "failed",
            State::NotReached | State::NotNeeded => "not-reached",
        }
    }

    fn word(&self, t: &Texts) -> &'static str {
        match self.state {
            State::Passed => t.passed,
            State::Failed => t.failed,
            State::NotReached => t.not_reached,
            State::NotNeeded => "-",
        }
    }
}

impl Excerpt {
    fn of(bytes: &[u8]) -> Self {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return Self::cut(text.to_owned());
        }
        // As many bytes as make SHOWN characters of base64.
        let shown = bytes.get(..SHOWN / 4 * 3).unwrap_or(bytes);
        Self { text: STANDARD.encode(shown), is_cut: shown.len() < bytes.len(), is_binary: true }
    }

    /// Indents the text if it is a JSON object.
    fn json(text: &str) -> Self {
        // Indentation can make a deeply nested text many times longer.
        let json = Object::parse(text).ok().filter(|_| text.len() <= INDENTED_UP_TO);
        Self::cut(json.map_or_else(|| text.to_owned(), |json| restyle(&json, &INDENTED)))
    }

    fn cut(mut text: String) -> Self {
        let is_cut = text.len() > SHOWN;
        text.truncate(text.floor_char_boundary(SHOWN));
        Self { text, is_cut, is_binary: false }
    }
}

/// The filter as a query string with its question mark; empty if the filter matches everything.
pub fn query(filter: &Filter) -> String {
    let fields = serde_json::to_value(filter).ok();
    let fields: BTreeMap<String, String> =
        fields.and_then(|fields| serde_json::from_value(fields).ok()).unwrap_or_default();
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(fields.iter().filter(|(_, value)| !value.is_empty()));
    let query = query.finish();
    if query.is_empty() { query } else { format!("?{query}") }
}

/// The form that asks for the token.
pub fn token(t: &'static Texts, is_wrong: bool) -> Response {
    (StatusCode::UNAUTHORIZED, html(&Token { t, is_wrong })).into_response()
}

/// Renders a template as a response.
pub fn html(template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => crate::local::response::error(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_of_bounded_depth_is_indented() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000));
        let long = format!("{{\"a\":\"{}\"}}", "a".repeat(INDENTED_UP_TO));
        for (text, expected) in [
            (r#"{"a":[1.50]}"#, "{\n  \"a\": [\n    1.50\n  ]\n}"),
            ("success", "success"),
            ("{", "{"),
            (&deep, &deep),
            (&long, &long[..SHOWN]),
        ] {
            assert_eq!(Excerpt::json(text).text, expected);
        }
    }
}
