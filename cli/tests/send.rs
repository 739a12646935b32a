//! `letterbox send`: own payloads, wrong responses, the platform's delivery policy, and many deliveries.

use std::{collections::BTreeSet, fs, time::Duration};

use serde_json::{Value, json};

use crate::program::{Receiver, Server, events, letterbox, letterbox_with, printed, text};

/// Credentials of a payment source with a preset.
fn preset(folder: &std::path::Path, name: &str) {
    let credentials =
        json!({ "payment": { "default": { "preset": name, "secret": "whsec_c2VjcmV0c2VjcmV0" } } });
    fs::write(folder.join("preset.json"), credentials.to_string()).unwrap();
}

#[test]
fn own_payloads_are_read_from_a_file_or_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let to = ["--to", server.url.as_str()];
    for (args, payload) in [
        (&["send", "dingtalk"][..], r#"{"EventType":"tea_served","CorpId":"ding1"}"#),
        (&["send", "opencard"], r#"{"srcid":"123","intent":{"x":1}}"#),
        (&["send", "github", "issues"], r#"{"action":"opened"}"#),
        (&["send", "payment"], r#"{"event_type":"paid"}"#),
    ] {
        fs::write(folder.path().join("own.json"), payload).unwrap();
        let file = [args, &["--data", "own.json"], &to].concat();
        assert!(printed(&letterbox(folder.path(), &file)).contains("ok: "));
        let input = [args, &["--data", "-"], &to].concat();
        assert!(printed(&letterbox_with(folder.path(), &input, payload.as_bytes())).contains("ok: "));
        let events = events(folder.path());
        for event in events.iter().rev().take(2) {
            assert_eq!(event["data"], serde_json::from_str::<Value>(payload).unwrap());
        }
    }
    let types: Vec<_> = events(folder.path()).iter().map(|event| event["type"].clone()).step_by(2).collect();
    assert_eq!(types, ["dingtalk.tea_served", "opencard.query", "github.issues", "payment.paid"]);
    let form = letterbox_with(
        folder.path(),
        &["send", "github", "push", "--data", "-", "--to", &server.url],
        b"payload=%7B%22a%22%3A1%7D",
    );
    assert!(form.status.success(), "{}", text(&form.stderr));
    assert_eq!(events(folder.path()).last().unwrap()["data"], json!({ "a": 1 }));
}

#[test]
fn a_response_is_checked_as_the_platform_does() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    for (args, checks) in [
        (
            &["dingtalk", "check_url"][..],
            "ok: status 200, signature, decryption, owner key, `success`; within the 1500 ms",
        ),
        (
            &["opencard", "scenic_spot"],
            "ok: status 200, the query's own JOSE header, tag, decryption; no limit",
        ),
        (&["github", "ping"], "ok: status 2xx; within the 10 s that the platform waits"),
        (&["payment", "payment_success"], "ok: status 2xx; within the 15 s"),
    ] {
        let output =
            letterbox(folder.path(), &[&["send"], args, &["--to", &server.url, "--as-platform"]].concat());
        assert!(printed(&output).contains(checks), "{}", text(&output.stdout));
    }
}

#[test]
fn wrong_responses_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let sealed = |word: &str| {
        printed(&letterbox_with(folder.path(), &["seal", "dingtalk", "--data", "-"], word.as_bytes()))
    };
    let other = r#"{"dingtalk":{"default":{"token":"t","aes_key":"LetterboxDemoKeyNotForProductionUse00000009","owner_key":"k"}}}"#;
    fs::write(folder.path().join("other.json"), other).unwrap();
    let forged = ["seal", "dingtalk", "--data", "-", "--credentials", "other.json"];
    let forged = printed(&letterbox_with(folder.path(), &forged, b"success"));
    let query = printed(&letterbox(folder.path(), &["seal", "opencard", "scenic_spot"]));
    for (args, status, body, expected) in [
        (["dingtalk", "user_add_org"], "200 OK", "success", "expected JSON with msg_signature"),
        (["dingtalk", "user_add_org"], "202 Accepted", "", "expected status 200, got 202 Accepted"),
        (["dingtalk", "user_add_org"], "200 OK", &forged, "is invalid: signature_mismatch"),
        (
            ["dingtalk", "user_add_org"],
            "200 OK",
            &sealed("seccess"),
            "expected `success` in the acknowledgement",
        ),
        (
            ["dingtalk", "check_url"],
            "200 OK",
            &sealed("aXz7PqLm"),
            "expected `success` in the acknowledgement",
        ),
        (["opencard", "scenic_spot"], "200 OK", "{}", "body: expected a compact JWE"),
        (["opencard", "scenic_spot"], "200 OK", &query, "JOSE header is not that of the query"),
        (["opencard", "scenic_spot"], "500 Oh", "", "expected status 200, got 500"),
        (["github", "push"], "302 Found", "", "expected a status from 200 to 299, got 302 Found"),
        (["payment", "payment_success"], "503 No", "", "expected a status from 200 to 299, got 503"),
    ] {
        let body: &'static str = body.to_owned().leak();
        let receiver = Receiver::start(&[(status, body)], Duration::ZERO);
        let output = letterbox(folder.path(), &["send", args[0], args[1], "--to", &receiver.url]);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains(expected), "{args:?}: {message}");
        assert_eq!(receiver.requests().len(), 1, "{args:?}: sent again, or followed a redirect");
    }
}

