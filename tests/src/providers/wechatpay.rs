//! WeChat Pay: sample events, broken deliveries, and what is special about it.

use base64::{Engine, engine::general_purpose::STANDARD};
use letterbox_codec::Stage;
use serde_json::{Value, json};

use super::{Provider, github};
use crate::{
    cases::{self, Of, Payload},
    doctor::{
        self, Case, Curl, Event, Har, Made, Options, Vectors, body_text, but, get, header, sent, with_body,
        with_header, with_uri,
    },
    fixed,
};

pub(super) const PROVIDER: Provider = Provider {
    name: "wechatpay",
    statuses: &[200, 400, 401, 404, 405, 413, 503],
    unusable: 400,
    refusals: &[
        ("get", "method_not_allowed", Stage::Route),
        ("unknown_source", "unknown_source", Stage::Route),
        ("too_large", "too_large", Stage::Route),
        ("no_signature", "missing_signature", Stage::Form),
        ("no_nonce", "missing_signature", Stage::Form),
        ("no_serial", "missing_signature", Stage::Form),
        ("sm2", "unsupported_algorithm", Stage::Form),
        ("serial_malformed", "malformed_field", Stage::Form),
        ("unknown_serial", "unknown_kid", Stage::Key),
        ("serial_of_another_key", "signature_mismatch", Stage::Key),
        ("probe", "signature_mismatch", Stage::Key),
        ("body_changed", "signature_mismatch", Stage::Key),
        ("nonce_changed", "signature_mismatch", Stage::Key),
        ("timestamp_changed", "signature_mismatch", Stage::Key),
        ("stale", "timestamp_out_of_range", Stage::Address),
        ("other_api_v3_key", "authentication_failed", Stage::Seal),
        ("tag_cut", "authentication_failed", Stage::Seal),
        ("associated_data_changed", "authentication_failed", Stage::Seal),
        ("ciphertext_empty", "authentication_failed", Stage::Seal),
        ("ciphertext_not_base64", "invalid_base64", Stage::Seal),
        ("nonce_length", "malformed_field", Stage::Seal),
        ("sm4", "unsupported_algorithm", Stage::Seal),
        ("resource_not_json", "invalid_json", Stage::Payload),
        ("resource_missing", "missing_field", Stage::Payload),
        ("ciphertext_twice", "malformed_field", Stage::Payload),
        ("event_type_missing", "missing_field", Stage::Payload),
        ("id_missing", "missing_field", Stage::Payload),
        ("nested_too_deep", "invalid_json", Stage::Payload),
        ("not_json", "invalid_json", Stage::Payload),
        ("not_utf8", "invalid_utf8", Stage::Payload),
    ],
    cases,
    broken,
};

/// The demo credentials of a source: the signatures are those of the demo key.
fn entry_of(source: &str) -> Value {
    let demo =
        letterbox_registry::find("wechatpay").map(|platform| platform.facts().demo).unwrap_or_default();
    let demo: Value = serde_json::from_str(demo).unwrap_or_default();
    demo[source].clone()
}

/// The credentials entry that the broken deliveries are made with.
pub(super) fn entry() -> Value {
    entry_of("default")
}

/// A notification that is encrypted already: `{"out_trade_no":"T1"}`, by Python's `cryptography` with the key of the demo.
macro_rules! sealed {
    ($algorithm:literal, $nonce:literal, $associated_data:literal, $ciphertext:literal) => {
        Payload(
            "TRANSACTION.SUCCESS",
            concat!(
                r#"{"id":"EV-1","event_type":"TRANSACTION.SUCCESS","resource":{"algorithm":""#,
                $algorithm,
                r#"","nonce":""#,
                $nonce,
                r#"","#,
                $associated_data,
                r#""ciphertext":""#,
                $ciphertext,
                r#""}}"#
            )
            .as_bytes(),
        )
    };
}

/// A payload in clear, which is signed as it is or, where it has a resource, encrypted first.
const fn payload(text: &'static [u8]) -> cases::Content {
    Payload("TRANSACTION.SUCCESS", text)
}

/// A resource that is nested deeper than a consumer's parser reads.
const NESTED: &[u8] = include_bytes!("wechatpay-nested.json");

