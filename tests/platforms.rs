//! Whole deliveries of the platforms, made by others: each strictly through its own function.
//!
//! Every file of `vectors/` is run. `vectors/<provider>.json` has a row for each delivery, provenance kept: a new file needs
//! no line here.

use std::{cell::Cell, collections::BTreeMap, fs};

use letterbox_codec::{Ambient, Timestamp, timestamp};
use letterbox_registry::{Platform, find};
use letterbox_tests::{Setup, block_on, fixed, root};
use serde_json::{Map, Value, json};

use crate::rows::{equal, reply, request, text};

/// Fields of a row's credentials that have another name in our entry: the provider, their name and ours.
const RENAMED: &[(&str, &str, &str)] = &[("twilio", "auth_token", "secret")];

/// Reasons of a refusal that have another name here, or that Letterbox finds earlier: where (the start of a row's id),
/// their name and ours.
const REASONS: &[(&str, &str, &str)] = &[
    ("", "receive_id_mismatch", "owner_key_mismatch"),
    // A header that belongs to the signature is missing.
    ("", "missing_header", "missing_signature"),
    // Of an unsigned ciphertext, no refusal says what it contains.
    ("feishu/neg-event-typed-url-verification-inside", "missing_field", "missing_signature"),
];

/// Rows whose `kind` is another here by a decision of ours: the row's id and our kind.
const KINDS: &[(&str, &str)] = &[
    ("wecom/bot-stream-refresh", "handshake"),
    // Confirmed only where the entry says so; the event has the URL.
    ("sns/subscription-confirmation", "event"),
];

/// What completes a platform's times without an offset; UTC for the others.
const OFFSETS: &[(&str, &str)] = &[("alipay", "+08:00")];

thread_local! {
    /// The time of receipt in milliseconds.
    static NOW: Cell<i64> = const { Cell::new(0) };
}

#[test]
fn every_vector() {
    let mut counts = BTreeMap::new();
    let mut failures = Vec::new();
    for (provider, rows) in files() {
        let platform = find(&provider).unwrap_or_else(|error| panic!("vectors/{provider}.json: {error}"));
        assert!(!rows.is_empty(), "vectors/{provider}.json has no rows");
        counts.insert(provider.clone(), rows.len());
        for row in &rows {
            let belongs = text(row, "provider") == provider && text(row, "op") == "webhook";
            let found = if belongs { run(platform, row) } else { Err(format!("not of {provider}")) };
            if let Err(found) = found {
                failures.push(format!("{}: {found}", text(row, "id")));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {counts:?}:\n{}", failures.len(), failures.join("\n"));
    println!("{counts:?}");
}

/// The rows of every file, by provider.
fn files() -> BTreeMap<String, Vec<Value>> {
    let paths = fs::read_dir(root().join("tests/vectors")).unwrap().map(|file| file.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let provider = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (provider, serde_json::from_slice(&fs::read(&path).unwrap()).unwrap())
        })
        .collect()
}

/// What differs from the row's expectation.
fn run(platform: &dyn Platform, row: &Value) -> Result<(), String> {
    let (id, input, expect) = (text(row, "id"), &row["input"], &row["expect"]);
    let now = input["now"].as_i64().map_or(fixed().now, |seconds| Timestamp(seconds * 1000));
    NOW.set(now.0);
    let credentials = json!({ "default": entry(platform.name(), &input["credentials"]) }).to_string();
    let ambient = || Ok(Ambient { now: Timestamp(NOW.get()), ..fixed() });
    let setup = Setup::at(platform, &credentials, ambient)?;
    let request = request(input);
    let answer = block_on(setup.handler.handle("default", &request));
    let queued = setup.queue().take();
    let (status, reason) = (answer.response.status().as_u16(), answer.record.reason.unwrap_or("none"));

    if expect["ok"] == false {
        equal("queued", queued.len(), 0)?;
        let wanted = text(expect, "error");
        let ours = REASONS.iter().find(|(of, theirs, _)| id.starts_with(of) && *theirs == wanted);
        equal("reason", reason, ours.map_or(wanted, |(.., ours)| ours))?;
        return equal("status", status, status_of(reason));
    }
    if status >= 300 {
        return Err(format!("expected to be accepted, got {status} {reason}"));
    }
    let kind = KINDS.iter().find(|(of, _)| *of == id).map_or(text(expect, "kind"), |(_, ours)| ours);
    equal("queued", queued.len(), usize::from(kind == "event"))?;
    if expect["reply"].is_object() {
        reply(&expect["reply"], &answer.response)?;
    }
    if let Some(plaintext) = expect["plaintext"].as_str() {
        let keys = platform.keys(&credentials).unwrap();
        let opened = keys.first("default").unwrap().open(&request, now);
        let opened = opened.map_err(|rejected| format!("open: {}", rejected.reject.code()))?;
        equal("plaintext", &*String::from_utf8_lossy(&opened.content), plaintext)?;
    }
    let facts = expect["event"].as_object().filter(|_| kind == "event");
    let Some(message) = queued.first() else { return Ok(()) };
    let message: Value = serde_json::from_str(&message.body).unwrap();
    facts.into_iter().flatten().try_for_each(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        fact(platform.name(), &message, name, &value)
    })
}

/// The entry of a row's credentials.
fn entry(provider: &str, credentials: &Value) -> Map<String, Value> {
    let fields = credentials.as_object().unwrap().iter().map(|(name, value)| {
        let ours = RENAMED.iter().find(|(of, theirs, _)| (*of, *theirs) == (provider, name));
        (ours.map_or(&**name, |(.., ours)| ours).to_owned(), value.clone())
    });
    fields.collect()
}

/// Compares a fact of the event with the place where the platform has it.
fn fact(provider: &str, message: &Value, name: &str, expected: &str) -> Result<(), String> {
    let got = message[name].as_str();
    match name {
        "type" => equal(name, got, Some(&*format!("{provider}.{expected}"))),
        "time" => equal(name, got, rfc3339(provider, expected).as_deref()),
        _ => equal(name, got, Some(expected)),
    }
}

/// A platform's time: digits, of which a fraction may be a part, RFC 3339, or a local time without an offset.
fn rfc3339(provider: &str, time: &str) -> Option<String> {
    let offset = OFFSETS.iter().find(|(of, _)| *of == provider).map_or("Z", |(_, offset)| offset);
    let completed = format!("{}{offset}", time.replace(' ', "T"));
    [time.to_owned(), completed, time.replace('.', "")].iter().find_map(|time| timestamp::to_rfc3339(time))
}

/// The status of a refusal.
fn status_of(reason: &str) -> u16 {
    match reason {
        "owner_key_mismatch" => 403,
        "invalid_json" | "invalid_xml" | "missing_field" | "malformed_field" => 400,
        _ => 401,
    }
}
