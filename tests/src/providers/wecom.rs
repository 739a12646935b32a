//! WeCom: sample events, broken deliveries, and what is special about it.

use letterbox_codec::Stage::{Address, Form, Key, Payload as Content, Route};
use serde_json::{Value, json};

use super::Provider;
use crate::{
    cases::{self, Of, Payload},
    doctor::{self, Case, Curl, Event, Made, Vectors, but, sent, with_body, with_uri},
    fixed,
};

pub(super) const PROVIDER: Provider = Provider {
    name: "wecom",
    statuses: &[200, 400, 401, 403, 404, 405, 413, 503],
    unusable: 400,
    refusals: &[
        ("missing_signature", "missing_field", Form),
        ("missing_encrypt", "missing_field", Form),
        ("missing_echostr", "missing_field", Form),
        ("external_entity", "invalid_xml", Form),
        ("not_xml", "invalid_xml", Form),
        ("empty", "invalid_xml", Form),
        ("message_as_echostr", "malformed_field", Content),
        ("payload_without_type", "missing_field", Content),
        ("payload_with_entities", "invalid_xml", Content),
        ("payload_not_json", "invalid_json", Content),
        ("wrong_signature", "signature_mismatch", Key),
        ("changed", "signature_mismatch", Key),
        ("other_source", "signature_mismatch", Key),
        ("stale", "timestamp_out_of_range", Address),
        ("unknown_source", "unknown_source", Route),
        ("put", "method_not_allowed", Route),
        ("other_corp", "owner_key_mismatch", Address),
        ("too_large", "too_large", Route),
    ],
    cases,
    broken,
};

const TOKEN: &str = "doctortoken2";
const AES_KEY: &str = "DoctorsTestKeyNotForProductionUse0000000002";
const OTHER_AES_KEY: &str = "OtherDoctorsTestKeyNotForProductionUse00002";
const CORP_ID: &str = "wwdoctorcorpid01";
const SUITE_ID: &str = "wwdoctorsuiteid01";

