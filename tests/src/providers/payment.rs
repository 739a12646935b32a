//! Payment services: sample events, broken deliveries, and what is special about it.

use letterbox_codec::Stage;
use serde_json::{Value, json};

use super::{Provider, github};
use crate::{
    cases::{self, Large, Of, Payload},
    doctor::{
        self, Case, Curl, Event, Har, Made, Options, Vectors, but, moved, sent, with_body, with_header,
        with_uri,
    },
    fixed,
};

pub(super) const PROVIDER: Provider = Provider {
    name: "payment",
    statuses: &[202, 400, 401, 404, 405, 413, 503],
    unusable: 400,
    refusals: &[
        ("get", "method_not_allowed", Stage::Route),
        ("unknown_source", "unknown_source", Stage::Route),
        ("missing_header", "missing_signature", Stage::Form),
        ("wrong_signature", "signature_mismatch", Stage::Key),
        ("stale", "timestamp_out_of_range", Stage::Address),
        ("unhandled_event_type", "unhandled_event_type", Stage::Payload),
        ("not_json", "invalid_json", Stage::Payload),
        ("empty", "invalid_json", Stage::Payload),
        ("missing_type", "missing_field", Stage::Payload),
        ("type_not_text", "malformed_field", Stage::Payload),
        ("too_large", "too_large", Stage::Payload),
    ],
    cases,
    broken,
};

const SHARED: &str = "your_shared_secret";

/// The credentials entry that the broken deliveries are made with.
pub(super) fn entry() -> Value {
    json!({ "secret": SHARED })
}

