//! Slack: sample events, and broken deliveries.

use base64::{Engine, engine::general_purpose::STANDARD};
use letterbox_codec::Stage;
use serde_json::{Value, json};

use super::{Provider, github};
use crate::{
    cases::{self, Of, Payload},
    doctor::{
        self, Case, Curl, Event, Har, Made, Options, Vectors, get, header, moved, sent, with_body,
        with_header, with_uri,
    },
};

pub(super) const PROVIDER: Provider = Provider {
    name: "slack",
    statuses: &[200, 400, 401, 404, 405, 413, 503],
    unusable: 400,
    refusals: &[
        ("get", "method_not_allowed", Stage::Route),
        ("unknown_source", "unknown_source", Stage::Route),
        ("too_large", "too_large", Stage::Route),
        ("no_signature", "missing_signature", Stage::Form),
        ("no_timestamp", "missing_signature", Stage::Form),
        ("two_signatures", "signature_mismatch", Stage::Key),
        ("other_version", "malformed_signature", Stage::Form),
        ("unsigned_url_verification", "missing_signature", Stage::Form),
        ("unsigned_command_with_ssl_check", "missing_signature", Stage::Form),
        ("unsigned_payload_with_ssl_check", "missing_signature", Stage::Form),
        ("unsigned_ssl_check_of_another_value", "missing_signature", Stage::Form),
        ("ssl_check_with_wrong_signature", "signature_mismatch", Stage::Key),
        ("wrong_signature", "signature_mismatch", Stage::Key),
        ("replayed_with_another_time", "signature_mismatch", Stage::Key),
        ("decoded_form", "signature_mismatch", Stage::Key),
        ("stale", "timestamp_out_of_range", Stage::Address),
        ("ahead", "timestamp_out_of_range", Stage::Address),
        ("not_json", "invalid_json", Stage::Payload),
        ("not_utf8", "invalid_utf8", Stage::Payload),
        ("form_not_utf8", "invalid_utf8", Stage::Payload),
        ("empty", "invalid_json", Stage::Payload),
        ("without_type", "missing_field", Stage::Payload),
        ("two_types", "malformed_field", Stage::Payload),
        ("event_without_type", "missing_field", Stage::Payload),
        ("url_verification_without_challenge", "missing_field", Stage::Payload),
        ("two_payloads", "malformed_field", Stage::Payload),
        ("payload_encoded_twice", "invalid_json", Stage::Payload),
        ("payload_without_type", "missing_field", Stage::Payload),
        ("two_commands", "malformed_field", Stage::Payload),
        ("form_without_command", "missing_field", Stage::Payload),
    ],
    cases,
    broken,
};

const SECRET: &str = "8f14e45fceea167a5a36dedd4bea2543";
const SIGNATURE: &str = "x-slack-signature";
const TIMESTAMP: &str = "x-slack-request-timestamp";

/// The credentials entry that the broken deliveries are made with.
fn entry() -> Value {
    json!({ "secret": SECRET })
}