/// The credentials entry that the broken deliveries are made with.
fn entry() -> Value {
    json!({ "token": TOKEN, "aes_key": AES_KEY, "receive_id": CORP_ID })
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<cases::Case> {
    let case = cases::case_of("wecom");
    let text = |name, status, change| case(name, status, "default", Of("text"), change);
    let payload = |name, payload| case(name, 400, "default", Payload("event", payload), cases::same);
    vec![
        text("text", 200, cases::same),
        case("change_contact", 200, "default", Of("change_contact"), cases::same),
        case("template_card_event", 200, "default", Of("template_card_event"), cases::same),
        case("suite_ticket", 200, "default", Of("suite_ticket"), cases::same),
        case("text_json", 200, "default", Of("text_json"), cases::same),
        case("bot_text", 200, "bot", Of("bot_text"), cases::same),
        case("bot_enter_chat", 200, "bot", Of("bot_enter_chat"), cases::same),
        case("bot_stream", 200, "bot", Of("bot_stream"), cases::same),
        case("url_verification", 200, "default", Of("url_verification"), cases::same),
        case("url_verification_bare_plus", 200, "bot", Of("url_verification"), |request| {
            cases::rename_query(request, "%2B", "+");
        }),
        text("capital_encrypt", 200, |request| {
            let body = String::from_utf8_lossy(request.body()).into_owned();
            let (_, rest) = body.split_once("<Encrypt><![CDATA[").unwrap_or_default();
            let encrypt = rest.split(']').next().unwrap_or_default();
            cases::body(request, json!({ "Encrypt": encrypt }).to_string().as_bytes());
        }),
        text("missing_signature", 400, |request| cases::rename_query(request, "msg_signature=", "own=")),
        text("missing_encrypt", 400, |request| {
            cases::body(request, b"<xml><ToUserName>a</ToUserName></xml>");
        }),
        case("missing_echostr", 400, "default", Of("url_verification"), |request| {
            cases::rename_query(request, "echostr=", "own=");
        }),
        text("external_entity", 400, |request| {
            cases::body(
                request,
                br#"<!DOCTYPE xml [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml><Encrypt>&e;</Encrypt></xml>"#,
            );
        }),
        text("not_xml", 400, |request| cases::body(request, b"encrypt=abc")),
        text("empty", 400, |request| cases::body(request, b"")),
        text("message_as_echostr", 400, |request| {
            let body = String::from_utf8_lossy(request.body()).into_owned();
            let (_, rest) = body.split_once("<Encrypt><![CDATA[").unwrap_or_default();
            let encrypt = rest.split(']').next().unwrap_or_default();
            cases::append_query(request, &format!("echostr={}", encrypt.replace('+', "%2B")));
            cases::body(request, b"");
            cases::get(request);
        }),
        payload("payload_without_type", b"<xml><ToUserName>wwletterboxdemo</ToUserName></xml>"),
        payload(
            "payload_with_entities",
            br#"<!DOCTYPE xml [<!ENTITY a "a"><!ENTITY b "&a;&a;">]><xml><MsgType>&b;</MsgType></xml>"#,
        ),
        payload("payload_not_json", br#"{"MsgType":"text""#),
        text("wrong_signature", 401, |request| {
            cases::append_query_front(request, "msg_signature=0000000000000000000000000000000000000000");
        }),
        text("changed", 401, |request| {
            let body = String::from_utf8_lossy(request.body()).replacen("CDATA[", "CDATA[A", 2);
            cases::body(request, body.as_bytes());
        }),
        text("other_source", 401, |request| cases::path(request, "/wecom/bot")),
        case("stale", 401, "strict", Of("text"), cases::same),
        text("other_corp", 403, cases::same).sent_with("wwletterboxdemo", "wwsomeoneelse"),
        text("unknown_source", 404, |request| cases::path(request, "/wecom/nobody")),
        text("put", 405, |request| *request.method_mut() = http::Method::PUT),
        text("too_large", 413, |request| {
            cases::body(
                request,
                format!("<xml><Encrypt>{}</Encrypt></xml>", "A".repeat(1024 * 1024)).as_bytes(),
            );
        }),
        text("queue_down", 503, cases::same),
        case("queue_down_url_verification", 200, "default", Of("url_verification"), cases::same),
    ]
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn broken(cases: &mut Vec<Case>, _: &Vectors) -> Made<()> {
    let case = |cause, about, form, request, entry| doctor::case("wecom", cause, about, form, request, entry);
    let entry = entry();
    let request = sent("wecom", &entry, "text", None)?;
    let with = |members: Value| but(&entry, &members);
    cases.extend([
        case("opens", "nothing is wrong", Event, request.clone(), entry.clone()),
        case(
            "opens",
            "a third-party suite's command",
            Curl,
            sent("wecom", &with(json!({ "receive_id": SUITE_ID })), "suite_ticket", None)?,
            with(json!({ "receive_id": [CORP_ID, SUITE_ID] })),
        ),
        case(
            "opens",
            "a smart bot, whose receive_id is empty",
            Event,
            sent("wecom", &with(json!({ "receive_id": "" })), "bot_text", None)?,
            with(json!({ "receive_id": "" })),
        ),
        case(
            "secret_has_whitespace",
            "the token ends with a line feed",
            Event,
            request.clone(),
            with(json!({ "token": format!("{TOKEN}\n") })),
        ),
        case(
            "aes_key_length",
            "the aes_key lost its last character",
            Event,
            request.clone(),
            with(json!({ "aes_key": AES_KEY[..42] })),
        ),
        case(
            "aes_key_mismatch",
            "the aes_key is an older one",
            Event,
            request.clone(),
            with(json!({ "aes_key": OTHER_AES_KEY })),
        ),
        case(
            "unknown_source",
            "the URL names a source that is not there",
            Event,
            with_uri(&request, |uri| uri.replace("/wecom", "/wecom/nobody"))?,
            entry.clone(),
        ),
        case(
            "signature_missing",
            "a proxy dropped the query",
            Curl,
            with_uri(&request, |uri| uri.split('?').next().unwrap_or_default().to_owned())?,
            entry.clone(),
        ),
        case(
            "parameter_missing",
            "a proxy dropped the nonce",
            Event,
            with_uri(&request, |uri| uri.replace("nonce=", "n="))?,
            entry.clone(),
        ),
        case("body_empty", "a middleware read the body", Event, with_body(&request, ""), entry.clone()),
        case(
            "body_malformed",
            "a proxy cut the body",
            Event,
            with_body(&request, &request.body()[..100]),
            entry.clone(),
        ),
        case(
            "timestamp_stale",
            "an hour late under a tolerance",
            Event,
            request.clone(),
            with(json!({ "tolerance": 60 })),
        )
        .at(fixed().now.0 + 3_600_000),
        case(
            "payload_invalid",
            "the message has a document type declaration",
            Event,
            sent("wecom", &entry, "event", Some("<!DOCTYPE xml><xml><MsgType>text</MsgType></xml>"))?,
            entry.clone(),
        ),
        case("credentials_invalid", "another source lacks its token", Event, request.clone(), json!({}))
            .under(json!({ "wecom": { "default": entry, "bot": { "aes_key": AES_KEY, "receive_id": "" } } })),
        case(
            "reply_refused",
            "the response to a command is empty",
            Event,
            sent("wecom", &entry, "suite_ticket", None)?,
            entry.clone(),
        )
        .answered(""),
    ]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use letterbox_codec::{Ambient, Request, Timestamp};
    use letterbox_intake::Outcome;

    use super::*;
    use crate::receiver::Receiver;

    fn wecom(receive_id: &Value) -> Value {
        json!({ "token": "t", "aes_key": "Q7pR2sT9uV4wX1yZ8aB3cD6eF0gH5iJ2kL7mN4oP1qR", "receive_id": receive_id })
    }

    #[test]
    fn the_fields_of_a_message_become_an_event() {
        let receiver = Receiver::new("wecom", &wecom(&json!("ww1")));
        for (payload, kind, subject, id, time, action) in [
            (
                r"<xml><ToUserName>ww1</ToUserName><CreateTime>1763719200</CreateTime><MsgType> text </MsgType><MsgId>12</MsgId></xml>",
                "wecom.text",
                Some("ww1"),
                Some("12"),
                Some("2025-11-21T10:00:00Z"),
                None,
            ),
            (
                r"<xml><ToUserName>ww1</ToUserName><MsgType>event</MsgType><Event>change_contact</Event><ChangeType>create_user</ChangeType></xml>",
                "wecom.event.change_contact",
                Some("ww1"),
                None,
                None,
                Some("create_user"),
            ),
            (
                r"<xml><SuiteId>s</SuiteId><InfoType> <![CDATA[suite_ticket]]></InfoType><TimeStamp>1763719200</TimeStamp></xml>",
                "wecom.suite_ticket",
                Some("s"),
                None,
                Some("2025-11-21T10:00:00Z"),
                None,
            ),
            (
                r#"{"ToUserName":"ww1","MsgType":"image","MsgId":7312093846501932834}"#,
                "wecom.image",
                Some("ww1"),
                Some("7312093846501932834"),
                None,
                None,
            ),
            (
                r#"{"msgid":"m","aibotid":"b","msgtype":"event","event":{"eventtype":"enter_chat"},"create_time":1763719200}"#,
                "wecom.event.enter_chat",
                Some("b"),
                Some("m"),
                Some("2025-11-21T10:00:00Z"),
                None,
            ),
        ] {
            let event = receiver.event("event", payload.as_bytes());
            assert_eq!(event["type"], kind, "{payload}");
            assert_eq!(event["subject"].as_str(), subject, "{payload}");
            assert_eq!(event["action"].as_str(), action, "{payload}");
            match id {
                Some(id) => assert_eq!(event["id"], id, "{payload}"),
                None => assert_eq!(event["id"].as_str().unwrap().len(), 64, "{payload}"),
            }
            assert_eq!(event["time"], time.map_or(event["receivedtime"].clone(), Value::from), "{payload}");
            let raw = (!payload.starts_with('{')).then_some(payload);
            assert_eq!(event["rawdata"].as_str(), raw, "{payload}");
        }
    }

    #[test]
    fn repeated_and_nested_fields_are_kept() {
        let receiver = Receiver::new("wecom", &wecom(&json!("ww1")));
        let event = receiver.event(
            "event",
            b"<xml><MsgType>event</MsgType><Event>e</Event><L><I><K>1</K></I><I><K>2</K><K>3</K></I></L></xml>",
        );
        assert_eq!(
            event["data"],
            json!({ "MsgType": "event", "Event": "e", "L": { "I": [{ "K": "1" }, { "K": ["2", "3"] }] } })
        );
    }

    #[test]
    fn a_message_is_only_for_the_receivers_of_the_entry() {
        for (configured, sent, expected) in [
            (json!("ww1"), "ww1", None),
            (json!(["s1", "ww1"]), "ww1", None),
            (json!(""), "", None),
            (json!(["", "ww1"]), "", None),
            (json!("ww1"), "", Some((403, "owner_key_mismatch"))),
            (json!(""), "ww1", Some((403, "owner_key_mismatch"))),
            (json!("ww1"), "ww11", Some((403, "owner_key_mismatch"))),
        ] {
            let receiver = Receiver::new("wecom", &wecom(&configured));
            let request = receiver.build_request(
                Some(&wecom(&json!(sent))),
                "event",
                br#"{"MsgType":"text"}"#,
                &fixed(),
            );
            match expected {
                Some(refusal) => assert_eq!(receiver.refusal(&request), refusal, "{configured} {sent}"),
                None => assert_eq!(receiver.handle(&request).1.len(), 1, "{configured} {sent}"),
            }
        }
    }

    #[test]
    fn each_kind_has_its_acknowledgement() {
        let receiver = Receiver::new("wecom", &wecom(&json!("ww1")));
        for (payload, outcome, body) in [
            (&b"<xml><MsgType>text</MsgType></xml>"[..], Outcome::Queued, ""),
            (b"<xml><InfoType>suite_ticket</InfoType></xml>", Outcome::Queued, "success"),
            (br#"{"InfoType":"suite_ticket"}"#, Outcome::Queued, "success"),
            (br#"{"msgtype":"text"}"#, Outcome::Queued, ""),
            (br#"{"msgtype":"stream","stream":{"id":"s"}}"#, Outcome::Answered, ""),
        ] {
            let request = receiver.build_request(None, "event", payload, &fixed());
            let (answer, messages) = receiver.handle(&request);
            assert_eq!(answer.response.body(), body);
            assert_eq!(
                (answer.record.outcome, messages.len()),
                (outcome, usize::from(outcome == Outcome::Queued))
            );
            assert_eq!(receiver.opened(&wecom(&json!("ww1")), &request, answer).unwrap(), body);
        }
    }

    #[test]
    fn the_test_of_a_url_is_answered_with_its_text_and_no_message() {
        let receiver = Receiver::new("wecom", &wecom(&json!("ww1")));
        for (echostr, expected) in [
            ("1616140317555161061", Ok("1616140317555161061")),
            ("a b+中", Ok("a b+中")),
            ("<xml><MsgType>text</MsgType></xml>", Err((400, "malformed_field"))),
            (r#" {"msgtype":"text"}"#, Err((400, "malformed_field"))),
            ("", Err((400, "malformed_field"))),
            ("a\nb", Err((400, "malformed_field"))),
        ] {
            let request = receiver.build_request(None, "url_verification", echostr.as_bytes(), &fixed());
            match expected {
                Ok(body) => {
                    let (answer, messages) = receiver.handle(&request);
                    assert_eq!((answer.response.body().as_str(), messages.len()), (body, 0));
                    assert_eq!(answer.response.headers()["content-type"], "text/plain; charset=utf-8");
                    assert_eq!(receiver.opened(&wecom(&json!("ww1")), &request, answer).unwrap(), body);
                }
                Err(refusal) => assert_eq!(receiver.refusal(&request), refusal, "{echostr:?}"),
            }
        }
    }

    #[test]
    fn the_age_is_bounded_only_where_told() {
        let mut strict = wecom(&json!("ww1"));
        strict["tolerance"] = json!(60);
        for (entry, age, expected) in [
            (wecom(&json!("ww1")), 90_000_000, None),
            (strict.clone(), 59_000, None),
            (strict.clone(), 62_000, Some((401, "timestamp_out_of_range"))),
            (strict, -62_000, Some((401, "timestamp_out_of_range"))),
        ] {
            let receiver = Receiver::new("wecom", &entry);
            let sent = Ambient { now: Timestamp(fixed().now.0 - age), ..fixed() };
            let request = receiver.build_request(None, "event", br#"{"MsgType":"text"}"#, &sent);
            match expected {
                Some(refusal) => assert_eq!(receiver.refusal(&request), refusal, "{age}"),
                None => assert_eq!(receiver.handle(&request).1.len(), 1, "{age}"),
            }
        }
    }

    /// A repeated delivery is encrypted anew, and must be the same event.
    #[test]
    fn a_replayed_or_repeated_delivery_is_the_same_event() {
        let receiver = Receiver::new("wecom", &wecom(&json!("ww1")));
        let payload =
            b"<xml><MsgType>event</MsgType><Event>subscribe</Event><CreateTime>1</CreateTime></xml>";
        let again = Ambient { entropy: [9; Ambient::ENTROPY], ..fixed() };
        let requests =
            [fixed(), fixed(), again].map(|ambient| receiver.build_request(None, "event", payload, &ambient));
        assert_ne!(requests[0].body(), requests[2].body());
        let ids: std::collections::BTreeSet<_> = requests
            .iter()
            .map(|request| {
                let event: Value = serde_json::from_str(&receiver.handle(request).1[0].body).unwrap();
                event["id"].as_str().unwrap().to_owned()
            })
            .collect();
        assert_eq!(ids.len(), 1);
    }

    #[test]
    fn hostile_xml_is_refused_inside_and_outside() {
        let receiver = Receiver::new("wecom", &wecom(&json!("ww1")));
        let laughs = (1..12)
            .map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10)))
            .collect::<Vec<_>>()
            .concat();
        for document in [
            format!("<!DOCTYPE xml [<!ENTITY l0 \"lol\">{laughs}]><xml><MsgType>&l11;</MsgType></xml>"),
            "<!DOCTYPE xml SYSTEM \"http://127.0.0.1:1/\"><xml><MsgType>text</MsgType></xml>".to_owned(),
            format!("<xml><MsgType>text</MsgType>{}{}</xml>", "<a>".repeat(1000), "</a>".repeat(1000)),
            format!("<xml><MsgType>text</MsgType>{}</xml>", "<a/>".repeat(20_000)),
            "<a>".repeat(50_000),
        ] {
            let sealed = receiver.build_request(None, "event", document.as_bytes(), &fixed());
            assert_eq!(receiver.refusal(&sealed), (400, "invalid_xml"), "{} bytes", document.len());
            let mut outer: Request = sealed;
            *outer.body_mut() = document.clone().into_bytes().into();
            assert_eq!(receiver.refusal(&outer), (400, "invalid_xml"), "{} bytes", document.len());
        }
        // XML in JSON in XML stays text.
        let event = receiver.event(
            "event",
            br#"<xml><MsgType>text</MsgType><Content><![CDATA[{"a":"<xml>&lol;</xml>"}]]></Content></xml>"#,
        );
        assert_eq!(event["data"]["Content"], r#"{"a":"<xml>&lol;</xml>"}"#);
    }
}
