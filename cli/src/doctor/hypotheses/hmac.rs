//! Faults around an HMAC: the header, the signed text, the secret's encoding, the timestamp.

use http::Uri;
use letterbox_codec::{Stage, Timestamp, timestamp::Unit};
use serde_json::{Map, json};

use crate::{
    doctor::{
        causes::{self, Cause},
        diagnosis_input::DiagnosisInput,
        finding::{Finding, Variant},
        signing::{readings, schemes},
    },
    time,
};

/// GitHub's older header.
pub(super) fn legacy_signature(delivery: &DiagnosisInput) -> Vec<Variant> {
    let has = |name: &str| delivery.request.headers().contains_key(name);
    if delivery.provider.name() != "github" || has("x-hub-signature-256") || !has("x-hub-signature") {
        return Vec::new();
    }
    let variants = delivery.entries().into_iter().map(|entry| {
        Finding::new(&causes::SIGNATURE_WRONG_ALGORITHM, "Only X-Hub-Signature (HMAC-SHA-1) is there, and X-Hub-Signature-256 is asked for.")
            .remedy("Update the sender, so that it sends X-Hub-Signature-256 too; for one that cannot, set the entry's `allow_sha1` to true.")
            .corrected(delivery.with_member(&entry, "allow_sha1", true))
    });
    variants.collect()
}

pub(super) fn another_form_of_signature(delivery: &DiagnosisInput) -> Vec<Variant> {
    let mut variants = Vec::new();
    for signing in schemes(delivery) {
        let header = &signing.scheme.header;
        // A structured header has its timestamp in it, and cannot be read as one signature.
        let value = delivery.header(header).filter(|_| signing.scheme.signature_key.is_none());
        for reading in value.map(readings).unwrap_or_default() {
            if let Some(finding) = reading.differs(&signing.scheme, header) {
                // GitHub keeps the two algorithms in two headers.
                let finding =
                    if signing.fixed.is_some() { Finding { remedy: None, ..finding } } else { finding };
                variants.push(signing.variant(finding, &reading.members(header)));
            }
        }
    }
    variants
}

pub(super) fn another_header(delivery: &DiagnosisInput) -> Vec<Variant> {
    let mut variants = Vec::new();
    for signing in schemes(delivery).iter().filter(|signing| signing.scheme.signature_key.is_none()) {
        let asked = &signing.scheme.header;
        for (name, value) in &delivery.request.headers().clone() {
            if name.as_str().eq_ignore_ascii_case(asked) {
                continue;
            }
            for reading in value.to_str().map(readings).unwrap_or_default() {
                let delivery = signing.with(&reading.members(name.as_str()));
                // Many a header looks like a signature: only one that holds is.
                if delivery.progress().has_passed(Stage::Seal) {
                    let finding = if signing.fixed.is_some() && delivery.request.headers().contains_key(asked)
                    {
                        let detail = format!("{name} is right, so secret and body are, too; {asked} is not.");
                        Finding::new(&causes::SIGNATURE_MALFORMED, detail)
                    } else {
                        let detail = format!("It stands in {name}, and {asked} is asked for.");
                        Finding::new(&causes::SIGNATURE_WRONG_HEADER, detail)
                    };
                    variants.push(signing.variant(finding, &reading.members(name.as_str())));
                }
            }
        }
    }
    variants
}