fn unsigned(request: &mut letterbox_codec::Request) {
    cases::header(request, SIGNATURE, None);
    cases::header(request, TIMESTAMP, None);
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<cases::Case> {
    let case = cases::case_of("slack");
    let raw = |payload| Payload("raw", payload);
    vec![
        case("message", 200, "default", Of("message"), cases::same),
        case("reaction_added", 200, "default", Of("reaction_added"), cases::same),
        case("rotated", 200, "rotating", Of("message"), cases::same),
        case("retried", 200, "default", Of("message"), |request| {
            cases::header(request, "x-slack-retry-num", Some("1"));
            cases::header(request, "x-slack-retry-reason", Some("http_timeout"));
        }),
        case("app_rate_limited", 200, "default", Of("app_rate_limited"), cases::same),
        case("event_of_an_organization", 200, "default", raw(br#"{"type":"event_callback","team_id":null,"enterprise_id":"E0LETTERBX","event_id":"Ev9","event":{"type":"team_join"}}"#), cases::same),
        // Only the type of the whole message makes a handshake.
        case("event_named_url_verification", 200, "default", raw(br#"{"type":"event_callback","event_id":"Ev8","challenge":"c","event":{"type":"url_verification"}}"#), cases::same),
        case("block_actions", 200, "default", Of("block_actions"), cases::same),
        case("view_submission", 200, "default", Of("view_submission"), cases::same),
        case("shortcut", 200, "default", Of("shortcut"), cases::same),
        case("interaction_of_an_organization", 200, "default", raw(b"payload=%7B%22type%22%3A%22view_closed%22%2C%22team%22%3Anull%2C%22enterprise%22%3A%7B%22id%22%3A%22E0LETTERBX%22%7D%7D"), cases::same),
        case("command", 200, "default", Of("command"), cases::same),
        case("command_with_a_repeated_field", 200, "default", raw(b"command=%2Fstock&text=a%2Bb+%25&x=1&x=2&team_id=T0LETTERBX"), cases::same),
        case("url_verification", 200, "default", Of("url_verification"), cases::same),
        case("challenge_with_quotes", 200, "default", raw(br#"{"type":"url_verification","challenge":"\"<b>\\\u4e2d"}"#), cases::same),
        case("ssl_check", 200, "default", Of("ssl_check"), cases::same),
        case("unsigned_ssl_check", 200, "default", Of("ssl_check"), unsigned),
        case("queue_down_url_verification", 200, "default", Of("url_verification"), cases::same),
        case("not_json", 400, "default", raw(b"{"), cases::same),
        case("not_utf8", 400, "default", raw(b"{\"type\":\"\xff\"}"), cases::same),
        case("form_not_utf8", 400, "default", raw(b"command=\xff"), cases::same),
        case("empty", 400, "default", raw(b""), cases::same),
        case("without_type", 400, "default", raw(br#"{"event":{"type":"message"}}"#), cases::same),
        case("two_types", 400, "default", raw(br#"{"type":"event_callback","event":{},"type":"url_verification"}"#), cases::same),
        case("event_without_type", 400, "default", raw(br#"{"type":"event_callback","event":{}}"#), cases::same),
        case("url_verification_without_challenge", 400, "default", raw(br#"{"type":"url_verification"}"#), cases::same),
        case("two_payloads", 400, "default", raw(b"payload=%7B%7D&payload=%7B%7D"), cases::same),
        case("payload_encoded_twice", 400, "default", raw(b"payload=%257B%2522type%2522%253A%2522shortcut%2522%257D"), cases::same),
        case("payload_without_type", 400, "default", raw(b"payload=%7B%7D"), cases::same),
        case("two_commands", 400, "default", raw(b"command=%2Fa&command=%2Fb"), cases::same),
        case("form_without_command", 400, "default", raw(b"token=t&team_id=T0LETTERBX"), cases::same),
        case("no_signature", 401, "default", Of("message"), |request| cases::header(request, SIGNATURE, None)),
        case("no_timestamp", 401, "default", Of("message"), |request| cases::header(request, TIMESTAMP, None)),
        // API Gateway joins the values of one name with commas.
        case("two_signatures", 401, "default", Of("message"), |request| {
            let value = request.headers().get(SIGNATURE).cloned();
            request.headers_mut().extend(value.map(|value| (http::HeaderName::from_static(SIGNATURE), value)));
        }),
        case("other_version", 401, "default", Of("message"), |request| {
            let value = cases::text(request, SIGNATURE).replace("v0=", "v1=");
            request.headers_mut().extend(value.parse().map(|value| (Some(http::HeaderName::from_static(SIGNATURE)), value)));
        }),
        case("wrong_signature", 401, "default", Of("message"), |request| cases::body(request, br#"{"type":"event_callback"}"#)),
        case("replayed_with_another_time", 401, "default", Of("message"), |request| cases::header(request, TIMESTAMP, Some("1795255200"))),
        case("decoded_form", 401, "default", Of("command"), |request| cases::body(request, "command=/stock&text=oolong & 白茶".as_bytes())),
        case("unsigned_url_verification", 401, "default", Of("url_verification"), unsigned),
        case("unsigned_command_with_ssl_check", 401, "default", raw(b"ssl_check=1&command=%2Fstock"), unsigned),
        case("unsigned_payload_with_ssl_check", 401, "default", raw(b"ssl_check=1&payload=%7B%22type%22%3A%22shortcut%22%7D"), unsigned),
        case("unsigned_ssl_check_of_another_value", 401, "default", raw(b"ssl_check=true"), unsigned),
        case("ssl_check_with_wrong_signature", 401, "default", Of("ssl_check"), |request| cases::body(request, b"ssl_check=1")),
        case("stale", 401, "strict", Of("message"), cases::same),
        case("ahead", 401, "strict", Of("message"), cases::same),
        case("unknown_source", 404, "default", Of("message"), |request| cases::path(request, "/slack/nobody")),
        case("get", 405, "default", Of("message"), cases::get),
        case("too_large", 413, "default", Of("message"), |request| cases::body(request, &[b' '; 1024 * 1024 + 1])),
        case("queue_down", 503, "default", Of("message"), cases::same),
    ]
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn broken(cases: &mut Vec<Case>, _: &Vectors) -> Made<()> {
    let case = |cause, about, form, request, entry| doctor::case("slack", cause, about, form, request, entry);
    let entry = entry();
    let request = sent("slack", &entry, "message", None)?;
    let command = sent("slack", &entry, "command", None)?;
    let action = sent("slack", &entry, "block_actions", None)?;
    let signed_as = |payload: &str| sent("slack", &entry, "raw", Some(payload));
    let compact =
        signed_as(r#"{"type":"event_callback","event_id":"Ev1","event":{"type":"message","text":"<Zoë>"}}"#)?;
    let secret = |secret: &str| json!({ "secret": secret });
    let value = header(&request, SIGNATURE);
    let bytes = hex::decode(value.trim_start_matches("v0=")).unwrap_or_default();
    let old = request.clone();

    cases.extend([
        case("opens", "nothing is wrong", Curl, request.clone(), entry.clone()),
        case("opens", "a command", Event, command.clone(), entry.clone()),
        case("opens", "an interaction", Har, action.clone(), entry.clone()),
        case(
            "secret_has_whitespace",
            "the secret ends with a line feed",
            Event,
            request.clone(),
            secret(&format!("{SECRET}\n")),
        ),
        case(
            "secret_has_quotes",
            "the secret stands in quotes",
            Event,
            request.clone(),
            secret(&format!("\"{SECRET}\"")),
        ),
        case(
            "secret_has_extra_text",
            "zsh's `%` was copied along",
            Curl,
            request.clone(),
            secret(&format!("{SECRET}%")),
        ),
        case(
            "secret_altered",
            "the letters are in upper case with a space between",
            Event,
            request.clone(),
            secret(&SECRET.replace("5a", "5a ")),
        ),
        case(
            "secret_mismatch",
            "the client secret, or another app's",
            Har,
            request.clone(),
            secret("c81e728d9d4c2f636f067f89cc14862c"),
        ),
        case("wrong_source", "another source has the secret", Event, request.clone(), json!({})).under(
            json!({ "slack": { "default": secret("c81e728d9d4c2f636f067f89cc14862c"), "acme": entry } }),
        ),
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
                uri.replace("/github", "/slack")
            })?,
            entry.clone(),
        ),
        case(
            "credentials_missing",
            "the credentials are another provider's",
            Event,
            request.clone(),
            json!({}),
        )
        .under(json!({ "github": { "default": github::entry() } })),
        case(
            "credentials_invalid",
            "a field that is unknown",
            Event,
            request.clone(),
            json!({ "secrets": SECRET }),
        ),
        case(
            "credentials_invalid",
            "a tolerance of zero",
            Event,
            request.clone(),
            json!({ "secret": SECRET, "tolerance": 0 }),
        ),
    ]);
    cases.extend([
        case("body_changed", "re-serialised with spaces", Options, with_body(&compact, r#"{"type": "event_callback", "event_id": "Ev1", "event": {"type": "message", "text": "<Zoë>"}}"#), entry.clone()),
        case("body_changed", "an editor put a line feed behind the body", Options, with_body(&request, [&request.body()[..], b"\n"].concat()), entry.clone()),
        case("body_is_decoded_form", "a proxy decoded the interaction's form", Event, with_body(&signed_as("payload=%7B%22type%22%3A%22shortcut%22%7D")?, r#"payload={"type":"shortcut"}"#), entry.clone()),
        case("body_is_base64", "the gateway's base64 was not decoded", Event, with_body(&request, STANDARD.encode(request.body())), entry.clone()),
        case("body_empty", "a middleware read the body", Har, with_body(&request, ""), entry.clone()),
        case("signature_missing", "a proxy dropped the signature", Event, with_header(&request, SIGNATURE, None)?, entry.clone()),
        case("signature_missing", "a proxy dropped the timestamp", Curl, with_header(&request, TIMESTAMP, None)?, entry.clone()),
        case("signature_wrong_header", "the signature came under another name", Event, moved(&request, SIGNATURE, "x-signature")?, entry.clone()),
        case("signature_encoding", "the signature is base64", Event, with_header(&request, SIGNATURE, Some(&format!("v0={}", STANDARD.encode(bytes))))?, entry.clone()),
        case("signature_prefix_missing", "the signature has no version", Curl, with_header(&request, SIGNATURE, Some(value.trim_start_matches("v0=")))?, entry.clone()),
        case("signature_prefix_missing", "another version", Event, with_header(&request, SIGNATURE, Some(&value.replace("v0=", "v1=")))?, entry.clone()),
        case("signature_malformed", "the signature is cut off", Event, with_header(&request, SIGNATURE, value.get(..40))?, entry.clone()),
        case("timestamp_stale", "a clock is ten minutes off", Event, old.clone(), entry.clone()).at(1_795_255_800_000),
        case("timestamp_stale", "a replay of yesterday's delivery", Curl, command.clone(), entry.clone()).at(1_795_341_600_000),
        case("timestamp_stale", "the sender's clock is ahead", Event, old, entry.clone()).at(1_795_254_000_000),
        case("payload_invalid", "the payload is no JSON", Event, signed_as("{")?, entry.clone()),
        case("payload_invalid", "an interaction whose payload is encoded twice", Event, signed_as("payload=%257B%257D")?, entry.clone()),
        case("payload_invalid", "a form with neither payload nor command", Curl, signed_as("token=t&team_id=T1")?, entry.clone()),
        case("payload_invalid", "two fields `payload`", Event, signed_as("payload=%7B%7D&payload=%7B%7D")?, entry.clone()),
        case("too_large", "more than a body may have", Event, with_body(&request, vec![b' '; 1024 * 1024 + 1]), entry.clone()),
        case("wrong_method", "a redirect made a GET of it", Event, get(&request), entry.clone()),
        case("reply_refused", "the answer to a command is text", Event, command, entry.clone()).answered("HTTP/2 200\ncontent-type: text/plain\n\nok\n"),
        case("reply_refused", "the answer is a redirect", Event, request, entry).answered("HTTP/2 301\nlocation: https://hooks.example.com/slack/\n\n"),
    ]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::Method;
    use letterbox_intake::Outcome;

    use super::*;
    use crate::{fixed, receiver::Receiver};

    #[test]
    fn the_form_that_is_not_signed_is_answered_only_to_post() {
        let receiver = Receiver::new("slack", &entry());
        let mut request = receiver.build_request(None, "raw", b"ssl_check=1", &fixed());
        unsigned(&mut request);
        for (method, outcome) in [(Method::POST, Outcome::Answered), (Method::GET, Outcome::Refused)] {
            *request.method_mut() = method;
            let (answer, messages) = receiver.handle(&request);
            assert_eq!((answer.record.outcome, messages.len()), (outcome, 0));
        }
    }
}
