//! DingTalk: sample events, broken deliveries, and what is special about it.

use base64::{Engine, engine::general_purpose::STANDARD};
use letterbox_codec::Stage;
use serde_json::{Value, json};

use super::Provider;
use crate::{
    cases::{self, Of, Payload},
    doctor::{
        self, Case, Curl, Event, Har, Made, Options, Vectors, body_text, but, get, post, sent, with_body,
        with_header, with_uri,
    },
    fixed,
};

pub(super) const PROVIDER: Provider = Provider {
    name: "dingtalk",
    // 403 is for another owner key, which only DingTalk has.
    statuses: &[200, 400, 401, 403, 404, 405, 413, 503],
    unusable: 400,
    refusals: &[
        ("get", "method_not_allowed", Stage::Route),
        ("unknown_source", "unknown_source", Stage::Route),
        ("too_large", "too_large", Stage::Route),
        ("missing_nonce", "missing_field", Stage::Form),
        ("duplicate_nonce", "malformed_field", Stage::Form),
        ("not_json", "invalid_json", Stage::Form),
        ("empty", "invalid_json", Stage::Form),
        ("missing_encrypt", "missing_field", Stage::Form),
        ("wrong_signature", "signature_mismatch", Stage::Key),
        ("other_token", "signature_mismatch", Stage::Key),
        ("stale", "timestamp_out_of_range", Stage::Address),
        ("other_corp", "owner_key_mismatch", Stage::Address),
        ("payload_without_type", "missing_field", Stage::Payload),
        ("payload_not_json", "invalid_json", Stage::Payload),
    ],
    cases,
    broken,
};

const TOKEN: &str = "doctortoken1";
const AES_KEY: &str = "DoctorsTestKeyNotForProductionUse0000000001";
const OTHER_AES_KEY: &str = "OtherDoctorsTestKeyNotForProductionUse00001";
const APP_KEY: &str = "dingdoctorappkey01";
const CORP_ID: &str = "ding5f2a9c7be41d08633f7c0a94d2e6b815";

/// The credentials entry that the broken deliveries are made with.
pub(super) fn entry() -> Value {
    json!({ "token": TOKEN, "aes_key": AES_KEY, "owner_key": APP_KEY })
}

