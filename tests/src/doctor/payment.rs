//! Payment services' broken deliveries.

use serde_json::{Value, json};

use super::{
    Case, Curl, Event, Har, Made, Options, SHARED, Vectors, but, moved, sent, truth, with_body, with_header,
    with_uri,
};
use crate::fixed;

#[allow(clippy::too_many_lines, reason = "a table")]
pub(super) fn rows(cases: &mut Vec<Case>, vectors: &Vectors) -> Made<()> {
    let case =
        |cause, about, form, request, entry| super::case("payment", cause, about, form, request, entry);
    let entry = truth("payment");
    let letter = sent("payment", &entry, "payment_success", None)?;
    let signed = |members: Value| sent("payment", &but(&entry, &members), "payment_success", None);
    let with = |members: Value| but(&entry, &members);
    let stripe = json!({ "preset": "stripe", "secret": "whsec_doctorstest" });
    let charge = r#"{"id":"evt_1","type":"charge.succeeded","data":{"object":{"id":"ch_1"}}}"#;
    let timed = json!({ "timestamp_header": "x-timestamp", "template": "{timestamp}.{body}" });
    let square = json!({ "preset": "square", "secret": SHARED });
    let update = r#"{"event_id":"e3","type":"payment.updated","data":{"id":"p3"}}"#;

    cases.extend([
        case("opens", "nothing is wrong", Options, letter.clone(), entry.clone())
            .answered(r#"{"statusCode":202,"body":"{\"status\":\"accepted\"}"}"#),
        case(
            "secret_has_whitespace",
            "the secret ends with a tab",
            Event,
            letter.clone(),
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
            letter.clone(),
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
            with_header(&with_body(&letter, r#"{"event_type":"#), "content-length", Some("75"))?,
            entry.clone(),
        ),
        case(
            "signature_wrong_header",
            "the sender uses a header of its own",
            Event,
            moved(&letter, "x-signature", "x-webhook-signature")?,
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
            letter.clone(),
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
            with_uri(&sent("github", &truth("github"), "push", None)?, |uri| {
                uri.replace("/github", "/payment")
            })?,
            entry.clone(),
        ),
        case(
            "credentials_invalid",
            "the template leaves the body out",
            Event,
            letter,
            with(json!({ "template": "{timestamp}" })),
        ),
    ]);
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
