//! Described senders that are no payment service: sample events, and broken deliveries.

use http::Method;
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
        case("joined", 202, "standard-webhooks", Of(joined), cases::same),
        case("contact", 202, "svix", Of("svix/contact.created"), cases::same),
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
    let letter = sent("signed", &entry, "standard-webhooks/member.joined", None)?;
    let case =
        |cause, about, form, request, entry| doctor::case("signed", cause, about, form, request, entry);
    cases.extend([
        case("opens", "nothing is wrong", Options, letter.clone(), entry),
        case(
            "secret_mismatch",
            "another secret",
            Event,
            letter,
            json!({ "preset": "standard-webhooks", "secret": "whsec_cXVpdGUtb3RoZXItc2VjcmV0" }),
        ),
    ]);
    Ok(())
}