fn cases() -> Vec<cases::Case> {
    let case = cases::case_of("dingtalk");
    vec![
        case("user_add_org", 200, "default", Of("user_add_org"), cases::same),
        case("user_add_org_legacy", 200, "default", Of("user_add_org.legacy"), cases::same),
        case("sync_push", 200, "suite", Of("SYNC_HTTP_PUSH_MEDIUM.legacy"), cases::same),
        case("both_corp_ids", 200, "default", Of("crm_customer_track.mixed"), cases::same),
        case(
            "unknown_event",
            200,
            "default",
            Payload("event", br#"{"EventType":"tea_served","CorpId":"ding1"}"#),
            cases::same,
        ),
        case("escaped_slashes", 200, "default", Of("user_add_org"), |request| {
            let escaped = String::from_utf8_lossy(request.body()).replace('/', "\\/");
            cases::body(request, escaped.as_bytes());
        }),
        case("own_query", 200, "default", Of("user_add_org"), |request| {
            cases::append_query(request, "tenant=%E4%BD%A0&x=1");
        }),
        case("check_url", 200, "default", Of("check_url"), cases::same),
        case("check_create_suite_url", 200, "suite", Of("check_create_suite_url"), cases::same),
        case("check_update_suite_url", 200, "suite", Of("check_update_suite_url"), cases::same),
        case("missing_nonce", 400, "default", Of("user_add_org"), |request| {
            cases::rename_query(request, "nonce=", "nonse=");
        }),
        case("duplicate_nonce", 400, "default", Of("user_add_org"), |request| {
            cases::append_query(request, "nonce=1");
        }),
        case("not_json", 400, "default", Of("user_add_org"), |request| cases::body(request, b"encrypt=abc")),
        case("empty", 400, "default", Of("user_add_org"), |request| cases::body(request, b"")),
        case("missing_encrypt", 400, "default", Of("user_add_org"), |request| cases::body(request, b"{}")),
        case("payload_without_type", 400, "default", Payload("event", br#"{"CorpId":"ding1"}"#), cases::same),
        case("payload_not_json", 400, "default", Payload("event", b"hello"), cases::same),
        case("wrong_signature", 401, "default", Of("user_add_org"), |request| {
            cases::append_query_front(request, "msg_signature=0000000000000000000000000000000000000000");
        }),
        case("other_token", 401, "suite", Of("user_add_org"), |request| cases::path(request, "/dingtalk")),
        case("stale", 401, "strict", Of("user_add_org"), cases::same),
        case("other_corp", 403, "default", Of("user_add_org"), cases::same)
            .sent_with("dingletterboxdemo", "dingsomeoneelse"),
        case("unknown_source", 404, "default", Of("user_add_org"), |request| {
            cases::path(request, "/dingtalk/nobody");
        }),
        case("get", 405, "default", Of("user_add_org"), cases::get),
        case("too_large", 413, "default", Of("user_add_org"), |request| {
            cases::body(request, format!(r#"{{"encrypt":"{}"}}"#, "A".repeat(1024 * 1024)).as_bytes());
        }),
        case("queue_down", 503, "default", Of("user_add_org"), cases::same),
        case("queue_down_check_url", 200, "default", Of("check_url"), cases::same),
    ]
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn broken(cases: &mut Vec<Case>, vectors: &Vectors) -> Made<()> {
    let case =
        |cause, about, form, request, entry| doctor::case("dingtalk", cause, about, form, request, entry);
    let entry = entry();
    let request = sent("dingtalk", &entry, "user_add_org", None)?;
    let (official, official_entry) = vectors.sealed("dingtalk/official-py3-check-url")?;
    let (suite, suite_entry) = vectors.sealed("dingtalk/official-rust-check-create-suite-url")?;
    let (both, both_entry) = vectors.sealed_request("dingtalk/neg-request-msg-signature-wrong")?;
    let (no_query, no_query_entry) = vectors.sealed_request("dingtalk/neg-request-no-query")?;
    let (number, number_entry) = vectors.sealed_request("dingtalk/neg-request-encrypt-number")?;
    let corp = sent("dingtalk", &but(&entry, &json!({ "owner_key": CORP_ID })), "user_add_org", None)?;
    let with = |members: Value| but(&entry, &members);
    let in_body = |change: fn(&str) -> String| with_body(&request, change(&body_text(&request)));

    cases.extend(vec![
        case("opens", "nothing is wrong", Event, request.clone(), entry.clone()),
        case("opens", "an official sample", Curl, official.clone(), official_entry.clone()),
        case("secret_has_whitespace", "the token ends with a line feed", Event, request.clone(), with(json!({ "token": format!("{TOKEN}\n") }))),
        case("secret_has_whitespace", "the aes_key ends with CR LF", Curl, request.clone(), with(json!({ "aes_key": format!("{AES_KEY}\r\n") }))),
        case("secret_has_whitespace", "one owner key of the list starts with a space", Har, request.clone(), with(json!({ "owner_key": [format!(" {APP_KEY}")] }))),
        case("secret_has_quotes", "the aes_key stands in quotes", Options, request.clone(), with(json!({ "aes_key": format!("\"{AES_KEY}\"") }))),
        case("aes_key_length", "the aes_key ends in the `=` of base64", Event, request.clone(), with(json!({ "aes_key": format!("{AES_KEY}=") }))),
        case("aes_key_length", "the aes_key lost its last character", Event, request.clone(), with(json!({ "aes_key": AES_KEY[..42] }))),
        case("token_aes_key_swapped", "token and aes_key are swapped", Event, request.clone(), with(json!({ "token": AES_KEY, "aes_key": TOKEN }))),
        case("aes_key_mismatch", "the aes_key is of an older refresh", Event, request.clone(), with(json!({ "aes_key": OTHER_AES_KEY }))),
        case("aes_key_mismatch", "an official sample under another app's aes_key", Curl, official.clone(), but(&official_entry, &json!({ "aes_key": AES_KEY }))),
        case("token_mismatch", "the token is of an older refresh", Event, request.clone(), with(json!({ "token": "anoldertoken" }))),
        case("token_mismatch", "an official sample under another token", Curl, official.clone(), but(&official_entry, &json!({ "token": TOKEN }))),
        case("token_mismatch", "token and aes_key are another app's", Event, request.clone(), with(json!({ "token": "anothertoken", "aes_key": OTHER_AES_KEY }))),
        case("owner_key_mismatch", "the entry names the CorpId, the message an AppKey", Event, request.clone(), with(json!({ "owner_key": CORP_ID }))),
        case("owner_key_mismatch", "the entry names the AppKey, the message a CorpId", Curl, corp, entry.clone()),
        case("owner_key_mismatch", "an official sample: a suite is being created", Har, suite, but(&suite_entry, &json!({ "owner_key": "suitedoctor0000001" }))),
        case("wrong_source", "the message is for another app", Event, request.clone(), json!({})).under(json!({ "dingtalk": { "default": { "token": "anothertoken", "aes_key": OTHER_AES_KEY, "owner_key": APP_KEY }, "acme": entry } })),
        case("unknown_source", "the URL names a source that is not there", Event, with_uri(&request, |uri| uri.replace("/dingtalk", "/dingtalk/nobody"))?, entry.clone()),
        case("query_changed", "msg_signature is wrong though signature is right", Event, both, both_entry),
        case("signature_missing", "a proxy dropped the query", Event, no_query, no_query_entry),
        case("signature_missing", "a proxy dropped the signature alone", Event, with_uri(&request, |uri| uri.replace("signature=", "s="))?, entry.clone()).says(&[], &["The token is not the one"]),
        case("signature_missing", "no signature, and another token", Event, with_uri(&request, |uri| uri.replace("signature=", "s="))?, with(json!({ "token": "anothertoken" }))).says(&[], &["the token is not the one"]),
        case("secret_altered", "the token is escaped as in a URL", Event, sent("dingtalk", &with(json!({ "token": "doctor+token/1" })), "user_add_org", None)?, with(json!({ "token": "doctor%2Btoken%2F1" }))).says(&["token has percent escapes"], &[]),
        case("parameter_missing", "a proxy dropped the nonce", Event, with_uri(&request, |uri| uri.replace("nonce=", "n="))?, entry.clone()),
        case("parameter_malformed", "the registered URL has a nonce of its own", Curl, with_uri(&request, |uri| uri + "&nonce=1")?, entry.clone()),
        case("signature_encoding", "the signature came in upper case", Options, with_uri(&official, |uri| uri.replace("03044561471240d4a14bb09372dfcfd4fd0e40cb", "03044561471240D4A14BB09372DFCFD4FD0E40CB"))?, official_entry),
        case("body_is_base64", "the gateway's base64 was not decoded", Event, with_body(&request, STANDARD.encode(request.body())), entry.clone()),
        case("body_changed", "a form on the way made spaces of `+`", Options, in_body(|body| body.replace('+', " ")), entry.clone()),
        case("opens", "a byte order mark was put before the body, and is skipped", Options, in_body(|body| format!("\u{feff}{body}")), entry.clone()),
        case("body_changed", "two byte order marks were put before the body", Options, in_body(|body| format!("\u{feff}\u{feff}{body}")), entry.clone()),
        case("body_empty", "a middleware read the body", Event, with_body(&request, ""), entry.clone()),
        case("body_malformed", "encrypt is a number", Event, number, number_entry),
        case("timestamp_stale", "an hour late under a tolerance", Event, request.clone(), with(json!({ "tolerance": 60 }))).at(fixed().now.0 + 3_600_000),
        case("robot_message", "a robot's outgoing message", Curl, with_header(&with_header(&post("dingtalk", "", r#"{"msgtype":"text","text":{"content":"hi"}}"#.into())?, "timestamp", Some("1795255200000"))?, "sign", Some("c2lnbg=="))?, entry.clone()),
        case("payload_invalid", "the message is no JSON", Event, sent("dingtalk", &entry, "event", Some("hello"))?, entry.clone()),
        case("wrong_method", "the URL was opened in a browser", Event, get(&request), entry.clone()),
        case("credentials_invalid", "another source lacks its token", Event, request.clone(), json!({})).under(json!({ "dingtalk": { "default": entry, "acme": { "aes_key": AES_KEY, "owner_key": APP_KEY } } })),
        case("reply_refused", "the answer is a plain success", Event, request.clone(), entry.clone()).answered("success"),
    ]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use letterbox_codec::{Ambient, Timestamp, timestamp};
    use letterbox_intake::{Answer, Outcome};

    use super::*;
    use crate::receiver::Receiver;

    fn dingtalk(owner_key: &str, token: &str) -> Value {
        json!({ "token": token, "aes_key": "Q7pR2sT9uV4wX1yZ8aB3cD6eF0gH5iJ2kL7mN4oP1qR", "owner_key": owner_key })
    }

    #[test]
    fn every_dingtalk_shape_gives_its_id_time_and_corp() {
        let receiver = Receiver::new("dingtalk", &dingtalk("key", "token"));
        let shapes: Vec<BTreeMap<String, Option<String>>> =
            serde_json::from_str(include_str!("../../dingtalk_shapes.json")).unwrap();
        assert!(shapes.len() > 200);
        for shape in shapes {
            let name = shape["sample"].as_deref().unwrap();
            let sample = receiver.platform.sample(name).unwrap_or_else(|| panic!("no sample {name}"));
            let payload: Value = serde_json::from_slice(&sample.payload).unwrap();
            let event_type = shape["type"].as_deref().unwrap();
            if event_type.starts_with("check_") && event_type.ends_with("_url") {
                let (answer, messages) =
                    receiver.handle(&receiver.build_request(None, name, &sample.payload, &fixed()));
                assert_eq!((answer.record.outcome, messages.len()), (Outcome::Answered, 0), "{name}");
                continue;
            }
            let event = receiver.event(name, &sample.payload);
            assert_eq!(event["type"], format!("dingtalk.{event_type}"), "{name}");
            assert_eq!(event["data"], payload, "{name}");
            let corp = shape["corp"].as_ref().map(|path| format!("/{}", path.replace('.', "/")));
            assert_eq!(event.get("subject"), corp.and_then(|path| payload.pointer(&path)), "{name}");
            let id = event["id"].as_str().unwrap();
            match shape["id"].as_deref() {
                Some("eventId") => assert_eq!(id, payload["eventId"], "{name}"),
                Some("BizId") => {
                    assert_eq!(id, format!("{}:{event_type}", payload["BizId"].as_str().unwrap()), "{name}");
                }
                _ => assert_eq!(id.len(), 64, "{name}"),
            }
            let time = shape["time"].as_ref().map(|member| payload[member].to_string().replace('"', ""));
            let expected = time.and_then(|time| timestamp::to_rfc3339(&time));
            assert_eq!(event["time"], expected.map_or(event["receivedtime"].clone(), Value::from), "{name}");
        }
    }

    #[test]
    fn a_sync_push_names_the_corp_and_the_action_that_all_its_rows_have() {
        let receiver = Receiver::new("dingtalk", &dingtalk("key", "token"));
        let row = |corp: Value, data: &str| json!({ "biz_type": 13, "corp_id": corp, "biz_data": data });
        let of = |corp: &str, action: &str| row(json!(corp), &json!({ "syncAction": action }).to_string());
        for (rows, subject, action) in [
            (json!([of("ding1", "suite_ticket")]), Some("ding1"), Some("suite_ticket")),
            (
                json!([of("ding1", "org_dept_create"), of("ding1", "org_dept_create")]),
                Some("ding1"),
                Some("org_dept_create"),
            ),
            (json!([of("ding1", "user_add_org"), of("ding1", "user_leave_org")]), Some("ding1"), None),
            (json!([of("ding1", "user_add_org"), of("ding2", "user_add_org")]), None, Some("user_add_org")),
            (json!([of("ding1", "user_add_org"), row(Value::Null, "{}")]), None, None),
            (json!([row(json!("ding1"), "no JSON")]), Some("ding1"), None),
            (json!([row(json!(["ding1"]), r#"{"syncAction":1}"#)]), None, Some("1")),
            (json!([of("ding1", "user_add_org"), 5]), None, None),
            (json!([]), None, None),
            (json!({ "corp_id": "ding1" }), None, None),
        ] {
            let payload = json!({ "EventType": "SYNC_HTTP_PUSH_MEDIUM", "bizData": rows }).to_string();
            let event = receiver.event("sync", payload.as_bytes());
            assert_eq!(event["type"], "dingtalk.SYNC_HTTP_PUSH_MEDIUM", "{payload}");
            let facts = ["subject", "action"].map(|name| event.get(name).and_then(Value::as_str));
            assert_eq!(facts, [subject, action], "{payload}");
        }
    }

    #[test]
    fn dingtalk_replies_with_the_key_that_matched() {
        let (old, new) = (dingtalk("dingold", "tokenold"), dingtalk("dingnew", "tokennew"));
        let receiver = Receiver::new("dingtalk", &json!([new, old]));
        for (position, key, other) in [(0, &new, &old), (1, &old, &new)] {
            let request = receiver.build_request(Some(key), "x", br#"{"EventType":"x"}"#, &fixed());
            let (answer, messages) = receiver.handle(&request);
            assert_eq!((answer.record.key, messages.len()), (Some(position), 1));
            let copy =
                Answer { response: answer.response.clone(), record: answer.record.clone(), message: None };
            assert!(receiver.opened(other, &request, copy).is_err());
            assert_eq!(receiver.opened(key, &request, answer).unwrap(), "success");
        }
    }

    #[test]
    fn dingtalk_accepts_any_owner_key_of_a_list_and_replies_with_it() {
        let mut entry = dingtalk("", "token");
        entry["owner_key"] = json!(["dingappkey", "suitekey", "ding0123corp"]);
        let receiver = Receiver::new("dingtalk", &entry);
        for owner in ["dingappkey", "suitekey", "ding0123corp"] {
            let key = dingtalk(owner, "token");
            let request = receiver.build_request(Some(&key), "x", br#"{"EventType":"x"}"#, &fixed());
            let (answer, _) = receiver.handle(&request);
            assert_eq!(receiver.opened(&key, &request, answer).unwrap(), "success", "{owner}");
        }
        let request = receiver.build_request(
            Some(&dingtalk("dingappke", "token")),
            "x",
            br#"{"EventType":"x"}"#,
            &fixed(),
        );
        assert_eq!(receiver.refusal(&request), (403, "owner_key_mismatch"));
    }

    #[test]
    fn dingtalk_checks_the_age_only_with_a_tolerance() {
        let mut strict = dingtalk("key", "token");
        strict["tolerance"] = json!(60);
        for (entry, age, expected) in [
            (dingtalk("key", "token"), 90_000_000, None),
            (strict.clone(), 60_000, None),
            (strict.clone(), -60_000, None),
            (strict.clone(), 60_001, Some((401, "timestamp_out_of_range"))),
            (strict, -60_001, Some((401, "timestamp_out_of_range"))),
        ] {
            let receiver = Receiver::new("dingtalk", &entry);
            let sent = Ambient { now: Timestamp(fixed().now.0 - age), ..fixed() };
            let request = receiver.build_request(None, "x", br#"{"EventType":"x"}"#, &sent);
            match expected {
                Some(refusal) => assert_eq!(receiver.refusal(&request), refusal, "{age}"),
                None => assert_eq!(receiver.handle(&request).1.len(), 1, "{age}"),
            }
        }
    }

    #[test]
    fn dingtalk_checks_in_the_order_of_the_stages() {
        let right = json!({ "token": TOKEN, "aes_key": AES_KEY, "owner_key": APP_KEY, "tolerance": 60 });
        let wrong = [("token", "other"), ("aes_key", OTHER_AES_KEY), ("owner_key", "other")];
        for (first_wrong, age, reason, stage) in [
            (0, 60_001, "signature_mismatch", Stage::Key),
            (1, 60_001, "invalid_padding", Stage::Seal),
            (2, 60_001, "timestamp_out_of_range", Stage::Address),
            (2, 60_000, "owner_key_mismatch", Stage::Address),
        ] {
            let mut entry = right.clone();
            for (member, value) in &wrong[first_wrong..] {
                entry[*member] = json!(value);
            }
            let receiver = Receiver::new("dingtalk", &entry);
            let sent = Ambient { now: Timestamp(fixed().now.0 - age), ..fixed() };
            let request = receiver.build_request(Some(&right), "x", br#"{"EventType":"x"}"#, &sent);
            let record = receiver.handle(&request).0.record;
            assert_eq!((record.reason, record.stage), (Some(reason), Some(stage)));
        }
    }

    #[test]
    fn dingtalk_answers_suite_handshakes_with_their_random_only_if_configured() {
        let payload = br#"{"EventType":"check_update_suite_url","Random":"aXz7PqLm"}"#;
        for (reply_random, expected) in [(false, "success"), (true, "aXz7PqLm")] {
            let mut entry = dingtalk("suite4xxxxxxxxxxxxxxx", "token");
            entry["reply_random"] = reply_random.into();
            let receiver = Receiver::new("dingtalk", &entry);
            let request = receiver.build_request(None, "x", payload, &fixed());
            let (answer, messages) = receiver.handle(&request);
            assert!(messages.is_empty());
            assert_eq!(receiver.opened(&entry, &request, answer).unwrap(), expected);
            let request = receiver.build_request(None, "x", br#"{"EventType":"check_url"}"#, &fixed());
            let (answer, _) = receiver.handle(&request);
            assert_eq!(receiver.opened(&entry, &request, answer).unwrap(), "success");
        }
    }

    #[test]
    fn an_invalid_optional_field_does_not_prevent_an_event() {
        let receiver = Receiver::new("dingtalk", &dingtalk("key", "token"));
        let event = receiver.event(
            "x",
            br#"{"EventType":"x","eventId":{},"EventTime":{"a":1},"CorpId":[],"corpId":"ding1"}"#,
        );
        assert_eq!((event["subject"].as_str(), event["id"].as_str().unwrap().len()), (Some("ding1"), 64));
        assert_eq!(event["time"], event["receivedtime"]);
    }
}
