//! Feishu and Lark: sample events, broken deliveries, and what is special about them.

use letterbox_codec::Stage::{Address, Form, Key, Payload as Content, Route, Seal};
use serde_json::{Value, json};

use super::Provider;
use crate::{
    cases::{self, Of, Payload},
    doctor::{
        self, Case, Curl, Event, Har, Made, Options, Vectors, body_text, but, get, sent, with_body,
        with_header,
    },
    fixed,
};

pub(super) const PROVIDER: Provider = Provider {
    name: "feishu",
    statuses: &[200, 400, 401, 404, 405, 413, 503],
    unusable: 400,
    refusals: &[
        ("not_json", "invalid_json", Form),
        ("empty", "invalid_json", Form),
        ("missing_nonce", "missing_field", Form),
        ("payload_without_type", "missing_field", Content),
        ("payload_without_token", "missing_field", Content),
        ("payload_not_json", "invalid_json", Content),
        ("wrong_signature", "signature_mismatch", Key),
        ("changed", "signature_mismatch", Key),
        ("two_signatures", "signature_mismatch", Key),
        ("signature_stripped", "missing_signature", Seal),
        ("card_signature_stripped", "missing_signature", Form),
        ("event_as_challenge", "missing_signature", Seal),
        ("in_clear", "not_encrypted", Key),
        ("no_encrypt_key", "no_encrypt_key", Key),
        ("other_token", "token_mismatch", Key),
        ("stale", "timestamp_out_of_range", Address),
        ("unknown_source", "unknown_source", Route),
        ("get", "method_not_allowed", Route),
        ("too_large", "too_large", Route),
    ],
    cases,
    broken,
};

const EVENT: &str = "im.message.receive_v1";
const SIGNATURE: &str = "x-lark-signature";
const TOKEN: &str = "doctor-verification-token";
const ENCRYPT_KEY: &str = "doctor-encrypt-key";

