//! Faults around an HMAC: the header, the signed text, the secret's encoding, the timestamp.

use letterbox_codec::{Timestamp, platform::SignatureScheme, signature::SecretEncoding, timestamp::Unit};
use letterbox_signed::presets::{PRESETS, Preset};
use serde_json::{Map, json};

use crate::{
    doctor::{
        causes,
        diagnosis_input::DiagnosisInput,
        finding::{Finding, Variants},
        signing::{Signing, readings, schemes},
    },
    time,
};

/// The platform's older header, without its present one.
pub(super) fn older_signature(delivery: &DiagnosisInput) -> Variants<'_> {
    let SignatureScheme::Fixed { fields, older: Some(older), .. } = &delivery.provider.facts().scheme else {
        return Box::new(std::iter::empty());
    };
    let has = |name: &str| delivery.request.headers().contains_key(name);
    if fields.iter().any(|(field, name)| *field == "header" && has(name)) || !has(older.header) {
        return Box::new(std::iter::empty());
    }
    let variants = delivery.entries().into_iter().map(move |entry| {
        Finding::new(&causes::SIGNATURE_WRONG_ALGORITHM, older.about)
            .remedy(older.remedy)
            .corrected(delivery.with_member(&entry, older.field, true))
    });
    Box::new(variants)
}

pub(super) fn another_form_of_signature(delivery: &DiagnosisInput) -> Variants<'_> {
    let mut variants = Vec::new();
    // A structured header has its timestamp in it, and cannot be read as one signature.
    for signing in schemes(delivery).into_iter().filter(Signing::is_bare) {
        let (scheme, header) = (&signing.scheme, signing.name(&signing.scheme.header));
        for reading in delivery.header(&header).map(readings).unwrap_or_default() {
            if let Some(finding) = reading.differs(scheme, &header) {
                // GitHub keeps the two algorithms in two headers.
                let finding =
                    if signing.fixed.is_some() { Finding { remedy: None, ..finding } } else { finding };
                variants.push(signing.variant(finding, &reading.members(scheme, &header)));
            }
        }
    }
    Box::new(variants.into_iter())
}

pub(super) fn another_header(delivery: &DiagnosisInput) -> Variants<'_> {
    let mut variants = Vec::new();
    for signing in schemes(delivery).iter().filter(|signing| signing.is_bare()) {
        let required = &signing.scheme.header;
        let others = delivery
            .request
            .headers()
            .iter()
            .filter(|(name, _)| !name.as_str().eq_ignore_ascii_case(required));
        for (name, value) in others {
            for reading in value.to_str().map(readings).unwrap_or_default() {
                let finding = if signing.fixed.is_some() && delivery.request.headers().contains_key(required)
                {
                    let detail = format!(
                        "The signature in {name} is valid, so secret and body are right; the one in {required} is not valid."
                    );
                    Finding::new(&causes::SIGNATURE_MALFORMED, detail)
                } else {
                    let detail = format!("It is in {name}, and {required} is required.");
                    Finding::new(&causes::SIGNATURE_WRONG_HEADER, detail)
                };
                variants.push(signing.variant(finding, &reading.members(&signing.scheme, name.as_str())));
            }
        }
    }
    Box::new(variants.into_iter())
}

/// A timestamp in the unit that its form shows.
fn read(text: &str) -> Option<(Timestamp, Unit)> {
    let rfc3339 = || Some((Timestamp::parse(text, Unit::Rfc3339)?, Unit::Rfc3339));
    Timestamp::guess(text).or_else(rfc3339)
}

pub(super) fn another_unit(delivery: &DiagnosisInput) -> Variants<'_> {
    let variants = schemes(delivery).into_iter().filter_map(|signing| {
        let (_, unit) = read(&signing.timestamp()?)?;
        let required = signing.scheme.timestamp_unit;
        (unit != required).then(|| {
            let ((name, found), (_, required)) = (unit_names(unit), unit_names(required));
            let detail = format!("It is in {found}, and {required} are required.");
            signing.variant(Finding::new(&causes::TIMESTAMP_UNIT, detail), &json!({ "timestamp_unit": name }))
        })
    });
    Box::new(variants)
}