#[test]
fn a_late_response_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let word = printed(&letterbox_with(folder.path(), &["seal", "dingtalk", "--data", "-"], b"success"));
    let receiver = Receiver::start(&[("200 OK", word.leak())], Duration::from_millis(1700));
    let send = ["send", "dingtalk", "user_add_org", "--to", &receiver.url];
    let late = letterbox(folder.path(), &send);
    assert_eq!(late.status.code(), Some(1));
    assert!(
        text(&late.stderr).contains("the response came too late: dingtalk waits 1500 ms"),
        "{}",
        text(&late.stderr)
    );
    let lost = letterbox(folder.path(), &[&send[..], &["--as-platform", "--longest-pause", "0"]].concat());
    assert!(text(&lost.stderr).contains("no response within 1500 ms"), "{}", text(&lost.stderr));
}

#[test]
fn as_platform_retries_until_the_delivery_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    preset(folder.path(), "standard-webhooks");
    let answers = [("503 Down", "{}"), ("500 Oh", "{}"), ("202 Accepted", r#"{"status":"accepted"}"#)];
    let receiver = Receiver::start(&answers, Duration::ZERO);
    let args = ["send", "payment", "payment_success", "--to", &receiver.url, "--credentials", "preset.json"];
    let output = letterbox(folder.path(), &[&args[..], &["--as-platform", "--longest-pause", "0"]].concat());
    let message = printed(&output);
    assert!(
        message.contains("! attempt 2 of 10 in 0 s") && message.contains("! attempt 3 of 10"),
        "{message}"
    );
    assert!(message.contains("got 503") && message.contains(r#"= {"status":"accepted"}"#), "{message}");
    let requests = receiver.requests();
    let ids: BTreeSet<_> = requests.iter().map(|request| request.header("webhook-id").unwrap()).collect();
    assert_eq!((requests.len(), ids.len()), (3, 1), "one event has one id, however often it is sent");
    for request in &requests {
        let raw = [request.head.as_bytes(), &request.body].concat();
        printed(&letterbox_with(folder.path(), &["open", "payment", "--credentials", "preset.json"], &raw));
    }
}

#[test]
fn as_platform_gives_up_when_the_platform_does() {
    let folder = tempfile::tempdir().unwrap();
    for (name, pauses, expected) in [
        ("svix", 7, "Svix marks the message as failed"),
        ("square", 78, "Square discards the event after 72 hours"),
        ("stripe", 0, "Stripe retries for up to three days"),
    ] {
        preset(folder.path(), name);
        let receiver = Receiver::start(&[("503 Down", "")], Duration::ZERO);
        let args =
            ["send", "payment", "payment_success", "--to", &receiver.url, "--credentials", "preset.json"];
        let output =
            letterbox(folder.path(), &[&args[..], &["--as-platform", "--longest-pause", "0"]].concat());
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
        assert_eq!(receiver.requests().len(), pauses + 1, "{name}");
    }
    let receiver = Receiver::start(&[("503 Down", "")], Duration::ZERO);
    let args = ["send", "github", "push", "--to", &receiver.url, "--as-platform"];
    let message = text(&letterbox(folder.path(), &args).stderr);
    assert!(message.contains("GitHub does not retry automatically"), "{message}");
    assert_eq!(receiver.requests().len(), 1);
}

#[test]
fn repeats_are_separate_events_with_a_summary() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    for (provider, sample) in [
        ("dingtalk", "user_add_org"),
        ("opencard", "scenic_spot"),
        ("github", "push"),
        ("payment", "payment_success"),
    ] {
        let args = ["send", provider, sample, "--to", &server.url, "--repeat", "12", "--at-once", "3"];
        let output = letterbox(folder.path(), &args);
        let message = printed(&output);
        assert!(message.starts_with("12 deliveries in "), "{message}");
        assert!(message.contains(&format!("      12 answered as {provider} expects: status 2")), "{message}");
        assert!(message.contains("latency: least ") && message.contains(" ms, median "), "{message}");
        assert_eq!(text(&output.stderr), "", "a progress bar is for terminals");
    }
    let ids: BTreeSet<_> = events(folder.path()).iter().map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.len(), 48);

    let args =
        ["send", "payment", "payment_success", "--to", &server.url, "--repeat", "5", "--rate", "200/s"];
    printed(&letterbox(folder.path(), &[&args[..], &["--identical"]].concat()));
    let ids: BTreeSet<_> =
        events(folder.path()).iter().skip(48).map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
}

#[test]
fn a_rate_is_not_exceeded() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(&[("202 Accepted", "{}")], Duration::ZERO);
    let started = std::time::Instant::now();
    let args = ["send", "github", "push", "--to", &receiver.url, "--repeat", "5", "--rate", "10/s"];
    printed(&letterbox(folder.path(), &args));
    // The last of five starts at least 400 ms after the first, even on a fast machine.
    assert!(started.elapsed() >= Duration::from_millis(400));
    let deliveries: BTreeSet<_> = receiver
        .requests()
        .iter()
        .map(|request| request.header("x-github-delivery").unwrap().to_owned())
        .collect();
    assert_eq!(deliveries.len(), 5);
}

#[test]
fn failed_repeats_are_counted_by_cause() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(&[("202 Accepted", "{}"), ("503 Down", "")], Duration::ZERO);
    let output =
        letterbox(folder.path(), &["send", "github", "push", "--to", &receiver.url, "--repeat", "4"]);
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stdout);
    assert!(message.contains("       1 answered as github expects"), "{message}");
    assert!(
        message.contains(
            "       3 failed: the platform would not accept this response: expected a status from 200"
        ),
        "{message}"
    );
    assert!(text(&output.stderr).contains("3 of 4 deliveries failed"));
}
