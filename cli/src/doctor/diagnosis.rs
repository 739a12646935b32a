//! The diagnosis: a pure function of request, credentials text and clock.

use letterbox_codec::Received;

use super::{
    causes,
    diagnosis_input::{DiagnosisInput, Progress, Refusal},
    evidence,
    finding::Finding,
    hypotheses::search,
};

/// More faults than this in one delivery are not looked for.
const MOST_FAULTS: usize = 3;

/// What doctor says of a delivery.
#[derive(Debug)]
pub enum Diagnosis {
    /// It is accepted.
    Opens(Box<Received>),
    /// It is refused.
    Refused {
        /// Why.
        finding: Finding,
        /// Why it would still be refused without that fault.
        then: Vec<Finding>,
    },
}

/// Tries the delivery as the function does, and finds out why it is refused.
pub fn diagnose(delivery: &DiagnosisInput) -> Diagnosis {
    let refusal = match delivery.attempt() {
        Ok(opened) => return Diagnosis::Opens(Box::new(opened)),
        Err(refusal) => refusal,
    };
    let (mut then, mut corrected) = cause(delivery, &refusal);
    // A cause is at least one finding.
    let finding = then.remove(0);
    while let Some(delivery) = corrected.take() {
        let Err(refusal) = delivery.attempt() else { break };
        let (next, better) = cause(&delivery, &refusal);
        // A fault that stays is no further one.
        let is_known =
            |next: &Finding| next.cause == finding.cause || then.iter().any(|one| one.cause == next.cause);
        if next.iter().any(is_known) {
            break;
        }
        then.extend(next);
        corrected = better.filter(|_| then.len() < MOST_FAULTS);
    }
    Diagnosis::Refused { finding, then }
}

/// The faults that were found together, and the delivery without them where more may be wrong.
fn cause(delivery: &DiagnosisInput, refusal: &Refusal) -> (Vec<Finding>, Option<DiagnosisInput>) {
    if let Some(finding) = evidence::at_once(delivery, refusal) {
        return (vec![finding], None);
    }
    let search = search(delivery, refusal.progress());
    match search.found {
        Some((findings, _)) if search.progress == Progress::Accepted => (findings, None),
        // What was changed cannot be read, so there is no more to say of it.
        Some((findings, _)) if findings.iter().any(|finding| *finding.cause == causes::BODY_CHANGED) => {
            (findings, None)
        }
        Some((findings, delivery)) => (findings, Some(delivery)),
        None => (vec![evidence::from_refusal(delivery, refusal, &search)], None),
    }
}
