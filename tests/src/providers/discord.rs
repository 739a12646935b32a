//! Discord: sample events, broken deliveries, and what is special about it.

use letterbox_codec::Stage;
use serde_json::{Value, json};

use super::Provider;
use crate::{
    cases::{self, Of, Payload},
    doctor::{
        self, Case, Curl, Event, Har, Made, Options, Vectors, body_text, get, header, sent, with_body,
        with_header,
    },
};

pub(super) const PROVIDER: Provider = Provider {
    name: "discord",
    statuses: &[200, 202, 204, 400, 401, 404, 405, 413, 503],
    unusable: 400,
    refusals: &[
        ("not_json", "invalid_json", Stage::Payload),
        ("list", "invalid_json", Stage::Payload),
        ("empty", "invalid_json", Stage::Payload),
        ("without_type", "missing_field", Stage::Payload),
        ("two_types", "malformed_field", Stage::Payload),
        ("interaction_without_id", "missing_field", Stage::Payload),
        ("webhook_event_without_type", "missing_field", Stage::Payload),
        ("wrong_signature", "signature_mismatch", Stage::Key),
        ("ping_with_wrong_signature", "signature_mismatch", Stage::Key),
        ("changed", "signature_mismatch", Stage::Key),
        ("replayed_with_another_time", "signature_mismatch", Stage::Key),
        ("no_signature", "missing_signature", Stage::Form),
        ("unsigned_ping", "missing_signature", Stage::Form),
        ("no_timestamp", "missing_signature", Stage::Form),
        ("cut_signature", "malformed_signature", Stage::Form),
        ("signature_in_base64", "malformed_signature", Stage::Form),
        ("two_signatures", "malformed_signature", Stage::Form),
        ("unknown_source", "unknown_source", Stage::Route),
        ("get", "method_not_allowed", Stage::Route),
        ("too_large", "too_large", Stage::Route),
    ],
    cases,
    broken,
};

const SIGNATURE: &str = "x-signature-ed25519";
const TIMESTAMP: &str = "x-signature-timestamp";
const COMMAND: &str = "application_command";
/// The public key of another application.
const OTHER_KEY: &str = "8165079d4d6eca75d4fe0fc6c5c65cbfdc7e5260e17a0855af9b69b1df08713a";

/// The demo entry: Discord's own keys are Discord's alone.
fn entry() -> Made<Value> {
    let demo: Value = serde_json::from_str(letterbox_registry::find("discord")?.facts().demo)
        .map_err(|error| error.to_string())?;
    Ok(demo["default"].clone())
}

