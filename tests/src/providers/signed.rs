//! Described senders that are no payment service: sample events, and broken deliveries.

use http::Method;
use letterbox_codec::Stage;
use serde_json::json;

use super::Provider;
use crate::{
    cases::{self, Large, Of, Payload},
    doctor::{self, Case, Event, Made, Options, Vectors, sent},
};

pub(super) const PROVIDER: Provider = Provider {
    name: "signed",
    statuses: &[200, 202, 400, 401, 404, 405, 413, 503],
    unusable: 400,
    refusals: &[
        ("get", "method_not_allowed", Stage::Route),
        ("unknown_source", "unknown_source", Stage::Route),
        ("subscribe_without_challenge", "missing_field", Stage::Form),
        ("subscribe_with_another_token", "signature_mismatch", Stage::Key),
        ("wrong_signature", "signature_mismatch", Stage::Key),
        ("stale", "timestamp_out_of_range", Stage::Address),
        ("array", "missing_field", Stage::Payload),
        ("too_large", "too_large", Stage::Payload),
    ],
    cases,
    broken,
};

/// A handshake as Meta makes it.
const SUBSCRIBE: &str =
    "/signed/handshake?hub.mode=subscribe&hub.verify_token=letterbox-demo-token&hub.challenge=1158201444";

fn cases() -> Vec<cases::Case> {
    let case = cases::case_of("signed");
    let joined = "standard-webhooks/member.joined";
    vec![
        case("joined", 202, "default", Of("joined"), cases::same),
        case("response", 202, "typeform", Of("typeform/form_response"), cases::same),
        case("contact", 200, "intercom", Of("intercom/contact.user.created"), cases::same),
        case("array", 400, "default", Payload("notice", br#"[{"event_type":"a"}]"#), cases::same),
        case("number_as_type", 202, "default", Payload("notice", br#"{"event_type":3}"#), cases::same),
        case("subscribe", 200, "handshake", Payload("notice", b""), |request| {
            *request.method_mut() = Method::GET;
            cases::path(request, SUBSCRIBE);
        }),
        case("subscribe_without_challenge", 400, "handshake", Payload("notice", b""), |request| {
            *request.method_mut() = Method::GET;
            cases::path(request, SUBSCRIBE.split("&hub.challenge").next().unwrap_or_default());
        }),
        case("subscribe_with_another_token", 401, "handshake", Payload("notice", b""), |request| {
            *request.method_mut() = Method::GET;
            cases::path(request, &SUBSCRIBE.replace("demo-token", "other"));
        }),
        case("wrong_signature", 401, "standard-webhooks", Of(joined), |request| {
            cases::body(request, br#"{"type":"member.joined"}"#);
        }),
        case("stale", 401, "standard-webhooks", Of(joined), cases::same),
        case("unknown_source", 404, "default", Of(joined), |request| cases::path(request, "/signed/nobody")),
        case("get", 405, "default", Of(joined), cases::get),
        case("too_large", 413, "default", Large("notice", 1024 * 1024), cases::same),
        case("queue_down", 503, "standard-webhooks", Of(joined), cases::same),
        case("queue_down_subscribe", 200, "handshake", Payload("notice", b""), |request| {
            *request.method_mut() = Method::GET;
            cases::path(request, SUBSCRIBE);
        }),
    ]
}

fn broken(cases: &mut Vec<Case>, _: &Vectors) -> Made<()> {
    let entry = json!({ "preset": "standard-webhooks", "secret": "whsec_bGV0dGVyYm94LWRvY3RvcnMtdGVzdA==" });
    let request = sent("signed", &entry, "standard-webhooks/member.joined", None)?;
    let case =
        |cause, about, form, request, entry| doctor::case("signed", cause, about, form, request, entry);
    cases.extend([
        case("opens", "nothing is wrong", Options, request.clone(), entry),
        case(
            "secret_mismatch",
            "another secret",
            Event,
            request,
            json!({ "preset": "standard-webhooks", "secret": "whsec_cXVpdGUtb3RoZXItc2VjcmV0" }),
        ),
    ]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use letterbox_codec::Request;
    use letterbox_intake::Outcome;
    use serde_json::Value;

    use super::*;
    use crate::{fixed, receiver::Receiver};

    /// A signed delivery of an entry, with headers that are not signed; an empty value takes the header away.
    fn build_request(receiver: &Receiver, headers: &[(&'static str, &str)], body: &str) -> Request {
        let mut request = receiver.build_request(None, "a", body.as_bytes(), &fixed());
        for (name, value) in headers {
            let headers = request.headers_mut();
            headers.remove(*name);
            if !value.is_empty() {
                headers.insert(*name, value.parse().unwrap());
            }
        }
        request
    }

    /// The members of the event that differ from what is expected.
    fn differences(event: &Value, expected: &Value) -> Vec<String> {
        let expected = expected.as_object().unwrap().iter();
        let differing = expected.filter(|(name, value)| event.get(*name).unwrap_or(&Value::Null) != *value);
        differing.map(|(name, value)| format!("{name}: {:?}, expected {value}", event.get(name))).collect()
    }

    #[test]
    #[allow(clippy::too_many_lines, reason = "a table")]
    fn an_entry_says_what_the_event_is() {
        for (entry, headers, body, expected) in [
            // The type: inside of lists, several places, headers, numbers, defaults.
            (json!({ "type": "0.1.kind" }), &[][..], r#"[[1,{"kind":"a"}]]"#, json!({ "type": "signed.a" })),
            (json!({ "type": "list.2" }), &[], r#"{"list":[1,2,3]}"#, json!({ "type": "signed.3" })),
            (
                json!({ "type": "{o}:{l.0.a}", "subject": "l.1" }),
                &[],
                r#"{"o":1.50,"l":[{"a":"b"},"s"]}"#,
                json!({ "type": "signed.1.50:b", "subject": "s" }),
            ),
            (
                json!({ "type": "{header:x-resource}.{action}" }),
                &[("x-resource", "issue")],
                r#"{"action":"created"}"#,
                json!({ "type": "signed.issue.created" }),
            ),
            (json!({ "type_default": "d" }), &[], r#"{"event_type":null}"#, json!({ "type": "signed.d" })),
            (json!({ "type_default": "d" }), &[], "[]", json!({ "type": "signed.d", "data": [] })),
            (json!({ "type_default": "d" }), &[], "5", json!({ "type": "signed.d", "data": 5 })),
            (
                json!({ "type_header": "x-no", "type_default": "d" }),
                &[("x-no", "")],
                "{}",
                json!({ "type": "signed.d" }),
            ),
            (
                json!({ "type": "{a}.{b}", "type_default": "d" }),
                &[],
                r#"{"a":"x"}"#,
                json!({ "type": "signed.d" }),
            ),
            (json!({ "type": "n" }), &[], r#"{"n":-12e3}"#, json!({ "type": "signed.-12e3" })),
            // An unsigned header may replace the type by one of the listed values only.
            (
                json!({ "type_override": { "header": "x-kind", "values": ["revocation"] } }),
                &[("x-kind", "revocation")],
                r#"{"event_type":"a"}"#,
                json!({ "type": "signed.revocation" }),
            ),
            (
                json!({ "type_override": { "header": "x-kind", "values": ["revocation"] } }),
                &[("x-kind", "other")],
                r#"{"event_type":"a"}"#,
                json!({ "type": "signed.a" }),
            ),
            // The entry's own place of the type goes over its preset's header.
            (
                json!({ "preset": "shopify", "type": "kind" }),
                &[],
                r#"{"kind":"k"}"#,
                json!({ "type": "signed.k" }),
            ),
            // Facts in headers.
            (
                json!({ "attributes": { "shop": "x-shop", "region2": "x-region" }, "delivery_header": "x-delivery" }),
                &[("x-shop", "a.example"), ("x-delivery", "d-1")],
                r#"{"event_type":"a"}"#,
                json!({ "shop": "a.example", "region2": null, "deliveryid": "d-1" }),
            ),
            (
                json!({ "unsigned_id_header": "x-event", "id": "id" }),
                &[("x-event", "e-1")],
                r#"{"event_type":"a","id":"i-1"}"#,
                json!({ "id": "e-1" }),
            ),
            (
                json!({ "unsigned_id_header": "x-event", "id": "id" }),
                &[],
                r#"{"event_type":"a","id":7}"#,
                json!({ "id": "7" }),
            ),
            // Forms.
            (
                json!({ "payload": "form", "type": "CallStatus", "subject": "From", "id": "CallSid" }),
                &[],
                "CallSid=CA1&CallStatus=completed&From=%2B1+555&Digits=1&Digits=2",
                json!({
                    "type": "signed.completed", "subject": "+1 555", "id": "CA1",
                    "datacontenttype": "application/json",
                    "rawdata": "CallSid=CA1&CallStatus=completed&From=%2B1+555&Digits=1&Digits=2",
                    "data": { "CallSid": "CA1", "CallStatus": "completed", "From": "+1 555", "Digits": ["1", "2"] },
                }),
            ),
            // A byte order mark is no part of the data.
            (
                json!({}),
                &[],
                "\u{feff}{\"event_type\":\"a\"}",
                json!({ "data": { "event_type": "a" }, "rawdata": null }),
            ),
        ] {
            let mut entry = entry;
            entry["secret"] = "s".into();
            let receiver = Receiver::new("signed", &entry);
            let (answer, messages) = receiver.handle(&build_request(&receiver, headers, body));
            assert_eq!(answer.record.outcome, Outcome::Queued, "{entry}: {:?}", answer.record);
            let event = serde_json::from_str(&messages[0].body).unwrap();
            assert_eq!(differences(&event, &expected), [""; 0], "{entry}");
        }
    }

    #[test]
    fn what_says_no_type_is_refused_and_the_place_is_named() {
        for (entry, headers, body, code, detail) in [
            (json!({ "type": "a.0.b" }), &[][..], r#"{"a":[]}"#, "missing_field", "a.0.b: missing"),
            (
                json!({ "type": "a.0" }),
                &[],
                r#"{"a":[[]]}"#,
                "malformed_field",
                "a.0: expected a string or number",
            ),
            (json!({ "type": "{a}.{b}" }), &[], r#"{"a":"x"}"#, "missing_field", "b: missing"),
            (
                json!({ "type": "a" }),
                &[],
                r#"{"a":true}"#,
                "malformed_field",
                "a: expected a string or number",
            ),
            (
                json!({ "type": "a", "type_default": "d" }),
                &[],
                r#"{"a":1,"a":2}"#,
                "malformed_field",
                "a: expected to",
            ),
            (
                json!({ "type_header": "x-a" }),
                &[("x-a", "")],
                "{}",
                "malformed_field",
                "x-a: expected one event type",
            ),
            (json!({ "accept": ["b"] }), &[], r#"{"event_type":"a"}"#, "unhandled_event_type", "unhandled"),
            (
                json!({ "accept": ["a"], "type_override": { "header": "x-a", "values": ["b"] } }),
                &[("x-a", "b")],
                r#"{"event_type":"a"}"#,
                "unhandled_event_type",
                "unhandled",
            ),
            (json!({ "payload": "form" }), &[], "a=1", "missing_field", "event_type: missing"),
        ] {
            let mut entry = entry;
            entry["secret"] = "s".into();
            let receiver = Receiver::new("signed", &entry);
            let (answer, messages) = receiver.handle(&build_request(&receiver, headers, body));
            let found = (answer.record.status, answer.record.reason);
            assert_eq!((found, messages.len()), ((400, Some(code)), 0), "{entry}");
            assert!(answer.record.detail.unwrap().starts_with(detail), "{entry}");
        }
    }

    /// Made with sha256sum.
    #[test]
    fn events_of_equal_content_share_an_id_only_if_they_share_their_type() {
        let id = |entry: Value, headers: &[(&'static str, &str)], body: &str| {
            let mut entry = entry;
            entry["secret"] = "s".into();
            let receiver = Receiver::new("signed", &entry);
            let (_, messages) = receiver.handle(&build_request(&receiver, headers, body));
            let event: Value = serde_json::from_str(&messages[0].body).unwrap();
            event["id"].as_str().unwrap().to_owned()
        };
        let body = r#"{"event_type":"a"}"#;
        let by_header = |kind| id(json!({ "type_header": "x-kind" }), &[("x-kind", kind)], body);
        let overridden = json!({ "type_override": { "header": "x-kind", "values": ["r"] } });
        let plain = id(json!({}), &[], body);
        assert_eq!(plain, PLAIN);
        assert_eq!(by_header("paid"), PAID);
        assert_ne!(by_header("created"), by_header("paid"));
        assert_eq!(id(overridden.clone(), &[("x-kind", "other")], body), plain);
        assert_ne!(id(overridden, &[("x-kind", "r")], body), plain);
        // Where the platform has an id, that is it.
        let with_id = json!({ "type_header": "x-kind", "id": "event_type" });
        assert_eq!(id(with_id, &[("x-kind", "paid")], body), "a");
    }

    const PLAIN: &str = "abeb5e75382e6ac20e69b2d723792796d3668b533e453071df42639bdb0a67c6";
    const PAID: &str = "edf883184455c7d93d74d6a500d320439392773bc34674bd29920c8b7a1f51d7";

    /// `status` and body of the response, and its content type.
    fn answered(receiver: &Receiver, request: &Request) -> (u16, String, String) {
        let (answer, messages) = receiver.handle(request);
        assert!(messages.is_empty() && answer.record.outcome != Outcome::Queued);
        let (parts, body) = answer.response.into_parts();
        let header = |name| parts.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let nosniff = header("x-content-type-options");
        let is_echo =
            answer.record.outcome == Outcome::Answered && !body.is_empty() && !body.contains("accepted");
        assert_eq!(nosniff, if is_echo { "nosniff" } else { "" }, "{body}");
        (parts.status.as_u16(), header("content-type"), body)
    }

    #[test]
    fn a_request_that_is_not_signed_is_answered_as_the_entry_says() {
        let meta = json!({
            "method": "GET", "when_query": { "hub.mode": "subscribe" }, "token_query": "hub.verify_token",
            "echo_query": "hub.challenge",
        });
        let okta = json!({
            "method": "GET", "echo_header": "x-okta-verification-challenge", "reply_member": "verification",
        });
        let both = json!([{ "method": "HEAD" }, { "method": "GET", "echo_query": "challenge" }]);
        let text = "text/plain; charset=utf-8";
        for (handshake, token, method, query, status, content_type, body) in [
            (
                &meta,
                Some("t&"),
                "GET",
                "hub.mode=subscribe&hub.verify_token=t%26&hub.challenge=a%20b",
                200,
                text,
                "a b",
            ),
            (
                &meta,
                Some("t"),
                "GET",
                "hub.mode=subscribe&hub.verify_token=other&hub.challenge=1",
                401,
                "",
                "",
            ),
            (&meta, Some("t"), "GET", "hub.mode=subscribe&hub.challenge=1", 401, "", ""),
            (&meta, None, "GET", "hub.mode=subscribe&hub.verify_token=t&hub.challenge=1", 401, "", ""),
            (&meta, Some("t"), "GET", "hub.mode=other&hub.verify_token=t&hub.challenge=1", 400, "", ""),
            (&meta, Some("t"), "GET", "hub.mode=subscribe&hub.verify_token=t", 400, "", ""),
            (
                &meta,
                Some("t"),
                "GET",
                "hub.mode=subscribe&hub.mode=subscribe&hub.verify_token=t",
                400,
                "",
                "",
            ),
            (&meta, Some("t"), "HEAD", "hub.mode=subscribe&hub.verify_token=t&hub.challenge=1", 405, "", ""),
            (&okta, None, "GET", "", 200, "application/json", r#"{"verification":"c-1"}"#),
            (&both, None, "HEAD", "", 200, "", ""),
            (&both, None, "GET", "challenge=%3Cb%3E", 200, text, "<b>"),
            (&both, None, "GET", "challenge=", 400, "", ""),
            (&both, None, "GET", "", 400, "", ""),
            (&both, None, "PUT", "challenge=1", 405, "", ""),
        ] {
            let mut entry = json!({ "secret": "s", "handshake": handshake });
            if let Some(token) = token {
                entry["verify_token"] = token.into();
            }
            let receiver = Receiver::new("signed", &entry);
            let request = http::Request::builder().method(method);
            let request = request.uri(format!("https://localhost/signed?{query}"));
            let request =
                request.header("x-okta-verification-challenge", "c-1").body(bytes::Bytes::new()).unwrap();
            let found = answered(&receiver, &request);
            if status == 200 {
                assert_eq!(found, (200, content_type.to_owned(), body.to_owned()), "{handshake} {query}");
            } else {
                assert_eq!(found.0, status, "{handshake} {method} {query}");
            }
        }
        // What a stranger has echoed is bounded.
        let receiver = Receiver::new("signed", &json!({ "secret": "s", "handshake": both }));
        for (length, expected) in [(4096, 200), (4097, 400)] {
            let uri = format!("https://localhost/signed?challenge={}", "x".repeat(length));
            let request = http::Request::builder().uri(uri).body(bytes::Bytes::new()).unwrap();
            assert_eq!(answered(&receiver, &request).0, expected, "{length}");
        }
    }

    #[test]
    fn a_verified_delivery_may_be_a_handshake() {
        let zoom = json!({
            "type": "endpoint.url_validation", "echo_path": "payload.plainToken",
            "reply_member": "plainToken", "mac_member": "encryptedToken",
        });
        let twitch = json!({ "when_header": { "x-kind": "verification" }, "echo_path": "challenge" });
        let empty = json!({ "when_empty": "events" });
        let text = "text/plain; charset=utf-8";
        let validation = r#"{"event_type":"endpoint.url_validation","payload":{"plainToken":"abc"}}"#;
        // printf abc | openssl dgst -sha256 -hmac s
        let signed = r#"{"encryptedToken":"47d920ed90784dc5eae635bfd0824f612d05f09f9a47f60390de873ad37e546b","plainToken":"abc"}"#;
        for (handshake, headers, body, expected) in [
            (&zoom, &[][..], validation, Some((200, "application/json", signed))),
            (
                &zoom,
                &[],
                r#"{"event_type":"endpoint.url_validation"}"#,
                Some((400, "", "payload.plainToken")),
            ),
            (&zoom, &[], r#"{"event_type":"meeting.started"}"#, None),
            (&twitch, &[("x-kind", "verification")], r#"{"challenge":"c"}"#, Some((200, text, "c"))),
            // Without a challenge nothing is swallowed.
            (&twitch, &[("x-kind", "verification")], r#"{"event_type":"a"}"#, Some((400, "", "challenge"))),
            (&twitch, &[("x-kind", "notification")], r#"{"event_type":"a","challenge":"c"}"#, None),
            (&empty, &[], r#"{"events":[ ]}"#, Some((202, "application/json", r#"{"status":"accepted"}"#))),
            (&empty, &[], r#"{"event_type":"a","events":[{}]}"#, None),
            (&empty, &[], r#"{"event_type":"a"}"#, None),
        ] {
            let entry = json!({ "secret": "s", "handshake": handshake });
            let receiver = Receiver::new("signed", &entry);
            let sent = build_request(&receiver, headers, body);
            match expected {
                None => assert_eq!(receiver.handle(&sent).1.len(), 1, "{handshake}: {body}"),
                Some((status, content_type, reply)) => {
                    let found = answered(&receiver, &sent);
                    assert_eq!(found.0, status, "{handshake}: {body}");
                    assert!(content_type.is_empty() || found.1 == content_type, "{handshake}: {found:?}");
                    let is_json = serde_json::from_str::<Value>(reply);
                    let is_reply = match &is_json {
                        Ok(json) => serde_json::from_str::<Value>(&found.2).ok().as_ref() == Some(json),
                        Err(_) => found.2.contains(reply),
                    };
                    assert!(is_reply, "{handshake}: {found:?}");
                }
            }
            // A handshake that must be verified is refused if it is not.
            let mut forged = sent;
            forged.headers_mut().insert("x-signature", "00".parse().unwrap());
            assert_eq!(answered(&receiver, &forged).0, 401, "{handshake}");
        }
    }

    #[test]
    fn an_acknowledgement_is_as_the_entry_writes_it() {
        for (entry, status, content_type, body) in [
            (json!({ "answer": { "body": "[accepted]" } }), 202, "text/plain; charset=utf-8", "[accepted]"),
            (json!({ "answer": { "status": 204 } }), 204, "", ""),
            (json!({ "status": 200, "answer": {} }), 200, "", ""),
            (
                json!({ "answer": { "status": 200, "content_type": "text/xml", "body": "<Response/>" } }),
                200,
                "text/xml",
                "<Response/>",
            ),
        ] {
            let mut entry = entry;
            entry["secret"] = "s".into();
            let receiver = Receiver::new("signed", &entry);
            let (answer, messages) = receiver.handle(&build_request(&receiver, &[], r#"{"event_type":"a"}"#));
            let (parts, found) = answer.response.into_parts();
            assert_eq!((parts.status.as_u16(), &*found, messages.len()), (status, body, 1), "{entry}");
            let found = parts.headers.get("content-type").map_or("", |value| value.to_str().unwrap());
            assert_eq!(found, content_type, "{entry}");
        }
    }
}