fn cases() -> Vec<cases::Case> {
    let case = cases::case_of("payment");
    vec![
        case("payment_success", 202, "default", Of("payment_success"), cases::same),
        case("refund", 202, "refunds", Of("payment_refunded"), cases::same),
        case("unhandled_event_type", 400, "refunds", Of("payment_success"), cases::same),
        case("not_json", 400, "default", Payload("notice", b"not json"), cases::same),
        case("empty", 400, "default", Payload("notice", b""), cases::same),
        case("missing_type", 400, "default", Payload("notice", br#"{"transaction_id":"1"}"#), cases::same),
        case("type_not_text", 400, "default", Payload("notice", br#"{"event_type":["a"]}"#), cases::same),
        case("wrong_signature", 401, "default", Of("payment_success"), |request| {
            cases::body(
                request,
                br#"{"event_type":"payment_success","transaction_id":"12345","amount":1000}"#,
            );
        }),
        case("missing_header", 401, "default", Of("payment_success"), |request| {
            cases::header(request, "x-signature", None);
        }),
        case(
            "stale",
            401,
            "stripe",
            Payload("notice", br#"{"id":"evt_1","type":"charge.succeeded"}"#),
            cases::same,
        ),
        case("unknown_source", 404, "default", Of("payment_success"), |request| {
            cases::path(request, "/payment/nobody");
        }),
        case("get", 405, "default", Of("payment_success"), cases::get),
        case("too_large", 413, "default", Large("notice", 1024 * 1024), cases::same),
        case("queue_down", 503, "default", Of("payment_success"), cases::same),
    ]
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn broken(cases: &mut Vec<Case>, vectors: &Vectors) -> Made<()> {
    let case =
        |cause, about, form, request, entry| doctor::case("payment", cause, about, form, request, entry);
    let entry = entry();
    let request = sent("payment", &entry, "payment_success", None)?;
    let signed = |members: Value| sent("payment", &but(&entry, &members), "payment_success", None);
    let with = |members: Value| but(&entry, &members);
    let stripe = json!({ "preset": "stripe", "secret": "whsec_doctorstest" });
    let charge = r#"{"id":"evt_1","type":"charge.succeeded","data":{"object":{"id":"ch_1"}}}"#;
    let timed = json!({ "timestamp_header": "x-timestamp", "template": "{timestamp}.{body}" });
    let square = json!({ "preset": "square", "secret": SHARED });
    let update = r#"{"event_id":"e3","type":"payment.updated","data":{"id":"p3"}}"#;

    cases.extend([
        case("opens", "nothing is wrong", Options, request.clone(), entry.clone())
            .answered(r#"{"statusCode":202,"body":"{\"status\":\"accepted\"}"}"#),
        case(
            "secret_has_whitespace",
            "the secret ends with a tab",
            Event,
            request.clone(),
            with(json!({ "secret": format!("{SHARED}\t") })),
        ),
        case(
            "secret_encoding",
            "the secret is hex, and read as text",
            Event,
            signed(json!({ "secret": "0a0b0c0d", "secret_encoding": "hex" }))?,
            json!({ "secret": "0a0b0c0d" }),
        ),
        case(
            "secret_encoding",
            "the preset decodes a secret that the platform takes as it is",
            Curl,
            signed(json!({ "secret": "c2VjcmV0c2VjcmV0" }))?,
            json!({ "secret": "c2VjcmV0c2VjcmV0", "secret_encoding": "base64" }),
        ),
        case(
            "secret_mismatch",
            "another secret",
            Event,
            request.clone(),
            with(json!({ "secret": "quite-other-secret" })),
        ),
        case(
            "wrong_source",
            "the secret of another source under this scheme",
            Event,
            signed(json!({ "secret": "quite-other-secret" }))?,
            json!({}),
        )
        .under(
            json!({ "payment": { "default": entry, "acme": { "secret": "quite-other-secret", "header": "x-other" } } }),
        ),
        case(
            "body_changed",
            "the body is cut: Content-Length tells",
            Options,
            with_header(&with_body(&request, r#"{"event_type":"#), "content-length", Some("75"))?,
            entry.clone(),
        ),
        case(
            "signature_wrong_header",
            "the sender uses a header of its own",
            Event,
            moved(&request, "x-signature", "x-webhook-signature")?,
            entry.clone(),
        ),
        case(
            "signature_wrong_algorithm",
            "the sender signs with SHA-512",
            Event,
            signed(json!({ "algorithm": "sha512" }))?,
            entry.clone(),
        ),
        case(
            "signature_encoding",
            "the sender writes base64",
            Curl,
            signed(json!({ "encoding": "base64" }))?,
            entry.clone(),
        ),
        case(
            "signature_prefix_missing",
            "the sender writes a prefix",
            Event,
            signed(json!({ "prefix": "sha256=" }))?,
            entry.clone(),
        ),
        case(
            "signature_malformed",
            "the header comes without v1",
            Event,
            with_header(
                &sent("payment", &stripe, "notice", Some(charge))?,
                "stripe-signature",
                Some("t=1795255199,v0=00"),
            )?,
            stripe.clone(),
        ),
        case(
            "signed_text",
            "the sender is Stripe, and the entry does not say so",
            Event,
            sent("payment", &stripe, "notice", Some(charge))?,
            json!({ "secret": "whsec_doctorstest" }),
        ),
        case(
            "timestamp_stale",
            "the delivery was sent again an hour later",
            Event,
            sent("payment", &stripe, "notice", Some(charge))?,
            stripe.clone(),
        )
        .at(fixed().now.0 + 3_600_000),
        case(
            "timestamp_stale",
            "the receiver's clock is a day behind",
            Har,
            sent("payment", &stripe, "notice", Some(charge))?,
            stripe,
        )
        .at(fixed().now.0 - 86_400_000),
        case(
            "timestamp_unit",
            "the sender writes milliseconds",
            Event,
            signed(but(&timed, &json!({ "timestamp_unit": "ms" })))?,
            with(timed.clone()),
        ),
        case(
            "timestamp_unit",
            "the sender writes seconds",
            Curl,
            signed(timed.clone())?,
            with(but(&timed, &json!({ "timestamp_unit": "ms" }))),
        ),
        case(
            "signature_missing",
            "the timestamp's header was dropped",
            Event,
            with_header(&signed(timed.clone())?, "x-timestamp", None)?,
            with(timed.clone()),
        ),
        case(
            "url_changed",
            "a stage stands before the path",
            Options,
            with_uri(&sent("payment", &square, "notice", Some(update))?, |uri| {
                uri.replace("/payment", "/prod/payment")
            })?,
            square,
        ),
        case(
            "event_type_not_accepted",
            "the type is not in accept",
            Event,
            request.clone(),
            with(json!({ "accept": ["payment_refunded"] })),
        ),
        case(
            "payload_invalid",
            "the payload has no event type",
            Event,
            sent("payment", &entry, "notice", Some(r#"{"transaction_id":"1"}"#))?,
            entry.clone(),
        ),
        case(
            "wrong_provider",
            "the delivery is GitHub's",
            Event,
            with_uri(&sent("github", &github::entry(), "push", None)?, |uri| {
                uri.replace("/github", "/payment")
            })?,
            entry.clone(),
        ),
        case(
            "credentials_invalid",
            "the template leaves the body out",
            Event,
            request,
            with(json!({ "template": "{timestamp}" })),
        ),
    ]);
    broken_schemes(cases)?;
    for (id, cause, about) in [
        ("neg-missing-header", "signature_missing", "no signature"),
        ("neg-non-ascii-header", "signature_malformed", "the header is no text"),
        ("neg-body-reserialised", "body_changed", "the body was re-serialised without spaces"),
    ] {
        let (request, entry) = vectors.signed(&format!("payment/{id}"), "payment")?;
        cases.push(case(cause, about, Event, request, entry));
    }
    for (id, cause, about) in [
        ("neg-stale", "timestamp_stale", "301 seconds late"),
        ("neg-timestamp-not-number", "timestamp_malformed", "the timestamp is a word"),
    ] {
        let id = format!("payment/{id}");
        let (request, entry) = vectors.signed(&id, "payment")?;
        let input = vectors.input(&id)?;
        let request = with_header(&request, "x-timestamp", input["fields"]["timestamp"].as_str())?;
        let now = input["now"].as_i64().unwrap_or_default();
        cases.push(case(cause, about, Options, request, but(&entry, &timed)).at(now * 1000));
    }
    Ok(())
}

/// Signatures, keys and URLs that are not those of the entry.
#[allow(clippy::too_many_lines, reason = "a table")]
fn broken_schemes(cases: &mut Vec<Case>) -> Made<()> {
    let entry = entry();
    let paid = sent("payment", &entry, "payment_success", None)?;
    let unsigned = with_header(&paid, "x-signature", None)?;
    let with_signature = |value: &str| with_header(&paid, "x-signature", Some(value));
    let standard =
        json!({ "preset": "standard-webhooks", "secret": "whsec_c3VjaC1hLWxvbmctYW5kLWZpbmUtc2VjcmV0" });
    let joined = r#"{"type":"member.joined","data":{"id":"mem_1"}}"#;
    let member = sent("payment", &standard, "notice", Some(joined))?;
    let square = json!({ "preset": "square", "secret": SHARED });
    let update = r#"{"event_id":"e3","type":"payment.updated","data":{"id":"p3"}}"#;
    let at = |url: &str| sent("payment", &but(&square, &json!({ "url": url })), "notice", Some(update));
    let stripe = json!({ "preset": "stripe", "secret": "whsec_doctorstest" });
    let charge = sent("payment", &stripe, "notice", Some(r#"{"id":"evt_1","type":"charge.succeeded"}"#))?;
    let ed25519 = json!({
        "algorithm": "ed25519", "public_key": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    });
    let form = |body: &str| doctor::post("payment", "", body.to_owned());
    let case = |cause, about, request, entry: &Value| {
        doctor::case("payment", cause, about, Event, request, entry.clone())
    };
    let base64 = |length: usize| "Wlpa".repeat(length / 3) + ["", "Wg==", "Wlo="][length % 3];

    cases.extend([
        // One algorithm for another.
        case("signature_wrong_algorithm", "only an asymmetric signature", with_header(&member, "webhook-signature", Some(&format!("v1a,{}", base64(64))))?, &standard)
            .says(&["Ed25519", "public_key"], &["SHA-512", "sha512"]),
        case("signature_wrong_algorithm", "Ed25519 in a header of that name", with_header(&unsigned, "x-signature-ed25519", Some(&"5a".repeat(64)))?, &json!({ "secret": SHARED, "header": "x-signature-ed25519" }))
            .says(&["Ed25519"], &["SHA-512", "sha512"]),
        case("signature_wrong_algorithm", "64 bytes of no name", with_signature(&"5a".repeat(64))?, &entry)
            .says(&["perhaps", "64 bytes", "Ed25519", "HMAC-SHA-256 has 32"], &["is an HMAC-SHA-512"]),
        case("signature_wrong_algorithm", "an RSA signature", with_signature(&base64(256))?, &entry)
            .says(&["RSA", "256 bytes"], &["SHA-512"]),
        case("signature_wrong_algorithm", "an ECDSA signature in DER", with_signature(&format!("3045{}", "5a".repeat(69)))?, &entry)
            .says(&["ECDSA", "DER"], &["SHA-512"]),
        case("signature_wrong_algorithm", "an SM2 signature", with_header(&unsigned, "x-sm2-signature", Some(&base64(64)))?, &json!({ "secret": SHARED, "header": "x-sm2-signature" }))
            .says(&["SM2"], &["SHA-512", "Ed25519"]),
        case("signature_wrong_algorithm", "a PGP signature", with_signature("-----BEGIN PGP SIGNATURE----- iQ")?, &entry)
            .says(&["PGP"], &["SHA-512"]),
        case("credentials_invalid", "the public key is stored as the secret", paid.clone(), &json!({ "secret": "whpk_MFkwEwYHKoZIzj0" }))
            .says(&["public key"], &["MFkwEwY"]),
        case("secret_mismatch", "an API key is stored as the secret", paid.clone(), &json!({ "secret": "sk_live_MFkwEwYHKoZIzj0" }))
            .says(&["looks like an API key", "Tried without success"], &["MFkwEwY"]),
        case("public_key_mismatch", "the key is another's", with_signature(&"5a".repeat(64))?, &ed25519)
            .says(&["public_key"], &["The secret is not"]),

        // Sharing a secret is no fault.
        case("event_type_not_accepted", "another source has the secret, and accepts the type", paid.clone(), &json!({}))
            .under(json!({ "payment": { "default": { "secret": SHARED, "accept": ["refund"] }, "all": { "secret": SHARED } } }))
            .says(&[], &["do not verify"]),
        case("timestamp_stale", "another source has the secret, and a longer tolerance", charge.clone(), &json!({}))
            .under(json!({ "payment": { "default": stripe, "patient": { "preset": "stripe", "secret": "whsec_doctorstest", "tolerance": 90_000 } } }))
            .at(fixed().now.0 + 7_200_000)
            .says(&[], &["do not verify"]),

        // The URL.
        doctor::case("payment", "url_changed", "the platform knows a port that the gateway names", Options, with_header(&at("https://hooks.example.com:8443/payment")?, "x-forwarded-port", Some("8443"))?, square.clone())
            .says(&[":8443"], &[]),
        case("url_changed", "the platform knows the default port", at("https://hooks.example.com:443/payment")?, &square)
            .says(&[":443"], &[]),
        case("url_changed", "the platform knows a slash at the end, and http", at("http://hooks.example.com/payment/")?, &square)
            .says(&["http://hooks.example.com/payment/"], &[]),
        case("url_changed", "a proxy called by another name", with_header(&at("https://shop.example.net/payment")?, "x-forwarded-host", Some("shop.example.net"))?, &square)
            .says(&["https://shop.example.net/payment"], &[]),
        case("secret_mismatch", "the platform knows another domain", at("https://shop.example.net/payment")?, &square)
            .says(&["`url`", "another domain", "Tried"], &["shop.example.net"]),

        // What came instead.
        case("signature_missing", "a form of Paddle Classic", form("alert_name=payment_refunded&p_signature=AAAA")?, &json!({ "preset": "paddle", "secret": SHARED }))
            .says(&["Paddle Classic"], &[]),
        case("signature_missing", "HubSpot's older signature", with_header(&with_header(&unsigned, "x-hubspot-signature", Some(&"5a".repeat(32)))?, "x-hubspot-signature-version", Some("v1"))?, &json!({ "secret": SHARED, "header": "x-hubspot-signature-v3" }))
            .says(&["HubSpot", "v1 or v2"], &[]),
        case("signature_missing", "Slack's verification token alone", form(r#"{"token":"a","team_id":"T1","api_app_id":"A1","type":"event_callback"}"#)?, &json!({ "secret": SHARED, "header": "x-slack-signature" }))
            .says(&["verification token"], &[]),
        case("signature_malformed", "only Stripe's signature for tests", with_header(&charge, "stripe-signature", Some("t=1795255199,v0=5a5a"))?, &stripe)
            .says(&["v0", "test events"], &[]),
        case("signature_missing", "another header that looks like it", with_header(&moved(&paid, "x-signature", "x-body-digest")?, "x-body-digest", Some(&"5a".repeat(32)))?, &entry)
            .says(&["x-body-digest"], &[]),

        // More than one.
        case("signature_malformed", "two signatures that a gateway joined", with_header(&member, "webhook-signature", Some(&format!("v1,AAAA,{}", doctor::header(&member, "webhook-signature"))))?, &standard)
            .says(&["joined by commas", "Value 2 of 2"], &["\"prefix\":"]),
        case("signature_malformed", "Stripe's header twice, joined", with_header(&charge, "stripe-signature", Some(&format!("t=1,v1=5a,{}", doctor::header(&charge, "stripe-signature"))))?, &stripe)
            .says(&["joined by commas"], &[]),
    ]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use letterbox_signed::{presets::Preset, sender::SENDERS};

    use super::*;
    use crate::receiver::Receiver;

    #[test]
    fn every_payment_preset_accepts_its_senders_payload() {
        for sender in SENDERS {
            let (name, proof) = (sender.name, &sender.proof);
            let preset = Preset::find(name).unwrap().entry();
            // Only the sender signs with a private key; of a part of the type, a sample has no name.
            let is_built = proof.key_field == "secret"
                && !preset.get("type").is_some_and(|path| path.to_string().contains("{header:"))
                && (proof.event.is_some()
                    || !preset.contains_key("type") && !preset.contains_key("type_header"));
            if !is_built {
                continue;
            }
            let receiver = Receiver::new("payment", &json!({ "preset": name, proof.key_field: proof.key }));
            // If the proof is not an event, the sender uses the default paths.
            let own = json!({ "event_type": "paid", "transaction_id": 7 }).to_string();
            let (payload, event_type, subject) = match &proof.event {
                Some(event) => (proof.body.as_bytes(), event.event_type, event.subject),
                None => (own.as_bytes(), "paid", Some("7")),
            };
            let event = receiver.event(event_type, payload);
            assert_eq!(event["type"], format!("payment.{event_type}"), "{name}");
            assert_eq!(event["subject"].as_str(), subject, "{name}");
        }
    }

    #[test]
    fn payment_acknowledges_with_the_status_of_the_entry() {
        for (entry, expected) in [
            (json!({ "secret": "s" }), 202),
            (json!({ "secret": "s", "preset": "paddle" }), 202),
            (json!({ "secret": "s", "preset": "paddle", "status": 200 }), 200),
        ] {
            let receiver = Receiver::new("payment", &entry);
            let request = receiver.build_request(None, "notice", br#"{"event_type":"a"}"#, &fixed());
            let (answer, messages) = receiver.handle(&request);
            assert_eq!((answer.record.status, messages.len()), (expected, 1), "{entry}");
            assert_eq!(answer.response.body(), r#"{"status":"accepted"}"#);
        }
    }

    #[test]
    fn payment_signature_headers_with_several_signatures() {
        let receiver = Receiver::new("payment", &json!({ "preset": "stripe", "secret": "s" }));
        let payload = br#"{"type":"a"}"#;
        let request = receiver.build_request(None, "notice", payload, &fixed());
        let value = request.headers()["stripe-signature"].to_str().unwrap().to_owned();
        let (time, good) = value.split_once(',').unwrap();
        let bad = format!("v1={}", "0".repeat(64));
        for (header, expected) in [
            (format!("{time},{bad},{good}"), None),
            (format!("{time}, {good}, v0=ignored"), None),
            (format!("{good},{time}"), None),
            (format!("{time},{bad}"), Some("signature_mismatch")),
            (format!("{time},v1=nothex"), Some("signature_mismatch")),
            (time.to_owned(), Some("malformed_signature")),
            (good.to_owned(), Some("malformed_signature")),
            (format!("{time},{time},{good}"), Some("malformed_signature")),
            (format!("t=,{good}"), Some("signature_mismatch")),
            (" ".to_owned(), Some("missing_signature")),
        ] {
            let mut request = request.clone();
            request.headers_mut().insert("stripe-signature", header.parse().unwrap());
            match expected {
                Some(code) => assert_eq!(receiver.refusal(&request), (401, code), "{header}"),
                None => assert_eq!(receiver.handle(&request).1.len(), 1, "{header}"),
            }
        }
        let mut twice = request;
        twice.headers_mut().append("stripe-signature", value.parse().unwrap());
        assert_eq!(receiver.refusal(&twice), (401, "malformed_signature"));
    }

    #[test]
    fn a_value_that_sqs_would_reject_does_not_prevent_an_event() {
        let receiver = Receiver::new("payment", &json!({ "secret": "s" }));
        let payload =
            "{\"event_type\":\"paid\",\"transaction_id\":\"\u{ffff} 中\",\"n\":\"\u{fffe}\",\"big\":1e999}";
        let (_, messages) =
            receiver.handle(&receiver.build_request(None, "notice", payload.as_bytes(), &fixed()));
        let [message] = messages.as_slice() else { panic!("no message") };
        assert!(!message.body.contains(['\u{fffe}', '\u{ffff}']));
        assert!(message.body.ends_with(
            r#""data":{"event_type":"paid","transaction_id":"\uffff 中","n":"\ufffe","big":1e999}}"#
        ));
        // This subject cannot be an attribute.
        assert!(message.attributes.iter().all(|(name, _)| *name != "subject"));
        for bad in [r#"{"event_type":"a\u0001b"}"#, r#"{"event_type":" "}"#, r#"{"event_type":true}"#] {
            let request = receiver.build_request(None, "notice", bad.as_bytes(), &fixed());
            assert_eq!(receiver.refusal(&request), (400, "malformed_field"), "{bad}");
        }
    }

    #[test]
    fn every_message_can_be_read_by_a_common_parser() {
        let receiver = Receiver::new("payment", &json!({ "secret": "s" }));
        let nested = |depth: usize| {
            format!(r#"{{"event_type":"deep","x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth))
        };
        receiver.event("notice", nested(125).as_bytes());
        let request = receiver.build_request(None, "notice", nested(126).as_bytes(), &fixed());
        assert_eq!(receiver.refusal(&request), (400, "invalid_json"));
    }
}
