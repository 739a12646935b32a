//! Amazon SNS: sample events, broken deliveries, and what is special about it.

use base64::{Engine, engine::general_purpose::STANDARD};
use letterbox_codec::{Request, Stage};
use serde_json::{Value, json};

use super::{Provider, github};
use crate::{
    cases::{self, Large, Of, Payload},
    doctor::{
        self, Case, Curl, Event, Har, Made, Options, Vectors, body_text, but, get, sent, with_body,
        with_header, with_uri,
    },
};

pub(super) const PROVIDER: Provider = Provider {
    name: "sns",
    statuses: &[200, 400, 401, 403, 404, 405, 413, 503],
    unusable: 400,
    refusals: &[
        ("get", "method_not_allowed", Stage::Route),
        ("unknown_source", "unknown_source", Stage::Route),
        ("empty", "invalid_json", Stage::Form),
        ("not_json", "invalid_json", Stage::Form),
        ("not_utf8", "invalid_json", Stage::Form),
        ("array", "invalid_json", Stage::Form),
        ("nested", "invalid_json", Stage::Form),
        ("duplicate_member", "malformed_field", Stage::Form),
        ("escaped_duplicate", "malformed_field", Stage::Form),
        ("unknown_type", "malformed_field", Stage::Form),
        ("unknown_version", "malformed_field", Stage::Form),
        ("number_as_id", "malformed_field", Stage::Form),
        ("line_feed_in_subject", "malformed_field", Stage::Form),
        ("as_confirmation", "missing_field", Stage::Form),
        ("unsigned_subscribe_url", "malformed_field", Stage::Form),
        ("raw", "missing_signature", Stage::Form),
        ("raw_signed", "missing_signature", Stage::Form),
        ("no_signature", "missing_signature", Stage::Form),
        ("signature_not_base64", "malformed_signature", Stage::Form),
        ("certificate_elsewhere", "untrusted_cert_url", Stage::Form),
        ("certificate_http", "untrusted_cert_url", Stage::Form),
        ("certificate_port", "untrusted_cert_url", Stage::Form),
        ("certificate_bucket", "untrusted_cert_url", Stage::Form),
        ("certificate_userinfo", "untrusted_cert_url", Stage::Form),
        ("certificate_backslash", "untrusted_cert_url", Stage::Form),
        ("certificate_encoded_dots", "untrusted_cert_url", Stage::Form),
        ("topic_of_others_unpinned", "owner_key_mismatch", Stage::Form),
        ("expired", "certificate_invalid", Stage::Key),
        ("wrong_signature", "signature_mismatch", Stage::Key),
        ("version_swapped", "signature_mismatch", Stage::Key),
        ("fields_swapped", "signature_mismatch", Stage::Key),
        ("subject_dropped", "signature_mismatch", Stage::Key),
        ("topic_of_others", "owner_key_mismatch", Stage::Address),
        ("too_deep", "invalid_json", Stage::Payload),
        ("too_large", "too_large", Stage::Payload),
    ],
    cases,
    broken,
};

const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:orders";
const CERTIFICATE: &str = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-letterboxdemo.pem";

/// The demo entry, whose certificate is the only one that can be signed for.
pub(super) fn entry() -> Value {
    demo("default")
}

fn demo(source: &str) -> Value {
    let platform = letterbox_registry::find("sns").ok();
    let demo = platform.and_then(|platform| serde_json::from_str::<Value>(platform.facts().demo).ok());
    demo.map_or(Value::Null, |demo| demo[source].clone())
}

/// A notification of another topic, signed by SNS.
const OF_OTHERS: &[u8] = br#"{"Type":"Notification","TopicArn":"arn:aws:sns:us-east-1:999999999999:orders","Message":"free iPhones"}"#;