pub(super) fn another_unit(delivery: &DiagnosisInput) -> Vec<Variant> {
    let variants = schemes(delivery).into_iter().filter_map(|signing| {
        let (_, unit) = Timestamp::guess(&signing.timestamp()?)?;
        (unit != signing.scheme.timestamp_unit).then(|| {
            let (name, found) = unit_names(unit);
            let (_, asked) = unit_names(signing.scheme.timestamp_unit);
            let finding = Finding::new(
                &causes::TIMESTAMP_UNIT,
                format!("It is in {found}, and {asked} are asked for."),
            );
            signing.variant(finding, &json!({ "timestamp_unit": name }))
        })
    });
    variants.collect()
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

pub(super) fn stale(delivery: &DiagnosisInput) -> Vec<Variant> {
    let variants = schemes(delivery).into_iter().filter_map(|signing| {
        let (sent, unit) = Timestamp::guess(&signing.timestamp()?)?;
        let finding = Finding::new(&causes::TIMESTAMP_STALE, distance(sent, delivery));
        (unit == signing.scheme.timestamp_unit)
            .then(|| finding.corrected(DiagnosisInput { now: sent, ..delivery.clone() }))
    });
    variants.collect()
}

pub(super) fn another_secret_encoding(delivery: &DiagnosisInput) -> Vec<Variant> {
    let mut variants = Vec::new();
    for signing in schemes(delivery) {
        for encoding in ["text", "hex", "base64", "whsec"] {
            let finding =
                Finding::new(&causes::SECRET_ENCODING, format!("As {encoding} it is the platform's."));
            let finding = if signing.fixed.is_some() {
                finding.remedy(
                    "Store the secret as it stands in the webhook's settings, not decoded and not encoded.",
                )
            } else {
                finding.remedy(format!("Set `\"secret_encoding\": \"{encoding}\"`."))
            };
            variants.push(signing.variant(finding, &json!({ "secret_encoding": encoding })));
        }
    }
    variants
}

/// The platform's own secret has white space or quotes; no entry can hold such a one, but hex can say it.
pub(super) fn secret_that_differs_on_the_platform(delivery: &DiagnosisInput) -> Vec<Variant> {
    const HELD: [(&Cause, &str, &str, &str); 6] = [
        (&causes::SECRET_HAS_WHITESPACE, "", "\n", "a line feed behind it"),
        (&causes::SECRET_HAS_WHITESPACE, "", "\r\n", "a line break (CR LF) behind it"),
        (&causes::SECRET_HAS_WHITESPACE, "", " ", "a space behind it"),
        (&causes::SECRET_HAS_WHITESPACE, " ", "", "a space before it"),
        (&causes::SECRET_HAS_QUOTES, "\"", "\"", "quotes around it"),
        (&causes::SECRET_HAS_QUOTES, "'", "'", "quotes around it"),
    ];
    let mut variants = Vec::new();
    for signing in schemes(delivery) {
        let Some(secret) = signing.secret() else { continue };
        for (cause, before, after, what) in HELD {
            let held = hex::encode(format!("{before}{secret}{after}"));
            let finding =
                Finding::new(cause, format!("It is the platform that holds the secret with {what}."))
                    .remedy("Set the secret in the platform's dashboard anew, without them.");
            variants.push(signing.variant(finding, &json!({ "secret": held, "secret_encoding": "hex" })));
        }
    }
    variants
}

/// What a gateway may have changed of the URL.
pub(super) fn another_url(delivery: &DiagnosisInput) -> Vec<Variant> {
    let uri = delivery.request.uri();
    let host = delivery.header("x-forwarded-host").or_else(|| delivery.header("host"));
    let hosts = [host, uri.host()];
    let path = uri.path();
    let shorter = path.get(1..).and_then(|rest| rest.find('/').and_then(|at| rest.get(at..)));
    let with_slash = format!("{}/", path.trim_end_matches('/'));
    let paths = [Some(path), shorter, Some(path.trim_end_matches('/')), Some(with_slash.as_str())];
    let mut urls = Vec::new();
    for host in hosts.into_iter().flatten() {
        for path in paths.into_iter().flatten() {
            for scheme in ["https", "http"] {
                urls.extend(uri.query().map(|query| format!("{scheme}://{host}{path}?{query}")));
                urls.push(format!("{scheme}://{host}{path}"));
            }
        }
    }
    let mut variants = Vec::new();
    for signing in schemes(delivery).iter().filter(|signing| signing.scheme.template.contains("{url}")) {
        for url in urls.iter().filter(|url| url.parse::<Uri>().is_ok()) {
            let finding = Finding::new(&causes::URL_CHANGED, format!("The platform signed it as {url}."))
                .remedy(format!("Set `\"url\": {}`.", serde_json::Value::from(url.as_str())));
            variants.push(signing.variant(finding, &json!({ "url": url })));
        }
    }
    variants
}

pub(super) fn secret_of_another_source(delivery: &DiagnosisInput) -> Vec<Variant> {
    let mut variants = Vec::new();
    for signing in schemes(delivery) {
        for (source, other) in delivery.others() {
            let Some(secret) = other.get("secret") else { continue };
            let detail = format!("The platform signs with the secret of {source:?}.");
            let finding = Finding::new(&causes::WRONG_SOURCE, detail).remedy(format!(
                "Set the secret of {:?} in the platform's dashboard, or correct the URL there.",
                delivery.source
            ));
            variants.push(signing.variant(finding, &json!({ "secret": secret })));
        }
    }
    variants
}

pub(super) fn another_preset(delivery: &DiagnosisInput) -> Vec<Variant> {
    let mut variants = Vec::new();
    for signing in schemes(delivery).iter().filter(|signing| signing.fixed.is_none()) {
        // A signature in the default header says nothing of the sender.
        let presets = letterbox_signed::presets::PRESETS.iter();
        let presets =
            presets.filter(|preset| preset.entry().get("header").is_some_and(|name| name != "x-signature"));
        for preset in presets.map(|preset| preset.name) {
            let entry: Map<_, _> = signing
                .entry
                .iter()
                .filter(|(name, _)| *name == "secret")
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            let finding =
                Finding::new(&causes::SIGNED_TEXT, format!("It is signed as the preset {preset} says."))
                    .remedy(format!("Set `\"preset\": \"{preset}\"`."));
            let delivery = signing.delivery.with_member(&entry, "preset", preset);
            // Another header that is missing, or there, says nothing yet.
            variants
                .extend((delivery.progress().has_passed(Stage::Seal)).then(|| finding.corrected(delivery)));
        }
    }
    variants
}