/// The credentials entry that the broken deliveries are made with.
fn entry() -> Value {
    json!({ "verification_token": TOKEN, "encrypt_key": ENCRYPT_KEY })
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<cases::Case> {
    let case = cases::case_of("feishu");
    let event = |name, status, change| case(name, status, "default", Of(EVENT), change);
    let payload = |name, payload| case(name, 400, "default", Payload("event", payload), cases::same);
    vec![
        event("event", 200, cases::same),
        case("event_in_clear", 200, "clear", Of(EVENT), cases::same),
        case("schema_1", 200, "default", Of("message"), cases::same),
        case("schema_1_in_clear", 200, "clear", Of("message"), cases::same),
        case("card", 200, "default", Of("card.action.trigger"), cases::same),
        case("link_preview", 200, "default", Of("url.preview.get"), cases::same),
        case("old_card", 200, "clear", Of("card.action"), cases::same),
        case("old_card_encrypted", 200, "default", Of("card.action"), cases::same),
        case("challenge", 200, "default", Of("url_verification"), cases::same),
        case("challenge_in_clear", 200, "clear", Of("url_verification"), cases::same),
        event("not_json", 400, |request| cases::body(request, b"encrypt=abc")),
        event("empty", 400, |request| cases::body(request, b"")),
        event("missing_nonce", 400, |request| cases::header(request, "x-lark-request-nonce", None)),
        payload("payload_without_type", br#"{"schema":"2.0","header":{"token":""}}"#),
        payload("payload_without_token", br#"{"schema":"2.0","header":{"event_type":"a"}}"#),
        payload("payload_not_json", b"hello"),
        event("wrong_signature", 401, |request| cases::header(request, SIGNATURE, Some("00"))),
        event("changed", 401, |request| {
            let body = [request.body(), &b" "[..]].concat();
            cases::body(request, &body);
        }),
        event("two_signatures", 401, |request| {
            let signature = request.headers().get(SIGNATURE).cloned();
            if let Some(signature) = signature {
                request.headers_mut().append(SIGNATURE, signature);
            }
        }),
        event("signature_stripped", 401, |request| cases::header(request, SIGNATURE, None)),
        case("card_signature_stripped", 401, "clear", Of("card.action"), |request| {
            cases::header(request, SIGNATURE, None);
        }),
        case(
            "event_as_challenge",
            401,
            "default",
            Payload("event", br#"{"type":"event_callback","challenge":"c","token":"","event":{"type":"a"}}"#),
            |request| cases::header(request, SIGNATURE, None),
        ),
        case("in_clear", 401, "clear", Of(EVENT), |request| cases::path(request, "/feishu")),
        event("no_encrypt_key", 401, |request| cases::path(request, "/feishu/clear")),
        case("other_token", 401, "clear", Of(EVENT), |request| {
            let body = String::from_utf8_lossy(request.body()).replace("clear-token", "other-token");
            cases::body(request, body.as_bytes());
        }),
        event("stale", 401, cases::same),
        event("unknown_source", 404, |request| cases::path(request, "/feishu/nobody")),
        event("get", 405, cases::get),
        event("too_large", 413, |request| {
            cases::body(request, format!(r#"{{"encrypt":"{}"}}"#, "A".repeat(1024 * 1024)).as_bytes());
        }),
        event("queue_down", 503, cases::same),
        case("queue_down_challenge", 200, "default", Of("url_verification"), cases::same),
    ]
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn broken(cases: &mut Vec<Case>, _: &Vectors) -> Made<()> {
    let case =
        |cause, about, form, request, entry| doctor::case("feishu", cause, about, form, request, entry);
    let entry = entry();
    let clear = json!({ "verification_token": TOKEN });
    let request = sent("feishu", &entry, EVENT, None)?;
    let in_clear = sent("feishu", &clear, EVENT, None)?;
    let with = |members: Value| but(&entry, &members);
    cases.extend([
        case("opens", "nothing is wrong", Event, request.clone(), entry.clone()),
        case("opens", "an event in clear", Curl, in_clear.clone(), clear.clone()),
        case("opens", "a challenge", Har, sent("feishu", &entry, "url_verification", None)?, entry.clone()),
        case(
            "secret_mismatch",
            "the encrypt_key is an older one",
            Event,
            request.clone(),
            with(json!({ "encrypt_key": "an-older-key" })),
        ),
        case(
            "token_mismatch",
            "the verification_token is an older one",
            Event,
            request.clone(),
            with(json!({ "verification_token": "an-older-token" })),
        ),
        case(
            "signature_missing",
            "a proxy dropped the signature",
            Curl,
            with_header(&request, SIGNATURE, None)?,
            entry.clone(),
        ),
        case(
            "parameter_missing",
            "a proxy dropped the nonce",
            Event,
            with_header(&request, "x-lark-request-nonce", None)?,
            entry.clone(),
        ),
        case(
            "credentials_invalid",
            "the app has no Encrypt Key, and the entry has one",
            Event,
            in_clear,
            entry.clone(),
        ),
        case(
            "credentials_invalid",
            "the app has an Encrypt Key, and the entry has none",
            Options,
            request.clone(),
            clear,
        ),
        case("body_empty", "a middleware read the body", Event, with_body(&request, ""), entry.clone()),
        case(
            "body_malformed",
            "a proxy cut the body",
            Event,
            with_body(&request, &body_text(&request)[..100]),
            entry.clone(),
        ),
        case("timestamp_stale", "an hour late", Event, request.clone(), entry.clone())
            .at(fixed().now.0 + 3_600_000),
        case("wrong_method", "the URL was opened in a browser", Event, get(&request), entry.clone()),
        case(
            "reply_refused",
            "the challenge is not answered",
            Event,
            sent("feishu", &entry, "url_verification", None)?,
            entry.clone(),
        )
        .answered("{}"),
    ]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use letterbox_codec::{Ambient, Timestamp};
    use letterbox_intake::Outcome;

    use super::*;
    use crate::receiver::Receiver;

    fn encrypted() -> Value {
        json!({ "verification_token": "t", "encrypt_key": "k" })
    }

    fn clear() -> Value {
        json!({ "verification_token": "t" })
    }

    #[test]
    fn both_schemas_and_both_cards_become_events() {
        for entry in [encrypted(), clear()] {
            let receiver = Receiver::new("feishu", &entry);
            for (payload, kind, subject, id, time) in [
                (
                    r#"{"schema":"2.0","header":{"event_id":"e","event_type":"a.b_v1","create_time":"1763719200123","token":"","app_id":"cli"}}"#,
                    "feishu.a.b_v1",
                    Some("cli"),
                    Some("e"),
                    Some("2025-11-21T10:00:00.123Z"),
                ),
                (
                    r#"{"schema":"2.0","header":{"event_id":"e","event_type":"card.action.trigger","create_time":"1763719200123456","token":""}}"#,
                    "feishu.card.action.trigger",
                    None,
                    Some("e"),
                    Some("2025-11-21T10:00:00.123456Z"),
                ),
                (
                    r#"{"uuid":"u","token":"","ts":"1763719200.376395","type":"event_callback","event":{"type":"message","app_id":"cli"}}"#,
                    "feishu.message",
                    Some("cli"),
                    Some("u"),
                    Some("2025-11-21T10:00:00.376395Z"),
                ),
                (
                    r#"{"open_id":"ou","tenant_key":"tk","token":"c-1","action":{"tag":"button"}}"#,
                    "feishu.card.action",
                    Some("tk"),
                    None,
                    None,
                ),
            ] {
                let event = receiver.event("event", payload.as_bytes());
                assert_eq!(event["type"], kind, "{payload}");
                assert_eq!(event["subject"].as_str(), subject, "{payload}");
                match id {
                    Some(id) => assert_eq!(event["id"], id, "{payload}"),
                    None => assert_eq!(event["id"].as_str().unwrap().len(), 64, "{payload}"),
                }
                assert_eq!(
                    event["time"],
                    time.map_or(event["receivedtime"].clone(), Value::from),
                    "{payload}"
                );
            }
        }
    }

    #[test]
    fn a_challenge_is_answered_with_its_text_as_json() {
        for entry in [encrypted(), clear()] {
            let receiver = Receiver::new("feishu", &entry);
            for challenge in ["ajls384kdjx98XX", "a\"b\\c", "中\u{1}\n", ""] {
                let payload = json!({ "challenge": challenge, "token": "", "type": "url_verification" });
                let request = receiver.build_request(None, "event", payload.to_string().as_bytes(), &fixed());
                assert!(!request.headers().contains_key(SIGNATURE));
                let (answer, messages) = receiver.handle(&request);
                assert_eq!((answer.record.outcome, messages.len()), (Outcome::Answered, 0));
                let body: Value = serde_json::from_str(answer.response.body()).unwrap();
                assert_eq!(body, json!({ "challenge": challenge }));
                assert_eq!(receiver.opened(&entry, &request, answer).unwrap(), challenge);
            }
        }
    }

    #[test]
    fn a_signed_event_that_calls_itself_a_challenge_is_an_event() {
        let receiver = Receiver::new("feishu", &encrypted());
        let payload = br#"{"schema":"2.0","type":"url_verification","challenge":"c","token":"t","header":{"event_type":"a","token":""}}"#;
        let mut request = receiver.build_request(None, "event", payload, &fixed());
        assert_eq!(receiver.handle(&request).1.len(), 1);
        request.headers_mut().remove(SIGNATURE);
        assert_eq!(receiver.refusal(&request), (401, "missing_signature"));
    }

    #[test]
    fn a_key_of_a_list_verifies_and_an_older_app_without_encryption_keeps_its_source() {
        let receiver = Receiver::new(
            "feishu",
            &json!([{ "verification_token": "new", "encrypt_key": "new" }, encrypted(), clear()]),
        );
        let payload = br#"{"schema":"2.0","header":{"event_type":"a","token":""}}"#;
        for (position, entry) in [(1, encrypted()), (2, clear())] {
            let request = receiver.build_request(Some(&entry), "event", payload, &fixed());
            let (answer, messages) = receiver.handle(&request);
            assert_eq!((answer.record.key, messages.len()), (Some(position), 1));
        }
    }

    #[test]
    fn a_signature_is_valid_for_five_minutes_unless_told() {
        let mut wide = encrypted();
        wide["tolerance"] = json!(3600);
        for (entry, age, expected) in [
            (encrypted(), 299_000, None),
            (encrypted(), 302_000, Some((401, "timestamp_out_of_range"))),
            (encrypted(), -302_000, Some((401, "timestamp_out_of_range"))),
            (wide, 302_000, None),
            (clear(), 90_000_000, None),
        ] {
            let receiver = Receiver::new("feishu", &entry);
            let sent = Ambient { now: Timestamp(fixed().now.0 - age), ..fixed() };
            let payload = br#"{"schema":"2.0","header":{"event_type":"a","token":""}}"#;
            let request = receiver.build_request(None, "event", payload, &sent);
            match expected {
                Some(refusal) => assert_eq!(receiver.refusal(&request), refusal, "{age}"),
                None => assert_eq!(receiver.handle(&request).1.len(), 1, "{age}"),
            }
        }
    }

    #[test]
    fn a_replayed_or_repeated_delivery_is_the_same_event() {
        let receiver = Receiver::new("feishu", &encrypted());
        let again = Ambient { entropy: [9; Ambient::ENTROPY], ..fixed() };
        for payload in [
            &br#"{"schema":"2.0","header":{"event_type":"a","token":""}}"#[..],
            br#"{"open_id":"ou","token":"c-1"}"#,
        ] {
            let ids: std::collections::BTreeSet<_> = [fixed(), fixed(), Ambient { ..again }]
                .iter()
                .map(|ambient| {
                    let request = receiver.build_request(None, "event", payload, ambient);
                    let event: Value = serde_json::from_str(&receiver.handle(&request).1[0].body).unwrap();
                    event["id"].as_str().unwrap().to_owned()
                })
                .collect();
            assert_eq!(ids.len(), 1);
        }
    }
}
