//! What was found of a delivery, and the delivery as it would be without that fault.

use letterbox_codec::Stage;

use super::{
    causes::Cause,
    diagnosis_input::{DiagnosisInput, Progress},
};

/// What was found: a cause, and what was seen of it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The cause.
    pub cause: &'static Cause,
    /// What was seen, in whole sentences; may be empty.
    pub detail: String,
    /// What to do in this very case, where that is known better.
    pub remedy: Option<String>,
}

impl Finding {
    /// A finding with what was seen.
    pub fn new(cause: &'static Cause, detail: impl Into<String>) -> Self {
        Self { cause, detail: detail.into(), remedy: None }
    }

    /// With a remedy of its own.
    #[must_use]
    pub fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// The finding with the delivery as it would be without the fault.
    pub fn corrected(self, delivery: DiagnosisInput) -> Variant {
        Variant { finding: self, delivery }
    }
}

/// The variants of a delivery that could show one fault, made one by one; none where the fault does not apply.
pub type Variants<'d> = Box<dyn Iterator<Item = Variant> + 'd>;

/// A delivery as it would be without one fault.
pub struct Variant {
    /// The fault.
    pub finding: Finding,
    /// The delivery without it.
    pub delivery: DiagnosisInput,
}

impl Variant {
    /// How far it gets. Where another provider stands in for that of the delivery only its signature counts, since it
    /// reads payloads differently; a signature that was valid already has nothing to gain.
    pub fn progress(&self, of: &DiagnosisInput, reached: Progress) -> Progress {
        if self.delivery.provider.name() == of.provider.name() {
            return self.delivery.progress();
        }
        match self.delivery.progress() {
            _ if reached.has_passed(Stage::Key) => reached,
            Progress::RefusedAt(Stage::Payload) => Progress::Accepted,
            progress => progress,
        }
    }
}