/// A signature of the right form that nobody made.
fn wrong(request: &mut letterbox_codec::Request) {
    cases::header(
        request,
        SIGNATURE,
        Some(concat!(
            "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
            "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f00",
        )),
    );
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<cases::Case> {
    let case = cases::case_of("discord");
    let sample = |name, status, change| case(name, status, "default", Of(name), change);
    let command = |name, status, change| case(name, status, "default", Of(COMMAND), change);
    let raw = |name, status, payload| case(name, status, "default", Payload("raw", payload), cases::same);
    vec![
        sample("application_command", 200, cases::same),
        sample("message_component", 200, cases::same),
        sample("application_command_autocomplete", 200, cases::same),
        sample("modal_submit", 200, cases::same),
        sample("ping", 200, cases::same),
        case("queue_down_ping", 200, "default", Of("ping"), cases::same),
        command("upper_case_signature", 200, |request| {
            let value = cases::text(request, SIGNATURE).to_ascii_uppercase();
            request
                .headers_mut()
                .extend(value.parse().map(|value| (Some(http::HeaderName::from_static(SIGNATURE)), value)));
        }),
        command("another_user_agent", 200, |request| cases::header(request, "user-agent", None)),
        raw(
            "unknown_interaction",
            202,
            br#"{"type":6,"id":"1441393541529600007","application_id":"1180000000000000001"}"#,
        ),
        case("application_authorized", 204, "default", Of("APPLICATION_AUTHORIZED"), cases::same),
        case("entitlement_create", 204, "default", Of("ENTITLEMENT_CREATE"), cases::same),
        sample("webhook_ping", 204, cases::same),
        raw("not_json", 400, b"{"),
        raw("list", 400, b"[]"),
        raw("empty", 400, b""),
        raw("without_type", 400, br#"{"id":"1"}"#),
        raw("two_types", 400, br#"{"type":2,"id":"1","type":1}"#),
        raw("interaction_without_id", 400, br#"{"type":2}"#),
        raw("webhook_event_without_type", 400, br#"{"type":1,"event":{"timestamp":"2026-11-21T10:00:00"}}"#),
        command("wrong_signature", 401, wrong),
        case("ping_with_wrong_signature", 401, "default", Of("ping"), wrong),
        command("changed", 401, |request| {
            let body = [request.body(), &b" "[..]].concat();
            cases::body(request, &body);
        }),
        command("replayed_with_another_time", 401, |request| {
            cases::header(request, TIMESTAMP, Some("1795255200"));
        }),
        command("no_signature", 401, |request| cases::header(request, SIGNATURE, None)),
        case("unsigned_ping", 401, "default", Of("ping"), |request| {
            cases::header(request, SIGNATURE, None);
            cases::header(request, TIMESTAMP, None);
        }),
        command("no_timestamp", 401, |request| cases::header(request, TIMESTAMP, None)),
        command("cut_signature", 401, |request| cases::header(request, SIGNATURE, Some("5a5a"))),
        command("signature_in_base64", 401, |request| {
            cases::header(
                request,
                SIGNATURE,
                Some(
                    "WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWg==",
                ),
            );
        }),
        // API Gateway joins the values of one name with commas.
        command("two_signatures", 401, |request| {
            let value = request.headers().get(SIGNATURE).cloned();
            request
                .headers_mut()
                .extend(value.map(|value| (http::HeaderName::from_static(SIGNATURE), value)));
        }),
        command("unknown_source", 404, |request| cases::path(request, "/discord/nobody")),
        command("get", 405, cases::get),
        command("too_large", 413, |request| cases::body(request, &[b' '; 1024 * 1024 + 1])),
        command("queue_down", 503, cases::same),
    ]
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn broken(cases: &mut Vec<Case>, _: &Vectors) -> Made<()> {
    let case =
        |cause, about, form, request, entry| doctor::case("discord", cause, about, form, request, entry);
    let entry = entry()?;
    let request = sent("discord", &entry, COMMAND, None)?;
    let ping = sent("discord", &entry, "ping", None)?;
    let value = header(&request, SIGNATURE);
    cases.extend([
        case("opens", "nothing is wrong", Event, request.clone(), entry.clone()),
        case("opens", "a test of the URL", Curl, ping.clone(), entry.clone()),
        case(
            "opens",
            "a webhook event",
            Har,
            sent("discord", &entry, "ENTITLEMENT_CREATE", None)?,
            entry.clone(),
        ),
        case(
            "public_key_mismatch",
            "the public key is another application's",
            Event,
            request.clone(),
            json!({ "public_key": OTHER_KEY }),
        ),
        case(
            "body_changed",
            "a middleware wrote the JSON anew",
            Event,
            with_body(&request, body_text(&request).replace("\":", "\": ")),
            entry.clone(),
        ),
        case(
            "signature_missing",
            "a proxy dropped the signature",
            Curl,
            with_header(&request, SIGNATURE, None)?,
            entry.clone(),
        ),
        case(
            "signature_missing",
            "a proxy dropped the timestamp",
            Options,
            with_header(&request, TIMESTAMP, None)?,
            entry.clone(),
        ),
        case(
            "signature_malformed",
            "the signature was cut off",
            Event,
            with_header(&request, SIGNATURE, value.get(..100))?,
            entry.clone(),
        ),
        case("body_empty", "a middleware read the body", Event, with_body(&request, ""), entry.clone()),
        case(
            "payload_invalid",
            "an interaction without an id",
            Event,
            sent("discord", &entry, "raw", Some(r#"{"type":2}"#))?,
            entry.clone(),
        ),
        case("wrong_method", "the URL was opened in a browser", Event, get(&request), entry.clone()),
        case(
            "credentials_invalid",
            "the key is the application's id",
            Event,
            request.clone(),
            json!({ "public_key": "1180000000000000001" }),
        ),
        case("unknown_source", "the entry is under another name", Event, request, json!({}))
            .under(json!({ "discord": { "bot": entry } })),
        case("reply_refused", "the test of the URL is not answered", Event, ping, entry.clone())
            .answered("{}"),
    ]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use letterbox_intake::Outcome;

    use super::*;
    use crate::{fixed, receiver::Receiver};

    fn receiver() -> Receiver {
        Receiver::new("discord", &entry().unwrap())
    }

    #[test]
    fn each_interaction_has_the_acknowledgement_that_defers_it() {
        let receiver = receiver();
        for (number, name, status, body) in [
            (2, "application_command", 200, r#"{"type":5}"#),
            (3, "message_component", 200, r#"{"type":6}"#),
            (4, "application_command_autocomplete", 200, r#"{"type":8,"data":{"choices":[]}}"#),
            (5, "modal_submit", 200, r#"{"type":5}"#),
            (6, "6", 202, ""),
        ] {
            let payload = json!({ "type": number, "id": "1441393541529600000", "guild_id": "g", "application_id": "a" });
            let request = receiver.build_request(None, "raw", payload.to_string().as_bytes(), &fixed());
            let (answer, messages) = receiver.handle(&request);
            assert_eq!(
                (answer.response.status().as_u16(), &**answer.response.body()),
                (status, body),
                "{name}"
            );
            let media_type = answer.response.headers().get("content-type").cloned();
            assert_eq!(media_type.is_some_and(|value| value == "application/json"), status == 200, "{name}");
            let event: Value = serde_json::from_str(&messages[0].body).unwrap();
            assert_eq!(event["type"], format!("discord.interaction.{name}"));
            assert_eq!((&event["id"], &event["subject"]), (&json!("1441393541529600000"), &json!("g")));
            assert_eq!(event["time"], "2025-11-21T11:43:20.097Z");
            assert_eq!(receiver.opened(&entry().unwrap(), &request, answer).unwrap(), body);
        }
    }

    #[test]
    fn a_webhook_event_is_no_ping() {
        let receiver = receiver();
        let payload = br#"{"type":1,"application_id":"a","event":{"type":"APPLICATION_DEAUTHORIZED","timestamp":"2025-11-21T10:00:00.5"}}"#;
        let event = receiver.event("raw", payload);
        for (field, expected) in [
            ("type", "discord.APPLICATION_DEAUTHORIZED"),
            ("subject", "a"),
            ("time", "2025-11-21T10:00:00.5Z"),
        ] {
            assert_eq!(event[field], expected);
        }
        assert_eq!(event["id"].as_str().unwrap().len(), 64);
        for (payload, status, body) in [
            (r#"{"type":1}"#, 200, r#"{"type":1}"#),
            (r#"{"type":1,"event":null}"#, 200, r#"{"type":1}"#),
            (r#"{"type":0}"#, 204, ""),
        ] {
            let request = receiver.build_request(None, "raw", payload.as_bytes(), &fixed());
            let (answer, messages) = receiver.handle(&request);
            assert_eq!((answer.record.outcome, messages.len()), (Outcome::Answered, 0), "{payload}");
            assert_eq!(
                (answer.response.status().as_u16(), &**answer.response.body()),
                (status, body),
                "{payload}"
            );
        }
    }

    #[test]
    fn a_type_is_a_number_of_up_to_three_digits() {
        let receiver = receiver();
        for (number, refusal) in [
            ("999", None),
            (r#""7""#, None),
            ("1000", Some((400, "malformed_field"))),
            ("-1", Some((400, "malformed_field"))),
            ("1.5", Some((400, "malformed_field"))),
            (r#""a""#, Some((400, "malformed_field"))),
            (r#""""#, Some((400, "malformed_field"))),
            ("true", Some((400, "missing_field"))),
        ] {
            let payload = format!(r#"{{"type":{number},"id":"1441393541529600000"}}"#);
            let request = receiver.build_request(None, "raw", payload.as_bytes(), &fixed());
            match refusal {
                Some(refusal) => assert_eq!(receiver.refusal(&request), refusal, "{number}"),
                None => assert_eq!(receiver.handle(&request).1.len(), 1, "{number}"),
            }
        }
    }

    /// `S + L` in place of `S`: a verification that is not strict accepts both.
    #[test]
    fn a_second_signature_is_not_made_from_the_first() {
        const ORDER: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let receiver = receiver();
        let mut request = receiver.build_request(None, "raw", br#"{"type":1}"#, &fixed());
        let mut signature = hex::decode(request.headers()[SIGNATURE].as_bytes()).unwrap();
        let mut carry = 0;
        for (byte, other) in signature[32..].iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(other) + carry;
            (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
        }
        request.headers_mut().insert(SIGNATURE, hex::encode(signature).parse().unwrap());
        assert_eq!(receiver.refusal(&request), (401, "signature_mismatch"));
    }

    #[test]
    fn only_the_demo_can_be_signed_for() {
        let keys = letterbox_registry::find("discord").unwrap();
        let keys = keys.keys(&json!({ "default": { "public_key": OTHER_KEY } }).to_string()).unwrap();
        let sample = letterbox_registry::find("discord").unwrap().sample("ping").unwrap();
        let error =
            keys.first("default").unwrap().build_request(&sample, "https://h/discord", &fixed()).unwrap_err();
        assert!(error.contains("private key"), "{error}");
    }
}
