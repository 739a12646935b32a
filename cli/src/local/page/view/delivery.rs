//! One delivery, as the page shows it.

use askama::Template;
use base64::{Engine, engine::general_purpose::STANDARD};
use letterbox_codec::{Stage, json::Object};
use letterbox_intake::Outcome;
use letterbox_registry::{Facts, Platform};
use serde_json::value::RawValue;

use crate::{
    doctor,
    formats::json_style::{INDENTED, restyle},
    local::{
        history::NOT_STORED,
        page::{
            delivery::{Delivery, Judgement, Obstacle},
            texts::Texts,
        },
    },
};

/// How many bytes of one text the page shows; a link downloads the whole.
const SHOWN: usize = 64 * 1024;

/// The largest JSON, in bytes, that is indented.
const INDENTED_UP_TO: usize = 256 * 1024;

/// One delivery in detail.
#[derive(Template)]
#[template(path = "delivery.html")]
pub struct DeliveryView {
    pub t: &'static Texts,
    pub delivery: Delivery,
    pub query: String,
    pub diagnosis: Option<Diagnosis>,
    pub origin: Origin,
}

/// Where it is stored, and what depends on that.
pub enum Origin {
    /// In the history of this machine.
    History {
        /// The command that diagnoses a delivery that is too large for the page.
        doctor: String,
    },
    /// In the archive of a stack.
    Archive {
        /// The command that diagnoses a delivery that is too large for the page.
        doctor: String,
        /// The result of judging it again.
        judgement: Judgement,
    },
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
    Unknown,
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

impl DeliveryView {
    fn facts(&self) -> Option<&'static Facts> {
        letterbox_registry::find(&self.delivery.line.provider).ok().map(Platform::facts)
    }

    fn is_queued(&self) -> bool {
        self.delivery.line.known_outcome() == Some(Outcome::Queued)
    }

    /// What to know about the steps: a text, and a detail in English, which may be empty.
    fn remarks(&self) -> Vec<(String, String)> {
        let Origin::Archive { judgement, .. } = &self.origin else { return Vec::new() };
        let t = self.t.archive;
        let judged = (t.judged_now.to_owned(), String::new());
        match judgement {
            Judgement::NotNeeded | Judgement::NoStart => Vec::new(),
            Judgement::Accepted | Judgement::RefusedAgain => vec![judged],
            Judgement::RefusedAs(now) => {
                let then = self.delivery.line.reason.as_deref().unwrap_or_default();
                vec![judged, ((t.other_reason)(then, now), String::new())]
            }
            Judgement::Impossible(obstacle) => {
                let (text, detail) = match obstacle {
                    Obstacle::Credentials(reason) => (t.no_credentials, reason.clone()),
                    Obstacle::Masked(headers) => (t.masked, headers.join(", ")),
                    Obstacle::NoBody => (t.omitted_body, String::new()),
                    Obstacle::Event(reason) => (t.unreadable_event, reason.clone()),
                };
                let (end, detail) =
                    if detail.is_empty() { (t.stop, detail) } else { ("", format!("({detail}){}", t.stop)) };
                vec![(format!("{} {text}{end}", t.not_judged), detail)]
            }
        }
    }

    fn no_message(&self) -> &'static str {
        if self.is_archived() { self.t.archive.no_message } else { self.t.no_message }
    }

    fn withheld(&self) -> &'static str {
        if self.is_archived() { self.t.archive.withheld } else { self.t.withheld }
    }

    fn lost_body(&self) -> &'static str {
        if self.is_archived() { self.t.archive.no_body } else { self.t.body_is_lost }
    }

    fn is_archived(&self) -> bool {
        matches!(self.origin, Origin::Archive { .. })
    }

    /// True if the steps of a refused delivery are not known.
    fn is_unjudged(&self) -> bool {
        let judgement = match &self.origin {
            Origin::History { .. } => return false,
            Origin::Archive { judgement, .. } => judgement,
        };
        self.delivery.line.known_outcome() == Some(Outcome::Refused)
            && matches!(judgement, Judgement::Impossible(_) | Judgement::NoStart)
    }

    /// The reason of today's refusal, if it is another one.
    fn reason_now(&self) -> Option<&'static str> {
        match &self.origin {
            Origin::Archive { judgement: Judgement::RefusedAs(now), .. } => Some(now),
            _ => None,
        }
    }

    /// The provider's steps, then the queue's.
    fn steps(&self) -> Vec<StepView> {
        let Delivery { line, trace, message, .. } = &self.delivery;
        let steps = self.facts().map_or(&[][..], |facts| facts.steps);
        let mut views: Vec<StepView> = steps
            .iter()
            .map(|step| {
                let state = match trace.stage {
                    None if self.is_unjudged() => State::Unknown,
                    Some(failed) if step.stage == failed => State::Failed,
                    Some(failed) if step.stage > failed => State::NotReached,
                    _ => State::Passed,
                };
                let mut notes = Vec::new();
                if state == State::Failed {
                    let reason = self.reason_now().or(line.reason.as_deref()).map(str::to_owned);
                    notes.extend([&reason, &trace.detail].into_iter().flatten().cloned());
                }
                if let Some((key, of)) = trace.key.filter(|_| step.stage == Stage::Key) {
                    notes.push(format!("{} {key}/{of}", self.t.key));
                }
                StepView { state, label: self.t.step(step), notes }
            })
            .collect();
        let state = match line.known_outcome() {
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
}

impl StepView {
    fn class(&self) -> &'static str {
        match self.state {
            State::Passed => "passed",
            State::Failed => "failed",
            State::NotReached | State::NotNeeded | State::Unknown => "not-reached",
        }
    }

    fn word(&self, t: &Texts) -> &'static str {
        match self.state {
            State::Passed => t.passed,
            State::Failed => t.failed,
            State::NotReached => t.not_reached,
            State::NotNeeded => "-",
            State::Unknown => t.archive.unknown,
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
