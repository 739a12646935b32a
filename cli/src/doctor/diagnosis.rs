//! The diagnosis: a pure function of request, credentials text and clock.

use letterbox_codec::Received;

use super::{
    causes,
    diagnosis_input::{DiagnosisInput, Progress, Refusal},
    evidence,
    finding::{Finding, Variant},
    hypotheses::TABLE,
};

/// More faults than this in one delivery are not looked for.
const MOST_FAULTS: usize = 3;

/// What doctor says of a delivery.
#[derive(Debug)]
pub enum Diagnosis {
    /// It opens.
    Opens(Box<Received>),
    /// It is refused.
    Refused {
        /// Why.
        finding: Finding,
        /// Why it would still be refused without that fault.
        then: Vec<Finding>,
    },
}

/// Tries the delivery as the function does, and finds out why it does not open.
pub fn diagnose(delivery: &DiagnosisInput) -> Diagnosis {
    let refusal = match delivery.attempt() {
        Ok(opened) => return Diagnosis::Opens(Box::new(opened)),
        Err(refusal) => refusal,
    };
    let (finding, mut corrected) = cause(delivery, &refusal);
    let mut then: Vec<Finding> = Vec::new();
    while let Some(delivery) = corrected.take() {
        let Err(refusal) = delivery.attempt() else { break };
        let (next, better) = cause(&delivery, &refusal);
        // A fault that stays is no further one.
        if next.cause == finding.cause || then.iter().any(|one| one.cause == next.cause) {
            break;
        }
        then.push(next);
        corrected = better.filter(|_| then.len() < MOST_FAULTS);
    }
    Diagnosis::Refused { finding, then }
}

/// The cause, and the delivery without it where more may be wrong.
fn cause(delivery: &DiagnosisInput, refusal: &Refusal) -> (Finding, Option<DiagnosisInput>) {
    if let Some(finding) = evidence::at_once(delivery, refusal) {
        return (finding, None);
    }
    let reached = refusal.progress();
    let mut best: Option<(Progress, Variant)> = None;
    for variant in TABLE.iter().flat_map(|hypothesis| hypothesis(delivery)) {
        let progress = variant.progress(delivery, reached);
        if progress == Progress::Accepted {
            return (variant.finding, None);
        }
        if progress > best.as_ref().map_or(reached, |(progress, _)| *progress) {
            best = Some((progress, variant));
        }
    }
    match best {
        // What was changed cannot be read, so there is no more to say of it.
        Some((_, Variant { finding, .. })) if *finding.cause == causes::BODY_CHANGED => (finding, None),
        Some((_, Variant { finding, delivery })) => (finding, Some(delivery)),
        None => (evidence::from_refusal(delivery, refusal), None),
    }
}
