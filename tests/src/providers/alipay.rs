//! Alipay: sample events, broken deliveries, and what is special about it.

use base64::{Engine, engine::general_purpose::STANDARD};
use letterbox_codec::{Request, Stage};
use serde_json::{Value, json};

use super::{Provider, github};
use crate::{
    cases::{self, Of, Payload},
    doctor::{
        self, Case, Curl, Event, Har, Made, Options, Vectors, body_text, but, get, sent, with_body, with_uri,
    },
};

pub(super) const PROVIDER: Provider = Provider {
    name: "alipay",
    statuses: &[200, 400, 401, 403, 404, 405, 413, 503],
    unusable: 403,
    refusals: &[
        ("get", "method_not_allowed", Stage::Route),
        ("unknown_source", "unknown_source", Stage::Route),
        ("too_large", "too_large", Stage::Route),
        ("no_signature", "missing_signature", Stage::Form),
        ("signature_empty", "missing_signature", Stage::Form),
        ("empty", "missing_signature", Stage::Form),
        ("json", "missing_signature", Stage::Form),
        ("field_twice", "malformed_signature", Stage::Form),
        ("signature_twice", "malformed_signature", Stage::Form),
        ("sha1", "unsupported_algorithm", Stage::Form),
        ("many_fields", "malformed_field", Stage::Form),
        ("amount_changed", "signature_mismatch", Stage::Key),
        ("field_added", "signature_mismatch", Stage::Key),
        ("field_removed", "signature_mismatch", Stage::Key),
        ("field_decoded_twice", "signature_mismatch", Stage::Key),
        ("signature_with_spaces", "signature_mismatch", Stage::Key),
        ("signature_not_base64", "signature_mismatch", Stage::Key),
        ("other_app", "owner_key_mismatch", Stage::Address),
        ("no_app", "owner_key_mismatch", Stage::Address),
        ("type_missing", "missing_field", Stage::Payload),
        ("charset_unknown", "malformed_field", Stage::Payload),
        ("not_utf8", "invalid_utf8", Stage::Payload),
    ],
    cases,
    broken,
};

/// The demo credentials of a source: the signatures are those of the demo key.
fn entry_of(source: &str) -> Value {
    let demo = letterbox_registry::find("alipay").map(|platform| platform.facts().demo).unwrap_or_default();
    let demo: Value = serde_json::from_str(demo).unwrap_or_default();
    demo[source].clone()
}

/// The credentials entry that the broken deliveries are made with.
pub(super) fn entry() -> Value {
    entry_of("default")
}

/// Appends to the form, after it was signed.
fn append(request: &mut Request, more: &str) {
    let body = [&request.body()[..], more.as_bytes()].concat();
    cases::body(request, &body);
}

/// Replaces a part of the form, after it was signed.
fn replace(request: &mut Request, from: &str, to: &str) {
    let body = body_text(request).replace(from, to);
    cases::body(request, body.as_bytes());
}

