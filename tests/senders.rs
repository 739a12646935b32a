//! Vectors of described senders, made by others: each strictly through the function `signed`, with the sender's preset.
//!
//! `vectors-senders.json` has a row each, provenance kept. Vectors of these senders are not there, because the engine
//! rightly does not verify such requests:
//!
//! | sender | why |
//! |---|---|
//! | Adyen, standard webhooks | the signature is inside of each item, over eight of its values; the items are not covered as they came |
//! | Asana, the request that sets the secret | whoever sends it chooses the secret; its other rows are here, as a custom scheme |
//! | BitPay | not signed |
//! | HubSpot v1 and v2 | plain SHA-256 with the secret in front, no HMAC, and no timestamp; v3 comes along |
//! | Mailgun, Mercado Pago | the signature does not cover the body |
//! | Microsoft Graph | not signed: each element of the payload carries a shared text |
//! | Notion, the request that tells the secret | not signed; an operator copies the secret into the entry |
//! | Okta, a verification without `Authorization` | refusing it is a choice of that vector; the challenge is public |
//! | PayPal | the body is covered by a CRC-32 only, which can be forged |
//! | Plaid | a JWT, whose key is behind an API |

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

use letterbox_codec::{Ambient, Timestamp};
use letterbox_signed::presets::PRESETS;
use letterbox_tests::{Setup, block_on, fixed};
use serde_json::{Value, json};

use crate::rows::{equal, reply, request, text};

/// Facts that a vector names and the sender does not sign, and the attribute that has them instead.
///
/// The engine takes no unsigned header for an id, a subject or a time unless the entry says so.
const UNSIGNED: &[(&str, &str, Option<&str>)] = &[
    ("wise", "id", Some("deliveryid")),
    ("shopify-events", "id", Some("deliveryid")),
    ("shopify-events", "subject", Some("shopdomain")),
    ("shopify-events", "time", None),
];

thread_local! {
    /// The time of receipt in Unix seconds.
    static NOW: Cell<i64> = const { Cell::new(0) };
}

#[test]
fn every_vector() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("vectors-senders.json")).unwrap();
    let mut counts = BTreeMap::new();
    let mut failures = Vec::new();
    for vector in &vectors {
        *counts.entry(text(vector, "provider").to_owned()).or_insert(0) += 1;
        if let Err(found) = run(vector) {
            failures.push(format!("{}: {found}", text(vector, "id")));
        }
    }
    assert!(failures.is_empty(), "{} of {} vectors:\n{}", failures.len(), vectors.len(), failures.join("\n"));
    assert_eq!(vectors.len(), 172);
    println!("{} vectors: {counts:?}", vectors.len());
}

/// A vector is of a preset that exists, but for Asana's.
#[test]
fn every_vector_has_its_preset() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("vectors-senders.json")).unwrap();
    let known: BTreeSet<_> = PRESETS.iter().map(|preset| preset.name).collect();
    for vector in &vectors {
        for entry in entries(vector).as_array().unwrap() {
            match entry["preset"].as_str() {
                Some(preset) => assert!(known.contains(preset), "{preset}"),
                None => assert_eq!(text(vector, "provider"), "asana"),
            }
        }
    }
}

/// The examples of the reference, in the words that it explains.
#[test]
fn every_example_of_the_reference_is_an_entry() {
    let platform = letterbox_registry::find("signed").unwrap();
    let page = include_str!("../docs/reference/credentials.md");
    let (_, examples) = page.split_once("### Examples").unwrap();
    let examples: Vec<_> = examples.split("```json\n").skip(1).collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        let (entry, _) = example.split_once("```").unwrap();
        if let Err(error) = platform.keys(&format!(r#"{{"default":{entry}}}"#)) {
            panic!("{entry}: {error}");
        }
    }
}

/// The credentials of a vector in the words of an entry.
fn entries(vector: &Value) -> Value {
    let credentials = &vector["input"]["credentials"];
    let of = |preset: &str, field: &str, value: &Value| json!([{ "preset": preset, field: value }]);
    let secret = |preset: &str| of(preset, "secret", &credentials["secret"]);
    match text(vector, "provider") {
        // A webhook with a signing token sends the secret token, too: only the signature counts.
        "gitlab" => match &credentials["signing_token"] {
            Value::Null => of("gitlab-token", "secret", &credentials["token"]),
            token => of("gitlab", "secret", token),
        },
        "standard-webhooks" => {
            let keys = credentials["keys"].as_array().unwrap().iter().map(|key| {
                if key.as_str().unwrap().starts_with("whpk_") {
                    json!({ "preset": "standard-webhooks-v1a", "public_key": key })
                } else {
                    json!({ "preset": "standard-webhooks", "secret": key })
                }
            });
            keys.collect()
        }
        "adyen" => of("adyen-platform", "secret", &credentials["hmac_key"]),
        "shopify-events" => secret("shopify"),
        "telegram" => of("telegram", "secret", &credentials["token"]),
        "okta" => of("okta", "secret", &credentials["authorization"]),
        "postmark" => {
            let user = format!("{}:{}", text(credentials, "username"), text(credentials, "password"));
            of("postmark", "secret", &user.into())
        }
        "meta" => json!([{
            "preset": "meta",
            "secret": credentials["secret"],
            "verify_token": credentials["verify_token"],
        }]),
        preset @ ("sendgrid" | "wise") => of(preset, "public_key", &credentials["public_key"]),
        "asana" => json!([{
            "secret": credentials["secret"],
            "header": "x-hook-signature",
            "type": "{events.0.resource.resource_type}.{events.0.action}",
            "subject": "events.0.resource.gid",
            "time": "events.0.created_at",
            "status": 200,
            "handshake": { "when_empty": "events" },
        }]),
        preset => secret(preset),
    }
}

