//! Judges a delivery of the archive again: with the stack's current credentials, as of its time of receipt.

use std::borrow::Cow;

use letterbox_codec::Request;
use letterbox_intake::{Outcome, archive::Part, gateway};

use super::{
    super::{
        delivery::{Delivery, Judgement, Line, Obstacle},
        view::delivery::Diagnosis,
    },
    key,
};
use crate::{
    credentials::Credentials,
    doctor::{
        Report, archived,
        diagnosis_input::{DiagnosisInput, Refusal},
    },
    local::history::Trace,
    stack::archive::ArchivedDelivery,
};

/// The largest body, in bytes, that is diagnosed while the page is built; a larger one would delay the response.
const LARGEST_DIAGNOSED: usize = 64 * 1024;

/// What the page shows of a delivery, with the result of the judgement.
pub struct Judged {
    pub delivery: Delivery,
    pub diagnosis: Option<Diagnosis>,
    pub judgement: Judgement,
}

/// The line of the list.
pub fn line(delivery: &ArchivedDelivery) -> Line {
    let record = &delivery.record;
    Line {
        key: key::key(&delivery.position()),
        received: record.time,
        provider: record.provider.clone(),
        source: record.source.clone(),
        kind: record.kind.clone(),
        outcome: record.outcome.as_str().to_owned(),
        reason: record.reason.clone(),
        response: None,
    }
}

/// The delivery without a judgement.
pub fn stored(delivery: &ArchivedDelivery) -> Result<Delivery, String> {
    let record = &delivery.record;
    let read = gateway::read(&record.event).and_then(|event| gateway::request(&record.provider, event));
    let (_, request) = read.map_err(|reject| reject.message().into_owned())?;
    Ok(Delivery {
        line: line(delivery),
        name: delivery.request_id.clone(),
        request,
        content: None,
        message: record.message.as_ref().map(|message| message.get().to_owned()),
        trace: Trace { body_is_lost: record.omitted.contains(&Part::Body), ..Trace::default() },
    })
}

/// The delivery if its request cannot be read or judged for that reason.
pub fn unjudged(archived: &ArchivedDelivery, reason: &str) -> Judged {
    let message = archived.record.message.as_ref();
    let delivery = Delivery {
        line: line(archived),
        name: archived.request_id.clone(),
        request: Request::default(),
        content: None,
        message: message.map(|message| message.get().to_owned()),
        trace: Trace { body_is_lost: true, ..Trace::default() },
    };
    let judgement = Judgement::Impossible(Obstacle::Event(reason.to_owned()));
    Judged { delivery, diagnosis: None, judgement }
}

/// Judges the delivery. The error of `credentials` says why they could not be read.
pub fn judge(archived: &ArchivedDelivery, credentials: Result<Credentials, String>) -> Judged {
    let is_refused = archived.record.outcome == Outcome::Refused;
    let mut delivery = match stored(archived) {
        Ok(delivery) => delivery,
        Err(reason) => return unjudged(archived, &reason),
    };
    let input = match input(archived, credentials) {
        Ok(input) => input,
        Err(obstacle) => {
            let judgement = if is_refused { Judgement::Impossible(obstacle) } else { Judgement::NotNeeded };
            return Judged { delivery, diagnosis: None, judgement };
        }
    };
    decode(&input, &mut delivery);
    if !is_refused {
        return Judged { delivery, diagnosis: None, judgement: Judgement::NotNeeded };
    }
    let judgement = attempt(&input, archived.record.reason.as_deref(), &mut delivery.trace);
    let diagnosis = if input.request.body().len() > LARGEST_DIAGNOSED {
        Diagnosis::TooLarge
    } else {
        let report = Report::new(&input, None);
        if report.opens { Diagnosis::Accepted } else { Diagnosis::Cause(Box::new(report)) }
    };
    Judged { delivery, diagnosis: Some(diagnosis), judgement }
}

/// Judges it as the function does.
fn attempt(input: &DiagnosisInput, reason: Option<&str>, trace: &mut Trace) -> Judgement {
    match input.attempt() {
        Ok(_) => Judgement::Accepted,
        Err(refusal) => {
            // A function that does not start judges nothing; the diagnosis says why it does not.
            let Refusal::Refused(refused) = refusal else { return Judgement::NoStart };
            trace.stage = Some(refused.stage);
            trace.detail = refused.reject.detail().map(Cow::into_owned);
            let now = refused.reject.code();
            if reason == Some(now) { Judgement::RefusedAgain } else { Judgement::RefusedAs(now) }
        }
    }
}

/// The input of the judgement, or why there can be none.
fn input(
    archived: &ArchivedDelivery,
    credentials: Result<Credentials, String>,
) -> Result<DiagnosisInput, Obstacle> {
    if archived.record.omitted.contains(&Part::Body) {
        return Err(Obstacle::NoBody);
    }
    let credentials = credentials.map_err(Obstacle::Credentials)?;
    let input = archived::input(archived, &credentials).map_err(Obstacle::Event)?;
    let masked = archived::masked(&input);
    if masked.is_empty() { Ok(input) } else { Err(Obstacle::Masked(masked)) }
}

/// Adds what the first entry that verifies the delivery says of it.
fn decode(input: &DiagnosisInput, delivery: &mut Delivery) {
    let Some(Ok(keys)) = input.credentials.keys(input.provider) else { return };
    let entries = keys.entries(&input.source).unwrap_or_default();
    let opened = entries
        .iter()
        .enumerate()
        .find_map(|(position, entry)| Some((position, entry.open(&input.request, input.now).ok()?)));
    let Some((position, opened)) = opened else { return };
    delivery.trace.key = Some((position.saturating_add(1), entries.len()));
    delivery.trace.checks = opened.notes;
    // The content of a delivery that is not encrypted is its body.
    if opened.content.as_slice() != input.request.body().as_ref() {
        delivery.content = Some(opened.content);
    }
}