/// Replaces a text of the body.
fn edit(request: &mut Request, from: &str, to: &str) {
    let body = body_text(request).replacen(from, to, 1);
    cases::body(request, body.as_bytes());
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<cases::Case> {
    let case = cases::case_of("sns");
    vec![
        case("notification", 200, "default", Of("notification"), cases::same),
        case("plain_text", 200, "default", Of("plain_text"), cases::same),
        case("subscription", 200, "default", Of("subscription"), cases::same),
        case("unsubscription", 200, "default", Of("unsubscription"), cases::same),
        case("message_alone", 200, "default", Payload("notification", br#"{"order":1.50}"#), cases::same),
        // Nothing signs a time of sending within a window: the id tells a copy.
        case("stale", 200, "default", Of("notification"), cases::same),
        case("rotated", 200, "rotating", Of("notification"), cases::same),
        case("other_headers", 200, "default", Of("notification"), |request| {
            cases::header(request, "x-amz-sns-message-type", Some("SubscriptionConfirmation"));
            cases::header(request, "x-amz-sns-topic-arn", Some("arn:aws:sns:us-east-1:999999999999:orders"));
            cases::header(request, "x-amz-sns-rawdelivery", Some("false"));
        }),
        case("empty", 400, "default", Of("notification"), |request| cases::body(request, b"")),
        case("not_json", 400, "default", Of("notification"), |request| cases::body(request, b"{")),
        case("not_utf8", 400, "default", Of("notification"), |request| {
            cases::body(request, b"{\"Type\":\"\xff\"}");
        }),
        case("array", 400, "default", Of("notification"), |request| cases::body(request, b"[]")),
        case("nested", 400, "default", Of("notification"), |request| {
            cases::body(request, format!("{{\"a\":{}{}}}", "[".repeat(1_000), "]".repeat(1_000)).as_bytes());
        }),
        case("duplicate_member", 400, "default", Of("notification"), |request| {
            edit(request, "{", r#"{"Message":"free iPhones","#);
        }),
        case("escaped_duplicate", 400, "default", Of("notification"), |request| {
            edit(request, "{", r#"{"Topic\u0041rn":"arn:aws:sns:us-east-1:123456789012:orders","#);
        }),
        case("unknown_type", 400, "default", Of("notification"), |request| {
            edit(request, "\"Notification\"", "\"Notice\"");
        }),
        case("unknown_version", 400, "default", Of("notification"), |request| {
            edit(request, r#""SignatureVersion":"2""#, r#""SignatureVersion":"3""#);
        }),
        case("number_as_id", 400, "default", Of("notification"), |request| {
            edit(request, "\"22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\"", "22");
        }),
        case("line_feed_in_subject", 400, "default", Of("notification"), |request| {
            edit(request, "\"Order paid\"", r#""Order paid\nTimestamp\n2030-01-01T00:00:00Z""#);
        }),
        case("unsigned_subscribe_url", 400, "default", Of("notification"), |request| {
            edit(request, "{", r#"{"SubscribeURL":"https://evil.example/","#);
        }),
        case("as_confirmation", 400, "default", Of("plain_text"), |request| {
            edit(request, "\"Notification\"", "\"SubscriptionConfirmation\"");
        }),
        case("too_deep", 400, "default", Of("notification"), |request| {
            let deep = format!("{{\"Deep\":{}{},", "[".repeat(126), "]".repeat(126));
            edit(request, "{", &deep);
        }),
        case("raw", 401, "default", Of("notification"), |request| {
            cases::header(request, "x-amz-sns-rawdelivery", Some("true"));
            cases::body(request, b"free iPhones");
        }),
        case("raw_signed", 401, "default", Of("notification"), |request| {
            cases::header(request, "x-amz-sns-rawdelivery", Some("True"));
        }),
        case("no_signature", 401, "default", Of("notification"), |request| {
            edit(request, "\"Signature\":", "\"Unsigned\":");
        }),
        case("signature_not_base64", 401, "default", Of("notification"), |request| {
            edit(request, "\"Signature\":\"", "\"Signature\":\"!");
        }),
        case("certificate_elsewhere", 401, "default", Of("notification"), |request| {
            edit(request, "amazonaws.com/Simple", "amazonaws.com.evil.example/Simple");
        }),
        case("certificate_http", 401, "default", Of("notification"), |request| {
            edit(
                request,
                "\"https://sns.us-east-1.amazonaws.com/Simple",
                "\"http://sns.us-east-1.amazonaws.com/Simple",
            );
        }),
        case("certificate_port", 401, "default", Of("notification"), |request| {
            edit(request, "amazonaws.com/Simple", "amazonaws.com:8443/Simple");
        }),
        case("certificate_bucket", 401, "default", Of("notification"), |request| {
            edit(
                request,
                "\"https://sns.us-east-1.amazonaws.com/Simple",
                "\"https://sns.s3-us-west-2.amazonaws.com/Simple",
            );
        }),
        case("certificate_userinfo", 401, "default", Of("notification"), |request| {
            edit(request, "amazonaws.com/Simple", "amazonaws.com@evil.example/Simple");
        }),
        case("certificate_backslash", 401, "default", Of("notification"), |request| {
            edit(
                request,
                "\"https://sns.us-east-1.amazonaws.com/Simple",
                r#""https://evil.example\\.sns.us-east-1.amazonaws.com/Simple"#,
            );
        }),
        case("certificate_encoded_dots", 401, "default", Of("notification"), |request| {
            edit(request, "amazonaws.com/Simple", "amazonaws.com/%2e%2e/Simple");
        }),
        // The certificate of the source `unpinned` would be fetched, which the network decides: see the function's own tests.
        case("expired", 401, "expired", Of("notification"), cases::same),
        case("wrong_signature", 401, "default", Of("plain_text"), |request| {
            edit(request, "two lines", "three lines");
        }),
        case("version_swapped", 401, "default", Of("notification"), |request| {
            edit(request, r#""SignatureVersion":"2""#, r#""SignatureVersion":"1""#);
        }),
        case("fields_swapped", 401, "default", Of("notification"), |request| {
            edit(request, "\"Subject\"", "\"Other\"");
            edit(request, "\"Message\"", "\"Subject\"");
            edit(request, "\"Other\"", "\"Message\"");
        }),
        case("subject_dropped", 401, "default", Of("notification"), |request| {
            edit(request, "\"Subject\"", "\"Object\"");
        }),
        case("topic_of_others", 403, "default", Payload("notification", OF_OTHERS), cases::same),
        case("topic_of_others_unpinned", 403, "default", Payload("notification", OF_OTHERS), |request| {
            cases::path(request, "/sns/unpinned");
        }),
        case("unknown_source", 404, "default", Of("notification"), |request| {
            cases::path(request, "/sns/nobody");
        }),
        case("get", 405, "default", Of("notification"), cases::get),
        case("too_large", 413, "default", Large("notification", 1024 * 1024), cases::same),
        case("queue_down", 503, "default", Of("notification"), cases::same),
    ]
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn broken(cases: &mut Vec<Case>, _: &Vectors) -> Made<()> {
    let case = |cause, about, form, request, entry| doctor::case("sns", cause, about, form, request, entry);
    let entry = entry();
    let request = sent("sns", &entry, "notification", None)?;
    let text = sent("sns", &entry, "plain_text", None)?;
    let of_others = sent("sns", &entry, "notification", std::str::from_utf8(OF_OTHERS).ok())?;
    let body = body_text(&request);
    let changed = |from: &str, to: &str| with_body(&request, body.replacen(from, to, 1));
    let unpinned = json!({ "topic_arn": TOPIC });
    let topic = |arn: &str| but(&entry, &json!({ "topic_arn": arn }));
    let next = demo("rotating")[1]["certificates"].as_object().and_then(|pins| pins.values().next().cloned());
    let raw = with_header(&with_body(&request, "free iPhones"), "x-amz-sns-rawdelivery", Some("true"))?;

    cases.extend([
        case("opens", "nothing is wrong", Curl, request.clone(), entry.clone()),
        case("opens", "a proxy wrote the JSON anew, which the signature does not notice", Event, with_body(&request, serde_json::from_str::<Value>(&body).map_err(|error| error.to_string())?.to_string()), entry.clone()),
        case("raw_delivery", "raw message delivery is on", Event, raw, entry.clone()),
        case("topic_mismatch", "another topic of the account", Curl, request.clone(), topic("arn:aws:sns:us-east-1:123456789012:invoices")).says(&["123456789012:orders"], &["secret"]),
        case("topic_mismatch", "somebody else's topic", Event, of_others.clone(), entry.clone()).says(&["999999999999"], &[]),
        case("topic_mismatch", "somebody else's topic, and no certificate is pinned", Event, of_others, unpinned.clone()).says(&["(certificate_needed)"], &[]),
        case("certificate_url", "the certificate of somebody else", Event, changed("amazonaws.com/Simple", "amazonaws.com.evil.example/Simple"), entry.clone()),
        case("certificate_url", "a bucket whose name is sns", Har, changed("\"https://sns.us-east-1.amazonaws.com/Simple", "\"https://sns.s3-us-west-2.amazonaws.com/Simple"), entry.clone()),
        case("certificate_needed", "no certificate is pinned", Options, request.clone(), unpinned).says(&["certificates"], &["secret"]),
        case("certificate_invalid", "the pinned certificate has expired", Event, sent("sns", &demo("expired"), "notification", None)?, demo("expired")),
        case("certificate_mismatch", "another certificate is pinned", Event, request.clone(), but(&entry, &json!({ "certificates": { CERTIFICATE: next } }))).says(&[], &["secret"]),
        case("certificate_mismatch", "the message was changed", Curl, changed("Order paid", "Order lost"), entry.clone()).says(&[], &["secret"]),
        case("body_changed", "UTF-8 was read as Latin-1", Event, with_body(&text, text.body().iter().map(|byte| char::from(*byte)).collect::<String>()), entry.clone()),
        case("body_is_base64", "the gateway's base64 was not decoded", Event, with_body(&request, STANDARD.encode(request.body())), entry.clone()),
        case("body_empty", "a middleware read the body", Har, with_body(&request, ""), entry.clone()),
        case("body_malformed", "the body is cut", Event, with_body(&request, &body[..100]), entry.clone()),
        case("signature_missing", "the signature was dropped", Event, changed("\"Signature\":", "\"Unsigned\":"), entry.clone()),
        case("unknown_source", "the URL names a source that is not there", Curl, with_uri(&request, |uri| uri + "/nobody")?, entry.clone()),
        case("wrong_source", "another source has the topic and its certificate", Event, request.clone(), json!({})).under(json!({ "sns": { "default": { "topic_arn": "arn:aws:sns:us-east-1:123456789012:invoices" }, "orders": entry } })),
        case("wrong_provider", "the delivery is GitHub's", Event, with_uri(&sent("github", &github::entry(), "push", None)?, |uri| uri.replace("/github", "/sns"))?, entry.clone()),
        case("wrong_method", "a redirect made a GET of it", Event, get(&request), entry.clone()),
        case("credentials_invalid", "the ARN of a subscription", Event, request.clone(), topic(&format!("{TOPIC}:2bcfbf39-05c3-41de-beaa-fcfcc21c8f55"))).says(&["topic_arn"], &[]),
        case("credentials_invalid", "a public key in place of a certificate", Event, request.clone(), but(&entry, &json!({ "certificates": { CERTIFICATE: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n" } }))).says(&["certificates"], &[]),
        case("reply_refused", "the answer is a redirect", Event, request, entry).answered("HTTP/2 301\nlocation: https://hooks.example.com/sns/\n\n"),
    ]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixed, receiver::Receiver};

    #[test]
    fn sns_messages_go_into_the_event_as_they_are() {
        let receiver = Receiver::new("sns", &entry());
        let payload = "{ \"Type\" : \"Notification\",\n\"Message\":\"\\u4e2d\\/ \\n\", \"n\":1.50e3 }";
        let event = receiver.event("notification", payload.as_bytes());
        assert_eq!(event["type"], "sns.Notification");
        assert_eq!(event["subject"], TOPIC);
        assert_eq!(event["time"], "2026-11-21T10:00:00.123Z");
        assert_eq!(event["id"], event["data"]["MessageId"]);
        assert_eq!(event["data"]["Message"], "中/ \n");
        assert!(event["subscriptionarn"].as_str().unwrap().starts_with(TOPIC));
    }

    #[test]
    fn sns_is_signed_for_only_with_the_demo_certificate() {
        let platform = letterbox_registry::find("sns").unwrap();
        for entry in [json!({ "topic_arn": TOPIC }), demo("rotating")[1].clone()] {
            let keys = platform.keys(&json!({ "default": entry }).to_string()).unwrap();
            let sample = platform.sample("notification").unwrap();
            let built =
                keys.first("default").unwrap().build_request(&sample, "https://localhost/sns", &fixed());
            assert!(built.unwrap_err().contains("only SNS has the private key"));
        }
    }
}
