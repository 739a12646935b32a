//! What people reported about other receivers of webhooks: small inputs, and what Letterbox does with each.
//!
//! `reports.json` has them. Names, data and secrets are invented; `situation` names the public reports. The signatures were
//! made by other implementations (CPython's hmac, wechatpy, jwcrypto, cryptography) at the time `now`. The cases about
//! `letterbox doctor` and `letterbox serve` are run by the tests of `cli`.

use std::{collections::BTreeMap, fs};

use base64::{Engine, engine::general_purpose::STANDARD};
use letterbox::formats::gateway::event;
use letterbox_codec::{Ambient, Request, Timestamp};
use letterbox_intake::gateway;
use letterbox_tests::{Setup, block_on, fixed, root};
use serde_json::{Map, Value, json};

/// When every case is received.
const NOW: i64 = 1_795_000_000;

fn cases(kind: &str) -> Vec<Value> {
    let text = fs::read_to_string(root().join("tests/reports.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    cases.into_iter().filter(|case| case["kind"] == kind).collect()
}

fn text<'c>(case: &'c Value, member: &str) -> &'c str {
    case[member].as_str().unwrap_or_else(|| panic!("{}: no {member}", case["id"]))
}

/// The request, as API Gateway passes it on.
fn request(case: &Value) -> (String, Request) {
    let (provider, request) = (text(case, "provider"), &case["request"]);
    let body = match request["body_b64"].as_str() {
        Some(body) => STANDARD.decode(body).unwrap(),
        None => text(request, "body").as_bytes().to_vec(),
    };
    let query = text(request, "query");
    let separator = if query.is_empty() { "" } else { "?" };
    let uri = format!("https://hooks.example.com{}{separator}{query}", text(request, "path"));
    let mut sent = http::Request::builder().method(text(request, "method")).uri(uri);
    for (name, value) in request["headers"].as_object().unwrap() {
        sent = sent.header(name, value.as_str().unwrap());
    }
    let sent = sent.body(body.into()).unwrap();
    let event = event(&sent, provider, Timestamp(NOW * 1000));
    gateway::request(provider, serde_json::from_value(event).unwrap()).unwrap()
}

/// The credentials of the provider: those that the case writes out, or its entry and its other sources.
fn credentials(case: &Value, source: &str) -> String {
    if let Some(text) = case["credentials_text"].as_str() {
        let file: Value = serde_json::from_str(text).unwrap();
        return file[case["provider"].as_str().unwrap()].to_string();
    }
    let mut sources = case["others"].as_object().cloned().unwrap_or_default();
    sources.insert(source.to_owned(), case["entry"].clone());
    Value::Object(sources).to_string()
}

/// The response of the function, and its queue messages.
fn receive(case: &Value) -> (http::Response<String>, Vec<String>) {
    assert_eq!(case["now"], NOW, "{}", case["id"]);
    let platform = letterbox_registry::find(text(case, "provider")).unwrap();
    let (source, request) = request(case);
    let ambient = || Ok(Ambient { now: Timestamp(NOW * 1000), ..fixed() });
    let setup = Setup::at(platform, &credentials(case, &source), ambient)
        .unwrap_or_else(|error| panic!("{}: {error}", case["id"]));
    let response = block_on(setup.handler.handle(&source, &request)).response;
    (response, setup.queue().take().into_iter().map(|message| message.body).collect())
}

/// Checks a delivery, and returns the id of its event.
fn check(case: &Value) -> Option<String> {
    let (id, expected) = (&case["id"], &case["expect"]);
    let (response, messages) = receive(case);
    assert_eq!(expected["status"], response.status().as_u16(), "{id}: {}", response.body());
    assert_eq!(expected["queued"].as_u64().unwrap_or(1), messages.len() as u64, "{id}");
    let Some(message) = messages.first() else { return None };
    let event: Map<String, Value> = serde_json::from_str(message).unwrap();
    for member in ["type", "subject", "id", "time"] {
        if let Some(value) = expected.get(member) {
            assert_eq!(event.get(member), Some(value), "{id}: {member}");
        }
    }
    for (name, value) in expected["attributes"].as_object().into_iter().flatten() {
        assert_eq!(event.get(name), Some(value), "{id}: {name}");
    }
    if expected["data_verbatim"] == true {
        let sent = expected["data_text"].as_str().or(case["request"]["body"].as_str()).unwrap();
        assert!(message.ends_with(&format!("\"data\":{sent}}}")), "{id}: {message}");
    }
    if let Some(card) = expected["reply"].get("card") {
        let platform = letterbox_registry::find(text(case, "provider")).unwrap();
        let (source, request) = request(case);
        let keys = platform.keys(&credentials(case, &source)).unwrap();
        let reply = response.map(bytes::Bytes::from);
        let opened = keys.first(&source).unwrap().read_response(&request, &reply).unwrap();
        let opened: Value = serde_json::from_str(&opened).unwrap();
        assert_eq!((&opened["status"], &opened["data"]), (&json!(0), card), "{id}");
    }
    event["id"].as_str().map(str::to_owned)
}

#[test]
fn every_reported_delivery_is_received_as_it_should_be() {
    let mut cases = cases("receive");
    cases.extend(self::cases("serve"));
    cases.extend(self::cases("credentials").into_iter().filter(|case| case.get("request").is_some()));
    assert!(cases.len() >= 30, "{}", cases.len());
    let ids: BTreeMap<&str, Option<String>> =
        cases.iter().map(|case| (text(case, "id"), check(case))).collect();
    for case in &cases {
        let Some(other) = case["expect"]["id_differs_from"].as_str() else { continue };
        let (own, other) = (&ids[text(case, "id")], &ids[other]);
        assert!(own.is_some() && other.is_some() && own != other, "{}: {own:?}", case["id"]);
    }
}

/// A starting function reads its credentials: what is wrong is named, with its place, and no value is.
#[test]
fn every_reported_credentials_text_is_read_or_its_error_says_where() {
    let cases = cases("credentials").into_iter().filter(|case| case.get("request").is_none());
    let mut count = 0;
    for case in cases {
        count += 1;
        let (id, expected) = (&case["id"], &case["expect"]);
        let platform = letterbox_registry::find(text(&case, "provider")).unwrap();
        let Err(error) = platform.keys(text(&case, "credentials_text")) else {
            assert!(expected["starts"] == true || expected["may_start"] == true, "{id} starts");
            continue;
        };
        let error = error.to_string();
        assert_ne!(expected["starts"], true, "{id}: {error}");
        for secret in expected["must_not_say"].as_array().into_iter().flatten() {
            assert!(!error.contains(secret.as_str().unwrap()), "{id}: {error}");
        }
        for mention in expected["must_mention"].as_array().into_iter().flatten() {
            let words = mention.as_array().cloned().unwrap_or_else(|| vec![mention.clone()]);
            assert!(words.iter().any(|word| error.contains(word.as_str().unwrap())), "{id}: {error}");
        }
    }
    assert_eq!(count, 3);
}