/// When the vector's request is received: now, if the vector says it; else when `SendGrid` signed it; else any time.
fn now(vector: &Value) -> i64 {
    let signed_at = &vector["input"]["request"]["headers"]["X-Twilio-Email-Event-Webhook-Timestamp"];
    let signed_at = signed_at.as_str().and_then(|text| text.parse().ok());
    vector["input"]["now"].as_i64().or(signed_at).unwrap_or(fixed().now.0 / 1000)
}

/// What differs from the vector's expectation.
fn run(vector: &Value) -> Result<(), String> {
    let expect = &vector["expect"];
    let credentials = json!({ "default": entries(vector) }).to_string();
    NOW.set(now(vector));
    let ambient = || Ok(Ambient { now: Timestamp(NOW.get() * 1000), ..fixed() });
    let setup = Setup::at(letterbox_registry::find("signed").unwrap(), &credentials, ambient)?;
    let answer = block_on(setup.handler.handle("default", &request(&vector["input"])));
    let queued = setup.queue().take();
    let (status, reason) = (answer.response.status().as_u16(), answer.record.reason);

    if expect["ok"] == false {
        if !queued.is_empty() {
            return Err(format!("expected {}, but it is queued", expect["error"]));
        }
        let (code, wanted) = (reason.unwrap_or("none"), text(expect, "error"));
        let fits = same(wanted, code) && (code == "missing_field" || status == status_of(wanted));
        return if fits { Ok(()) } else { Err(format!("expected {wanted}, got {status} {code}")) };
    }
    if status >= 300 {
        return Err(format!("expected to be accepted, got {status} {reason:?}"));
    }
    if expect["kind"] == "handshake" {
        equal("queued", queued.len(), 0)?;
        return reply(&expect["reply"], &answer.response);
    }
    equal("queued", queued.len(), 1)?;
    let message: Value = serde_json::from_str(&queued[0].body).unwrap();
    if expect["reply"].is_object() {
        reply(&expect["reply"], &answer.response)?;
    }
    let facts = expect["event"].as_object().unwrap();
    facts.iter().filter(|(name, _)| *name != "count").try_for_each(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        fact(text(vector, "provider"), &message, name, &value)
    })
}

/// Compares a fact of the event. Where the sender does not sign it, it must be in an attribute of its own, and the event
/// have what is verified instead.
fn fact(sender: &str, message: &Value, name: &str, expected: &str) -> Result<(), String> {
    let got = message[name].as_str();
    if let Some((.., attribute)) = UNSIGNED.iter().find(|(of, fact, _)| (*of, *fact) == (sender, name)) {
        if let Some(attribute) = attribute {
            equal(attribute, message[*attribute].as_str(), Some(expected))?;
        }
        return match (name, got) {
            ("id", Some(digest)) => equal("id", digest.len(), 64),
            ("time", Some(received)) => equal("time", received, &Timestamp(NOW.get() * 1000).to_string()),
            (_, None) => Ok(()),
            (_, Some(got)) => Err(format!("{name}: expected none, got {got}")),
        };
    }
    match name {
        "type" => equal(name, got, Some(&*format!("signed.{expected}"))),
        "time" => {
            // Xero's times have no offset: they are UTC.
            let utc = format!("{expected}Z");
            let time = letterbox_codec::timestamp::to_rfc3339(expected)
                .or_else(|| letterbox_codec::timestamp::to_rfc3339(&utc));
            equal(name, got, time.as_deref())
        }
        _ => equal(name, got, Some(expected)),
    }
}

/// The status of a refusal.
fn status_of(error: &str) -> u16 {
    match error {
        "invalid_json" | "missing_field" => 400,
        _ => 401,
    }
}

/// Where our reason for a refusal is another than the vectors', with ours.
const OTHER_REASONS: &[(&str, &str)] = &[
    // A header that belongs to the signature is missing: the timestamp's, the id's or a covered one.
    ("missing_header", "missing_signature"),
    // No element of the header has the version of the entry.
    ("signature_mismatch", "malformed_signature"),
    // The timestamp is read only once its signature is verified.
    ("malformed_timestamp", "signature_mismatch"),
    // The token of a handshake is a secret like others.
    ("token_mismatch", "signature_mismatch"),
    ("missing_field", "malformed_field"),
];

fn same(wanted: &str, code: &str) -> bool {
    wanted == code || OTHER_REASONS.contains(&(wanted, code))
}
