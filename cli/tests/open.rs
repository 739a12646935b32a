//! `letterbox open` and `letterbox seal`: single messages.

use std::{fs, path::Path, process::Command};

use crate::program::{Server, letterbox, letterbox_with, printed, run, text};

/// A sample event of the project.
fn event(name: &str) -> String {
    format!("{}/../events/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The time at which the sample events were signed.
const AT: [&str; 2] = ["--at", "2026-11-21T10:00:00Z"];

fn open(folder: &Path, args: &[&str], input: &[u8]) -> (String, String) {
    let output = letterbox_with(folder, &[&["open"], args].concat(), input);
    (printed(&output), text(&output.stderr))
}

#[test]
fn a_sealed_message_can_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    for (provider, payload, message) in [
        ("dingtalk", "success", "signature valid\nowner key dingletterboxdemo matches\n"),
        ("dingtalk", "{\"EventType\":\"茶\"}", "signature valid"),
        ("opencard", "{\"srcid\":\"123\"}", "tag valid, JOSE header {\"alg\":\"A128KW\""),
    ] {
        let sealed = letterbox_with(folder.path(), &["seal", provider, "--data", "-"], payload.as_bytes());
        let (content, checks) = open(folder.path(), &[provider], printed(&sealed).as_bytes());
        assert_eq!(content, format!("{payload}\n"));
        assert!(checks.starts_with(message), "{checks}");
    }
}

#[test]
fn a_response_can_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let sign = letterbox(folder.path(), &["sign", "dingtalk", "check_url", "--to", &server.url]);
    let answer = printed(&run(&mut Command::new("sh"), printed(&sign).as_bytes()));
    assert_eq!(open(folder.path(), &["dingtalk"], answer.as_bytes()).0, "success\n");
    // As `curl --include` prints it.
    let included = printed(&sign).replace("curl ", "curl --include ");
    let answer = printed(&run(&mut Command::new("sh"), included.as_bytes()));
    assert!(answer.starts_with("HTTP/1.1 200 OK"));
    assert_eq!(open(folder.path(), &["dingtalk"], answer.as_bytes()).0, "success\n");
    let sign = letterbox(folder.path(), &["sign", "opencard", "scenic_spot", "--to", &server.url]);
    let answer = printed(&run(&mut Command::new("sh"), printed(&sign).as_bytes()));
    assert!(open(folder.path(), &["opencard"], answer.as_bytes()).0.starts_with(r#"{"status":0"#));
}

#[test]
fn an_event_opens_with_any_entry_of_its_source() {
    let folder = tempfile::tempdir().unwrap();
    for (name, expected) in [
        ("dingtalk/user_add_org.200.json", "user_add_org"),
        ("dingtalk/check_create_suite_url.200.json", "aXz7PqLm"),
        ("opencard/scenic_spot.200.json", "故宫"),
        ("github/push.202.json", "acme-dev/widget"),
        ("github/form.202.json", r#"{"ref":"refs/heads/main""#),
        ("github/rotated.202.json", "acme-dev/widget"),
        ("payment/refund.202.json", "payment_refunded"),
    ] {
        let provider = name.split('/').next().unwrap();
        let file = event(name);
        let args = [&[provider, "--data", &file], &AT[..]].concat();
        assert!(open(folder.path(), &args, b"").0.contains(expected), "{name}");
    }
}

#[test]
fn a_body_needs_its_headers_or_url() {
    let folder = tempfile::tempdir().unwrap();
    let raw = printed(&letterbox(folder.path(), &["sign", "github", "ping", "--as", "raw"]));
    let (head, body) = raw.split_once("\r\n\r\n").unwrap();
    let signature = head.lines().find(|line| line.starts_with("x-hub-signature-256")).unwrap();
    let (content, message) = open(folder.path(), &["github", "--header", signature], body.as_bytes());
    assert_eq!((content.trim_end(), message.as_str()), (body.trim_end(), "signature valid\n"));

    let raw = printed(&letterbox(folder.path(), &["sign", "dingtalk", "user_add_org", "--as", "raw"]));
    let (head, body) = raw.split_once("\r\n\r\n").unwrap();
    let target = head.split(' ').nth(1).unwrap();
    let url = format!("https://example.com{target}");
    let (_, message) = open(folder.path(), &["dingtalk", "--url", &url], body.as_bytes());
    assert!(message.starts_with("signature valid"), "{message}");
    let (content, message) = open(folder.path(), &["dingtalk"], body.as_bytes());
    assert!(content.contains("user_add_org") && message.starts_with("signature not checked"), "{message}");
}

#[test]
fn errors_give_the_reason_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("body.json"), "{\"event_type\":\"hunter2\"}").unwrap();
    fs::write(folder.path().join("cut.http"), "POST /github HTTP/1.1\r\nhost: h\r\n").unwrap();
    let stripe = r#"{"payment":{"stripe":{"preset":"stripe","secret":"hunter2hunter2"}}}"#;
    fs::write(folder.path().join("stripe.json"), stripe).unwrap();
    let sign = ["sign", "payment", "charge.succeeded", "--source", "stripe", "--credentials", "stripe.json"];
    let signed = letterbox(folder.path(), &[&sign[..], &["--as", "event"]].concat());
    fs::write(folder.path().join("stripe.event"), printed(&signed)).unwrap();
    let stripe = ["open", "payment", "--data", "stripe.event", "--credentials", "stripe.json"];
    printed(&letterbox(folder.path(), &stripe));
    let stale = [&stripe[..], &AT[..]].concat();
    let file = |name| event(name);
    for (args, expected) in [
        (
            &["open", "github", "--data", "body.json"][..],
            "github/default: missing_signature; a body alone has",
        ),
        (
            &["open", "dingtalk", "--data", "body.json"],
            "missing_field; The body does not have the form that the protocol requires. encrypt: missing. Send",
        ),
        (
            &["open", "opencard", "--data", "body.json"],
            "malformed_jwe; The body is not a compact JWE. body: expected a compact JWE",
        ),
        (
            &["open", "github", "--data", "cut.http"],
            "--data cut.http: expected an empty line after the headers",
        ),
        (&["open", "github", "--data", "absent.json"], "--data absent.json: No such file"),
        (
            &["open", "github", "--data", &file("github/wrong_signature.401.json")],
            "signature_mismatch; The signature does not match: the secret is not the one",
        ),
        (
            &["open", "dingtalk", "--data", &file("dingtalk/other_corp.403.json")],
            "owner_key_mismatch; `token` and `aes_key` match, but",
        ),
        (&["open", "dingtalk", "--data", &file("dingtalk/other_token.401.json")], "signature_mismatch"),
        (
            &["open", "opencard", "--data", &file("opencard/unknown_kid.401.json")],
            "unknown_kid; The query names a kid that the source has no key for.",
        ),
        (&["open", "opencard", "--data", &file("opencard/tampered.401.json")], "authentication_failed"),
        (&["open", "github", "--data", "body.json", "--source", "nobody"], "no source \"nobody\""),
        (&["open", "gitlab", "--data", "body.json"], "no provider \"gitlab\""),
        (&stale, "timestamp_out_of_range; --at TIME"),
        (
            &["seal", "github", "push"],
            "github signs its deliveries and encrypts nothing; print a signed one with `letterbox sign github push`",
        ),
        (&["seal", "payment", "--data", "body.json"], "payment signs its deliveries and encrypts nothing"),
        (&["seal", "dingtalk", "nothing"], "no sample \"nothing\" of dingtalk"),
        (&["seal", "dingtalk", "--data", "absent"], "--data absent: No such file"),
    ] {
        let output = letterbox(folder.path(), args);
        let message = text(&output.stderr);
        // All other errors here concern the command line, or a file that it names.
        let code = if message.contains("not accepted by") { 1 } else { 2 };
        assert_eq!(output.status.code(), Some(code), "{args:?}: {message}");
        assert!(message.contains(expected), "{args:?}: {message}");
        assert!(!message.contains("hunter2"), "{message}");
        assert!(output.stdout.is_empty());
    }
}