/// A form that is signed as it is.
const fn form(text: &'static [u8]) -> cases::Content {
    Payload("trade_status_sync", text)
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<cases::Case> {
    let case = cases::case_of("alipay");
    let paid = || Of("trade_status_sync");
    vec![
        case("trade", 200, "default", paid(), cases::same),
        case("message", 200, "default", Of("alipay.fund.trans.order.changed"), cases::same),
        case("certificate", 200, "certificate", paid(), cases::same),
        case("international", 200, "intl", form(b"notify_type=trade_status_sync&notify_id=n1&notify_time=2026-11-21+18%3A00%3A02&currency=USD&total_fee=0.01&out_trade_no=T1&trade_status=TRADE_FINISHED"), cases::same),
        case("rotated", 200, "rotating", paid(), cases::same),
        // `subject` and the name of a field are in GBK.
        case("gbk", 200, "default", form(b"app_id=2021000000000001&charset=GBK&notify_type=trade_status_sync&notify_id=n1&subject=%B2%E2%CA%D4+100%25&%C3%FB=%D6%D0"), cases::same),
        // Neither is signed, and neither is in `data`.
        case("empty_fields", 200, "default", paid(), |request| append(request, "&body=&refund_fee")),
        case("percent_20", 200, "default", paid(), |request| replace(request, "+", "%20")),
        case("encrypted_message", 200, "default", form(b"app_id=2021000000000001&msg_method=alipay.open.app.message&notify_id=n1&encrypt_type=AES&biz_content=9W6Mb0ddX4BqIcGlnvAVTw%3D%3D"), cases::same),
        case("no_id", 200, "default", form(b"app_id=2021000000000001&notify_type=trade_status_sync"), cases::same),
        case("sha1", 400, "default", paid(), |request| replace(request, "sign_type=RSA2", "sign_type=RSA")),
        case("many_fields", 400, "default", paid(), |request| append(request, &(0..1000).map(|number| format!("&a{number}=")).collect::<Vec<_>>().concat())),
        case("type_missing", 400, "default", form(b"app_id=2021000000000001&notify_id=n1"), cases::same),
        case("charset_unknown", 400, "default", form(b"app_id=2021000000000001&notify_type=a&charset=klingon"), cases::same),
        case("not_utf8", 400, "default", form(b"app_id=2021000000000001&notify_type=a&subject=\xb2\xe2"), cases::same),
        case("empty", 401, "default", paid(), |request| cases::body(request, b"")),
        case("json", 401, "default", paid(), |request| cases::body(request, br#"{"sign":"x"}"#)),
        case("no_signature", 401, "default", paid(), |request| replace(request, "&sign=", "&no=")),
        case("signature_empty", 401, "default", paid(), |request| {
            replace(request, "&sign=", "&no=");
            append(request, "&sign=");
        }),
        case("signature_twice", 401, "default", paid(), |request| append(request, "&sign=AA")),
        // Who reads the first value and who reads the last one would see different amounts.
        case("field_twice", 401, "default", paid(), |request| append(request, "&total%5Famount=0.01")),
        case("amount_changed", 401, "default", paid(), |request| replace(request, "total_amount=88.88", "total_amount=88888")),
        case("field_added", 401, "default", paid(), |request| append(request, "&refund_fee=88.88")),
        case("field_removed", 401, "default", paid(), |request| replace(request, "&buyer_id=2088000000000002", "")),
        // The platform signs what one decoding gives, in which this field has escapes.
        case("field_decoded_twice", 401, "default", paid(), |request| replace(request, "%253d", "%3d")),
        case("signature_with_spaces", 401, "default", paid(), |request| replace(request, "%2B", "+")),
        case("signature_not_base64", 401, "default", paid(), |request| replace(request, "&sign=", "&sign=%21")),
        case("other_app", 403, "default", form(b"app_id=2021000000000009&notify_type=a&notify_id=n1"), cases::same),
        case("no_app", 403, "default", form(b"app_id=&notify_type=a&notify_id=n1"), cases::same),
        case("unknown_source", 404, "default", paid(), |request| cases::path(request, "/alipay/nobody")),
        case("get", 405, "default", paid(), cases::get),
        case("too_large", 413, "default", paid(), |request| append(request, &format!("&a={}", "x".repeat(1024 * 1024)))),
        case("queue_down", 503, "default", paid(), cases::same),
    ]
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn broken(cases: &mut Vec<Case>, _: &Vectors) -> Made<()> {
    let case =
        |cause, about, form, request, entry| doctor::case("alipay", cause, about, form, request, entry);
    let entry = entry();
    let request = sent("alipay", &entry, "trade_status_sync", None)?;
    let body = body_text(&request);
    let with = |from: &str, to: &str| with_body(&request, body.replace(from, to));
    let other_key = but(&entry, &json!({ "public_key": another_key() }));
    let key = entry["public_key"].as_str().unwrap_or_default();

    cases.extend([
        case("opens", "nothing is wrong", Curl, request.clone(), entry.clone()),
        case("opens", "acknowledged", Event, request.clone(), entry.clone()).answered("HTTP/2 200\n\nsuccess"),
        case("reply_refused", "the answer has a line feed after it", Event, request.clone(), entry.clone()).answered("HTTP/2 200\n\nsuccess\n"),
        case("reply_refused", "the answer is the other region's", Event, request.clone(), entry.clone()).answered("HTTP/2 200\n\nSUCCESS"),
        case("public_key_mismatch", "the app's own public key is there instead of Alipay's", Event, request.clone(), other_key.clone()).says(&["public key"], &["copy the secret"]),
        case("app_id_mismatch", "another app of the same merchant", Event, request.clone(), but(&entry, &json!({ "app_id": "2021000000000009" }))).says(&["app_id"], &["aes_key"]),
        case("secret_has_whitespace", "the key ends with a line feed and a zero-width space", Event, request.clone(), but(&entry, &json!({ "public_key": format!("{key}\u{200b}") }))),
        case("secret_has_quotes", "the key stands in quotes", Event, request.clone(), but(&entry, &json!({ "public_key": format!("\"{key}\"") }))),
        case("credentials_invalid", "the key is cut", Event, request.clone(), but(&entry, &json!({ "public_key": &key[..100] }))),
        case("credentials_invalid", "the app's private key is there", Event, request.clone(), but(&entry, &json!({ "public_key": "-----BEGIN RSA PRIVATE KEY-----\nAA==\n-----END RSA PRIVATE KEY-----" }))).says(&["private key"], &[]),
        case("wrong_source", "another source has the key", Event, request.clone(), json!({})).under(json!({ "alipay": { "default": other_key, "acme": entry } })),
        case("unknown_source", "the URL names a source that is not there", Curl, with_uri(&request, |uri| uri + "/nobody")?, entry.clone()),
        case("wrong_provider", "the delivery is GitHub's", Event, with_uri(&sent("github", &github::entry(), "push", None)?, |uri| uri.replace("/github", "/alipay"))?, entry.clone()),
        case("wrong_method", "a redirect made a GET of it", Event, get(&request), entry.clone()),
        case("body_is_base64", "the gateway's base64 was not decoded", Event, with_body(&request, STANDARD.encode(request.body())), entry.clone()),
        case("body_empty", "a middleware read the body", Har, with_body(&request, ""), entry.clone()),
        case("signature_missing", "a proxy dropped the signature", Event, with("&sign=", "&no="), entry.clone()).says(&["sign"], &["secret in"]),
        case("signature_malformed", "a proxy repeated a field", Event, with("&charset=", "&charset=utf-8&charset="), entry.clone()).says(&["appears twice"], &["prefix"]),
        case("signature_malformed", "the signature's `+` were not escaped", Options, with("%2B", "+"), entry.clone()).says(&["spaces"], &[]),
        case("signature_wrong_algorithm", "the app signs with SHA-1", Event, with("sign_type=RSA2", "sign_type=RSA"), entry.clone()).says(&["sign_type", "sha-1"], &["jwe"]),
        case("payload_invalid", "a form without a type", Event, sent("alipay", &entry, "a", Some("app_id=2021000000000001&notify_id=n1"))?, entry.clone()),
    ]);
    Ok(())
}

/// The public key of another app.
fn another_key() -> Value {
    entry_of("rotating")[1]["public_key"].clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixed, receiver::Receiver};

    #[test]
    fn the_event_has_the_signed_fields_decoded_once_and_the_form_as_it_came() {
        let receiver = Receiver::new("alipay", &entry());
        let form = "app_id=2021000000000001&notify_type=t&notify_id=n1&notify_time=2026-11-21+18%3A00%3A02&passback_params=a%253db&out_trade_no=T1&q=%22%5C%0A&e=";
        let request = receiver.build_request(None, "t", form.as_bytes(), &fixed());
        let (answer, messages) = receiver.handle(&request);
        assert_eq!(answer.response.body(), "success");
        let event: Value = serde_json::from_str(&messages[0].body).unwrap();
        assert_eq!(event["rawdata"], body_text(&request));
        let fields = json!({
            "app_id": "2021000000000001", "notify_type": "t", "notify_id": "n1", "notify_time": "2026-11-21 18:00:02",
            "passback_params": "a%3db", "out_trade_no": "T1", "q": "\"\\\n",
        });
        assert_eq!(event["data"], fields);
        for (member, expected) in
            [("id", "n1"), ("type", "alipay.t"), ("subject", "T1"), ("time", "2026-11-21T10:00:02Z")]
        {
            assert_eq!(event[member], expected, "{member}");
        }
    }

    #[test]
    fn a_message_to_the_application_gateway_is_an_event() {
        let receiver = Receiver::new("alipay", &entry());
        let content = "%7B%22out_biz_no%22%3A%22B1%22%7D";
        let form = format!(
            "app_id=2021000000000001&msg_method=a.b&notify_id=n1&utc_timestamp=1795255200000&biz_content={content}"
        );
        let event = receiver.event("a.b", form.as_bytes());
        for (member, expected) in
            [("type", "alipay.a.b"), ("subject", "B1"), ("time", "2026-11-21T10:00:00.000Z")]
        {
            assert_eq!(event[member], expected, "{member}");
        }
        // Signed, in this form of notification.
        assert_eq!(event["data"]["sign_type"], "RSA2");
        assert_eq!(event["data"]["biz_content"], r#"{"out_biz_no":"B1"}"#);
    }

    #[test]
    fn an_entry_may_have_several_apps_or_none() {
        let form = b"app_id=2021000000000002&notify_type=t";
        for (app_id, accepted) in [
            (json!({ "app_id": "2021000000000002" }), true),
            (json!({ "app_id": ["2021000000000001", "2021000000000002"] }), true),
            (json!({ "app_id": ["2021000000000001"] }), false),
            (json!({}), true),
        ] {
            let mut entry = but(&json!({ "public_key": entry()["public_key"] }), &app_id);
            let receiver = Receiver::new("alipay", &entry);
            let request = receiver.build_request(None, "t", form, &fixed());
            assert_eq!(receiver.handle(&request).1.len(), usize::from(accepted), "{app_id}");
            entry["region"] = "intl".into();
            let (answer, _) = Receiver::new("alipay", &entry).handle(&request);
            assert_eq!(answer.response.body(), if accepted { "SUCCESS" } else { "fail" });
        }
        let platform = letterbox_registry::find("alipay").unwrap();
        for app_id in [json!([]), json!(""), json!([" 1"]), json!(1)] {
            let error =
                platform.keys(&but(&entry(), &json!({ "app_id": app_id })).to_string()).err().unwrap();
            assert!(error.to_string().contains("app_id"), "{error}");
        }
    }

    #[test]
    fn only_the_demo_key_signs_here() {
        let entry = but(&entry(), &json!({ "public_key": another_key() }));
        let error = sent("alipay", &entry, "trade_status_sync", None).unwrap_err();
        assert!(error.contains("only Alipay can sign"), "{error}");
    }
}