/// What a unit is called: in an entry, and in words.
fn unit_names(unit: Unit) -> (&'static str, &'static str) {
    match unit {
        Unit::Seconds => ("s", "seconds"),
        Unit::Milliseconds => ("ms", "milliseconds"),
        Unit::Microseconds => ("us", "microseconds"),
        Unit::Rfc3339 => ("rfc3339", "RFC 3339 times"),
    }
}

/// What was signed when, compared with the time of receipt.
pub(super) fn distance(sent: Timestamp, delivery: &DiagnosisInput) -> String {
    let way = if sent < delivery.now { "before" } else { "after" };
    let span = time::about(sent.distance(delivery.now));
    format!("It was signed at {sent}, {span} {way} the time of receipt, {}.", delivery.now)
}

pub(super) fn stale(delivery: &DiagnosisInput) -> Variants<'_> {
    let variants = schemes(delivery).into_iter().filter_map(move |signing| {
        let (sent, unit) = read(&signing.timestamp()?)?;
        let finding = Finding::new(&causes::TIMESTAMP_STALE, distance(sent, delivery));
        (unit == signing.scheme.timestamp_unit)
            .then(|| finding.corrected(DiagnosisInput { now: sent, ..delivery.clone() }))
    });
    Box::new(variants)
}

const SECRET_ENCODINGS: [(&str, SecretEncoding); 4] = [
    ("text", SecretEncoding::Text),
    ("hex", SecretEncoding::Hex),
    ("base64", SecretEncoding::Base64),
    ("whsec", SecretEncoding::Whsec),
];

pub(super) fn another_secret_encoding(delivery: &DiagnosisInput) -> Variants<'_> {
    let mut variants = Vec::new();
    for signing in schemes(delivery).into_iter().filter(|signing| signing.secret().is_some()) {
        for (encoding, named) in SECRET_ENCODINGS {
            // With the entry's own, an entry that is invalid for another reason would seem corrected.
            if named == signing.scheme.secret_encoding {
                continue;
            }
            let finding =
                Finding::new(&causes::SECRET_ENCODING, format!("Read as {encoding}, it is the platform's."));
            let finding = if signing.fixed.is_some() {
                finding.remedy(
                    "Store the secret as the webhook's settings show it, not decoded and not encoded.",
                )
            } else {
                finding.remedy(format!("Set `\"secret_encoding\": \"{encoding}\"`."))
            };
            variants.push(signing.variant(finding, &json!({ "secret_encoding": encoding })));
        }
    }
    Box::new(variants.into_iter())
}

pub(super) fn secret_of_another_source(delivery: &DiagnosisInput) -> Variants<'_> {
    let mut variants = Vec::new();
    for signing in schemes(delivery).into_iter().filter(|signing| signing.secret().is_some()) {
        for (source, other) in delivery.others() {
            let Some(secret) = other.get("secret") else { continue };
            let detail = format!("The platform signs with the secret of {source:?}.");
            let finding = Finding::new(&causes::WRONG_SOURCE, detail).remedy(format!(
                "Set the secret of {:?} in the platform's console, or correct the URL there.",
                delivery.source
            ));
            variants.push(signing.variant(finding, &json!({ "secret": secret })));
        }
    }
    Box::new(variants.into_iter())
}

pub(super) fn another_preset(delivery: &DiagnosisInput) -> Variants<'_> {
    let changeable = schemes(delivery).into_iter().filter(|signing| signing.fixed.is_none());
    let variants = changeable.flat_map(|signing| {
        let keys = ["secret", "public_key"].into_iter();
        let keys = keys.filter_map(|name| Some((name.to_owned(), signing.entry.get(name)?.clone())));
        let keys: Map<_, _> = keys.collect();
        // A signature in the default header says nothing of the sender.
        let names_sender =
            |preset: &&Preset| preset.entry().get("header").is_some_and(|name| name != "x-signature");
        let presets = PRESETS.iter().filter(names_sender).map(|preset| preset.name);
        let variants = presets.map(|preset| {
            let detail = format!("The signature is valid in the scheme of the preset {preset}.");
            let finding =
                Finding::new(&causes::SIGNED_TEXT, detail).remedy(format!("Set `\"preset\": \"{preset}\"`."));
            finding.corrected(signing.delivery.with_member(&keys, "preset", preset))
        });
        variants.collect::<Vec<_>>()
    });
    Box::new(variants)
}
