//! The diagnosis: why a delivery was refused, and what to do.

pub mod archived;
pub mod causes;
pub mod diagnosis;
pub mod diagnosis_input;
mod evidence;
mod finding;
mod hypotheses;
mod keys;
mod recognised;
pub mod reply;
mod signing;
pub mod stack;

use letterbox_codec::{Received, Rejected, provider::Refused};
use serde::Serialize;

use self::{
    diagnosis::{Diagnosis, diagnose},
    diagnosis_input::{DiagnosisInput, Refusal},
    finding::Finding,
    hypotheses::Search,
    reply::Reply,
};
use crate::terminal::{printable, printable_json};

/// The result of a diagnosis. `--json` prints these fields, without the Chinese text.
#[derive(Debug, Serialize)]
pub struct Report {
    /// True if the delivery is accepted, and the platform would accept the response.
    pub opens: bool,
    /// The provider.
    pub provider: &'static str,
    /// The source.
    pub source: String,
    /// The code of the cause, if it does not.
    pub cause: Option<&'static str>,
    /// What was found, in words.
    pub explanation: String,
    /// What to do about it.
    pub remedy: Option<String>,
    /// The cause in Chinese.
    #[serde(skip)]
    pub in_chinese: Option<InChinese>,
}

/// What is wrong and what to do about it in general. The details of the delivery are in English only.
#[derive(Debug)]
pub struct InChinese {
    /// What is wrong.
    pub explanation: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
    /// Whether the remedy of the report is one for this very delivery, which is to be shown, too.
    pub has_own_remedy: bool,
}

/// What an opened delivery is.
fn describe_opened(received: &Received) -> String {
    let answer = received.remark.map(|remark| format!(" The response is `{remark}`.")).unwrap_or_default();
    match received.queued_event() {
        Some(event) => format!("It is accepted: {}.{answer}", event.kind),
        None => format!("It is accepted, and there is nothing to queue.{answer}"),
    }
}

impl Report {
    /// Judges a delivery, and an answer to it.
    pub fn new(delivery: &DiagnosisInput, reply: Option<&Reply>) -> Self {
        let diagnosis = diagnose(delivery);
        let answered = match (&diagnosis, reply) {
            (Diagnosis::Opens(_), Some(reply)) => reply::check(delivery, reply),
            _ => Ok(()),
        };
        match (diagnosis, answered) {
            (Diagnosis::Opens(opened), Ok(())) => {
                let reply = if reply.is_some() { " The platform would accept the response." } else { "" };
                Self::opens(delivery, format!("{}{reply}", describe_opened(&opened)))
            }
            (Diagnosis::Opens(_), Err(finding)) => Self::refused(delivery, &finding, &[]),
            (Diagnosis::Refused { finding, then }, _) => Self::refused(delivery, &finding, &then),
        }
    }

    /// Explains a refusal: by the whole diagnosis if the function refuses the delivery for the same reason, or else, as for a
    /// response or a message without its URL, by what the reason alone says.
    pub fn of_refusal(delivery: &DiagnosisInput, rejected: Rejected) -> Self {
        let refused = Refused::from(rejected);
        match delivery.attempt() {
            Err(Refusal::Refused(same)) if (&same.reject, same.stage) == (&refused.reject, refused.stage) => {
                Self::new(delivery, None)
            }
            _ => {
                let refusal = Refusal::Refused(refused);
                let search = Search::new(delivery, refusal.progress());
                let finding = evidence::from_refusal(delivery, &refusal, &search);
                Self::refused(delivery, &finding, &[])
            }
        }
    }

    fn opens(delivery: &DiagnosisInput, explanation: String) -> Self {
        Self {
            opens: true,
            provider: delivery.provider.name(),
            source: delivery.source.clone(),
            cause: None,
            explanation,
            remedy: None,
            in_chinese: None,
        }
    }

    fn refused(delivery: &DiagnosisInput, finding: &Finding, then: &[Finding]) -> Self {
        let mut explanation = explain(finding);
        for next in then {
            explanation += &format!(" After that is fixed: {} ({})", explain(next), next.cause.code);
        }
        let remedy = finding.remedy.clone().unwrap_or_else(|| finding.cause.remedy.to_owned());
        Self {
            opens: false,
            provider: delivery.provider.name(),
            source: delivery.source.clone(),
            cause: Some(finding.cause.code),
            explanation,
            remedy: Some(remedy),
            in_chinese: Some(InChinese {
                explanation: finding.cause.explanation_zh,
                remedy: finding.cause.remedy_zh,
                has_own_remedy: finding.remedy.is_some(),
            }),
        }
    }

    /// The report as one JSON object on a line.
    pub fn to_json(&self) -> String {
        // Texts alone: there is nothing in it that could not be written.
        printable_json(&serde_json::to_string(self).unwrap_or_default()) + "\n"
    }

    /// The report in words, for a terminal.
    pub fn to_text(&self) -> String {
        let route = printable(&format!("{}/{}", self.provider, self.source));
        let explanation = printable(&self.explanation);
        match (self.cause, &self.remedy) {
            (Some(cause), Some(remedy)) => {
                format!("{route} is refused: {cause}\n\n{explanation}\n\nWhat to do: {}\n", printable(remedy))
            }
            _ => format!("{route}: {explanation}\n"),
        }
    }
}

fn explain(finding: &Finding) -> String {
    format!("{} {}", finding.cause.explanation, finding.detail).trim_end().to_owned()
}