#[allow(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<cases::Case> {
    let case = cases::case_of("wechatpay");
    let paid = || Of("TRANSACTION.SUCCESS");
    vec![
        case("payment", 200, "default", paid(), cases::same),
        case("refund", 200, "certificate", Of("REFUND.SUCCESS"), cases::same),
        case("rotated", 200, "rotating", paid(), cases::same),
        case("no_signature_type", 200, "default", paid(), |request| cases::header(request, SIGNATURE_TYPE, None)),
        case("serial_in_lower_case", 200, "certificate", paid(), |request| {
            cases::header(request, SERIAL, Some("5157f09efdc096de15ebe81a47057a72de3014eb"));
        }),
        case("no_associated_data", 200, "default", sealed!("AEAD_AES_256_GCM", "demodemodemo", "", "cyu2IvU5sMF86MI2RNux05NB+IXVQSUX0ZOeOSJpsGh2UnHeIg=="), cases::same),
        case("associated_data_empty", 200, "default", sealed!("AEAD_AES_256_GCM", "demodemodemo", r#""associated_data":"","#, "cyu2IvU5sMF86MI2RNux05NB+IXVQSUX0ZOeOSJpsGh2UnHeIg=="), cases::same),
        case("sm2", 400, "default", paid(), |request| cases::header(request, SIGNATURE_TYPE, Some("WECHATPAY2-SM2-WITH-SM3"))),
        case("serial_malformed", 400, "default", paid(), |request| cases::header(request, SERIAL, Some("' OR 1=1"))),
        case("nonce_length", 400, "default", sealed!("AEAD_AES_256_GCM", "demodemodem", "", "cyu2IvU5sMF86MI2RNux05NB+IXVQSUX0ZOeOSJpsGh2UnHeIg=="), cases::same),
        case("sm4", 400, "default", sealed!("AEAD_SM4_128_GCM", "demodemodemo", "", "cyu2IvU5sMF86MI2RNux05NB+IXVQSUX0ZOeOSJpsGh2UnHeIg=="), cases::same),
        case("resource_not_json", 400, "default", sealed!("AEAD_AES_256_GCM", "demodemodemo", "", "c6cfpxlXoIEHYN71Z/nRrik="), cases::same),
        case("resource_missing", 400, "default", payload(br#"{"id":"EV-1","event_type":"TRANSACTION.SUCCESS"}"#), cases::same),
        case("ciphertext_twice", 400, "default", payload(br#"{"id":"EV-1","event_type":"TRANSACTION.SUCCESS","resource":{"algorithm":"AEAD_AES_256_GCM","nonce":"demodemodemo","ciphertext":"AA==","ciphertext":"AB=="}}"#), cases::same),
        case("event_type_missing", 400, "default", payload(br#"{"id":"EV-1","resource":{}}"#), cases::same),
        case("id_missing", 400, "default", payload(br#"{"event_type":"TRANSACTION.SUCCESS","resource":{}}"#), cases::same),
        case("nested_too_deep", 400, "default", payload(NESTED), cases::same),
        case("not_json", 400, "default", payload(b"{"), cases::same),
        case("not_utf8", 400, "default", payload(b"{\"id\":\"\xff\"}"), cases::same),
        case("no_signature", 401, "default", paid(), |request| cases::header(request, SIGNATURE, None)),
        case("no_nonce", 401, "default", paid(), |request| cases::header(request, NONCE, None)),
        case("no_serial", 401, "default", paid(), |request| cases::header(request, SERIAL, None)),
        case("unknown_serial", 401, "default", paid(), |request| cases::header(request, SERIAL, Some("PUB_KEY_ID_0114232134912410000000000009"))),
        // The key is there, and another one signed.
        case("serial_of_another_key", 401, "default", paid(), |request| {
            cases::header(request, SERIAL, Some("0A57F09EFDC096DE15EBE81A47057A72DE3014EC"));
        }),
        // The platform sends such to find receivers that verify nothing.
        case("probe", 401, "default", paid(), |request| {
            cases::header(request, SIGNATURE, Some("WECHATPAY/SIGNTEST/8Gm4kkNVxzBWjAqbTVdxDL5PYGVGLDeYkNtbYmXdnKNCH1Fz"));
        }),
        case("body_changed", 401, "default", paid(), |request| {
            let body = [&request.body()[..], b" "].concat();
            cases::body(request, &body);
        }),
        case("nonce_changed", 401, "default", paid(), |request| cases::header(request, NONCE, Some("another"))),
        case("timestamp_changed", 401, "default", paid(), |request| cases::header(request, TIMESTAMP, Some("1795255200"))),
        case("stale", 401, "default", paid(), cases::same),
        case("other_api_v3_key", 401, "default", sealed!("AEAD_AES_256_GCM", "demodemodemo", r#""associated_data":"transaction","#, "lEXIAy88/d99cDmBeaPQ3E4xWOiGwxwFuvWXBNWb//QCIHE6LA=="), cases::same),
        case("tag_cut", 401, "default", sealed!("AEAD_AES_256_GCM", "demodemodemo", r#""associated_data":"transaction","#, "cyu2IvU5sMF86MI2RNux05NB+IXV8fwEqfRJLnHrYCwxc+Qe"), cases::same),
        case("associated_data_changed", 401, "default", sealed!("AEAD_AES_256_GCM", "demodemodemo", r#""associated_data":"refund","#, "cyu2IvU5sMF86MI2RNux05NB+IXV8fwEqfRJLnHrYCwxc+QepA=="), cases::same),
        case("ciphertext_empty", 401, "default", sealed!("AEAD_AES_256_GCM", "demodemodemo", "", ""), cases::same),
        case("ciphertext_not_base64", 401, "default", sealed!("AEAD_AES_256_GCM", "demodemodemo", "", "!"), cases::same),
        case("unknown_source", 404, "default", paid(), |request| cases::path(request, "/wechatpay/nobody")),
        case("get", 405, "default", paid(), cases::get),
        case("too_large", 413, "default", paid(), |request| cases::body(request, &vec![b'A'; 2 * 1024 * 1024 + 1])),
        case("queue_down", 503, "default", paid(), cases::same),
    ]
}

const SIGNATURE: &str = "wechatpay-signature";
const SIGNATURE_TYPE: &str = "wechatpay-signature-type";
const SERIAL: &str = "wechatpay-serial";
const NONCE: &str = "wechatpay-nonce";
const TIMESTAMP: &str = "wechatpay-timestamp";

#[allow(clippy::too_many_lines, reason = "a table")]
fn broken(cases: &mut Vec<Case>, _: &Vectors) -> Made<()> {
    let case =
        |cause, about, form, request, entry| doctor::case("wechatpay", cause, about, form, request, entry);
    let (entry, certificate) = (entry(), entry_of("certificate"));
    let request = sent("wechatpay", &entry, "TRANSACTION.SUCCESS", None)?;
    let by_certificate = sent("wechatpay", &certificate, "TRANSACTION.SUCCESS", None)?;
    let signed_as = |payload: &str| sent("wechatpay", &entry, "TRANSACTION.SUCCESS", Some(payload));
    let compact = signed_as(r#"{"id":"EV-1","event_type":"A.B","resource":{"n":1.0}}"#)?;
    let api_v3_key = entry["api_v3_key"].as_str().unwrap_or_default();
    let (id, other_id) =
        ("PUB_KEY_ID_0114232134912410000000000001", "0A57F09EFDC096DE15EBE81A47057A72DE3014EC");
    let other_key = but(&entry, &json!({ "keys": { id: entry["keys"][other_id] } }));
    let value = header(&request, SIGNATURE);

    cases.extend([
        case("opens", "nothing is wrong", Curl, request.clone(), entry.clone()),
        case("opens", "signed by a certificate's key", Event, by_certificate.clone(), certificate.clone()),
        case("opens", "acknowledged", Event, request.clone(), entry.clone()).answered("HTTP/2 204\n\n"),
        case(
            "reply_refused",
            "the answer is that of the first version of the API",
            Event,
            request.clone(),
            entry.clone(),
        )
        .answered("HTTP/2 202\ncontent-type: text/xml\n\n<xml/>"),
        case(
            "key_id_unknown",
            "the platform moved to a public key, and only the certificate is there",
            Event,
            request.clone(),
            certificate.clone(),
        )
        .says(&["wechatpay-serial", "0001"], &["kid", "query"]),
        case("key_id_unknown", "the certificate was replaced", Curl, by_certificate, entry.clone())
            .says(&["14eb"], &["kid"]),
        case("public_key_mismatch", "another key stands under the id", Event, request.clone(), other_key),
        case(
            "resource_key_mismatch",
            "the APIv3 key was replaced",
            Event,
            request.clone(),
            but(&entry, &json!({ "api_v3_key": "k".repeat(32) })),
        )
        .says(&["api_v3_key"], &["was changed in transit"]),
        case(
            "secret_has_whitespace",
            "the APIv3 key ends with a line feed",
            Event,
            request.clone(),
            but(&entry, &json!({ "api_v3_key": format!("{api_v3_key}\n") })),
        ),
        case(
            "secret_has_quotes",
            "the APIv3 key stands in quotes",
            Event,
            request.clone(),
            but(&entry, &json!({ "api_v3_key": format!("\"{api_v3_key}\"") })),
        ),
        case(
            "credentials_invalid",
            "the APIv3 key is cut",
            Event,
            request.clone(),
            but(&entry, &json!({ "api_v3_key": &api_v3_key[..30] })),
        )
        .says(&["32 bytes; there are 30"], &[]),
        case(
            "credentials_invalid",
            "the merchant's own serial number stands in place of a name",
            Event,
            request.clone(),
            but(&entry, &json!({ "keys": { "my key": entry["keys"][id] } })),
        )
        .says(&["serial number"], &["pre-shared"]),
        case("wrong_source", "another source has the key", Event, request.clone(), json!({}))
            .under(json!({ "wechatpay": { "default": certificate, "acme": entry } })),
        case(
            "unknown_source",
            "the URL names a source that is not there",
            Curl,
            with_uri(&request, |uri| uri + "/nobody")?,
            entry.clone(),
        ),
        case(
            "wrong_provider",
            "the delivery is GitHub's",
            Event,
            with_uri(&sent("github", &github::entry(), "push", None)?, |uri| {
                uri.replace("/github", "/wechatpay")
            })?,
            entry.clone(),
        ),
        case("wrong_method", "a redirect made a GET of it", Event, get(&request), entry.clone()),
        case(
            "body_changed",
            "a framework parsed it and wrote it anew",
            Options,
            with_body(&compact, body_text(&compact).replace("\":", "\": ").replace(",\"", ", \"")),
            entry.clone(),
        ),
        case(
            "body_changed",
            "a line feed was put behind the body",
            Curl,
            with_body(&request, [&request.body()[..], b"\n"].concat()),
            entry.clone(),
        ),
        case(
            "body_is_base64",
            "the gateway's base64 was not decoded",
            Event,
            with_body(&request, STANDARD.encode(request.body())),
            entry.clone(),
        ),
        case("body_empty", "a middleware read the body", Har, with_body(&request, ""), entry.clone()),
        case(
            "signature_missing",
            "a proxy dropped the signature",
            Event,
            with_header(&request, SIGNATURE, None)?,
            entry.clone(),
        ),
        case(
            "signature_missing",
            "a proxy dropped the nonce",
            Event,
            with_header(&request, NONCE, None)?,
            entry.clone(),
        )
        .says(&["wechatpay-nonce"], &[]),
        case(
            "signature_malformed",
            "a proxy wrote spaces for `+`",
            Event,
            with_header(&request, SIGNATURE, Some(&value.replace('+', " ")))?,
            entry.clone(),
        ),
        case(
            "signature_wrong_algorithm",
            "the merchant chose SM2",
            Event,
            with_header(&request, SIGNATURE_TYPE, Some("WECHATPAY2-SM2-WITH-SM3"))?,
            entry.clone(),
        )
        .says(&["wechatpay-signature-type", "sm2"], &["jwe"]),
        case(
            "parameter_malformed",
            "the serial number came with colons",
            Event,
            with_header(&request, SERIAL, Some("0A:57:F0"))?,
            entry.clone(),
        ),
        case("timestamp_stale", "an old delivery was sent again", Curl, request.clone(), entry.clone())
            .at(fixed().now.0 + 3_600_000),
        case("timestamp_stale", "the receiver's clock is slow", Event, request.clone(), entry.clone())
            .at(fixed().now.0 - 302_000),
        case(
            "payload_invalid",
            "the resource is missing",
            Event,
            signed_as(r#"{"id":"EV-1","event_type":"A.B"}"#)?,
            entry.clone(),
        ),
    ]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use letterbox_codec::{Ambient, Timestamp};

    use super::*;
    use crate::receiver::Receiver;

    #[test]
    fn the_window_is_five_minutes_to_either_side() {
        let receiver = Receiver::new("wechatpay", &entry());
        let wide = Receiver::new("wechatpay", &but(&entry(), &json!({ "tolerance": 600 })));
        let payload = br#"{"id":"EV-1","event_type":"A.B","resource":{}}"#;
        for (seconds, expected) in [(300, true), (-299, true), (301, false), (-302, false)] {
            let ambient = Ambient { now: Timestamp(fixed().now.0 + seconds * 1000), ..fixed() };
            let request = receiver.build_request(None, "A.B", payload, &ambient);
            let accepted = |receiver: &Receiver| !receiver.handle(&request).1.is_empty();
            assert_eq!((accepted(&receiver), accepted(&wide)), (expected, true), "{seconds}");
        }
    }

    #[test]
    fn the_event_has_the_resource_in_clear_and_the_body_as_it_came() {
        let receiver = Receiver::new("wechatpay", &entry());
        let payload = r#"{ "id":"EV-1","event_type":"REFUND.SUCCESS","create_time":"2026-11-21T18:00:00+08:00","resource":{"out_trade_no":"T1","n":1.50}, "x":"\u4e2d" }"#;
        let request = receiver.build_request(None, "REFUND.SUCCESS", payload.as_bytes(), &fixed());
        let (_, messages) = receiver.handle(&request);
        assert!(messages[0].body.ends_with(&format!(r#""data":{payload}}}"#)), "{}", messages[0].body);
        let event: Value = serde_json::from_str(&messages[0].body).unwrap();
        assert_eq!(event["rawdata"], body_text(&request));
        assert!(!body_text(&request).contains("\"T1\""));
        for (member, expected) in [
            ("id", "EV-1"),
            ("type", "wechatpay.REFUND.SUCCESS"),
            ("subject", "T1"),
            ("time", "2026-11-21T10:00:00Z"),
        ] {
            assert_eq!(event[member], expected, "{member}");
        }
    }

    #[test]
    fn serial_numbers_are_numbers() {
        let certificate = entry_of("certificate");
        let key = certificate["keys"].as_object().unwrap().values().next().unwrap();
        for (configured, accepted) in [
            ("5157F09EFDC096DE15EBE81A47057A72DE3014EB", true),
            ("5157f09efdc096de15ebe81a47057a72de3014eb", true),
            ("005157F09EFDC096DE15EBE81A47057A72DE3014EB", true),
            ("5157F09EFDC096DE15EBE81A47057A72DE3014E", false),
        ] {
            let entry = but(&certificate, &json!({ "keys": { configured: key } }));
            let request = sent("wechatpay", &certificate, "TRANSACTION.SUCCESS", None).unwrap();
            let receiver = Receiver::new("wechatpay", &entry);
            assert_eq!(receiver.handle(&request).1.len(), usize::from(accepted), "{configured}");
        }
        let platform = letterbox_registry::find("wechatpay").unwrap();
        for (keys, expected) in [
            (json!({ "0a": key, "0A": key }), "only once"),
            (json!({}), "at least one"),
            (
                json!({ "a": "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----" }),
                "keys.a: expected an RSA public key",
            ),
            (json!({ "é": key }), "serial number"),
        ] {
            let entry = but(&certificate, &json!({ "keys": keys }));
            let error = platform.keys(&json!({ "default": entry }).to_string()).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_refusal_is_in_the_platforms_words() {
        let receiver = Receiver::new("wechatpay", &entry());
        let request = receiver.build_request(None, "A.B", br#"{"event_type":"A.B"}"#, &fixed());
        let (answer, _) = receiver.handle(&request);
        assert_eq!(answer.response.body(), r#"{"code":"FAIL","message":"resource.algorithm: missing"}"#);
    }

    #[test]
    fn only_the_demo_key_signs_here() {
        let mut entry = entry();
        entry["keys"].as_object_mut().unwrap().remove("PUB_KEY_ID_0114232134912410000000000001");
        let error = sent("wechatpay", &entry, "TRANSACTION.SUCCESS", None).unwrap_err();
        assert!(error.contains("only WeChat Pay can sign"), "{error}");
    }
}
