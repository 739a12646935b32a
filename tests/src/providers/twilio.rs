//! Twilio: sample events, and broken deliveries.

use base64::{Engine, engine::general_purpose::STANDARD};
use letterbox_codec::Stage;
use serde_json::{Value, json};

use super::{Provider, github};
use crate::{
    cases::{self, Large, Of, Payload},
    doctor::{
        self, Case, Curl, Event, Har, Made, Options, Vectors, but, get, header, moved, sent, with_body,
        with_header, with_uri,
    },
};

pub(super) const PROVIDER: Provider = Provider {
    name: "twilio",
    statuses: &[200, 400, 401, 404, 405, 413, 503],
    unusable: 400,
    refusals: &[
        ("get", "method_not_allowed", Stage::Route),
        ("unknown_source", "unknown_source", Stage::Route),
        ("no_signature", "missing_signature", Stage::Form),
        ("json_without_hash", "missing_field", Stage::Form),
        ("two_hashes", "malformed_field", Stage::Form),
        ("empty", "malformed_field", Stage::Form),
        ("url_in_a_field", "malformed_field", Stage::Form),
        ("too_many_fields", "malformed_field", Stage::Form),
        ("two_signatures", "signature_mismatch", Stage::Key),
        ("wrong_signature", "signature_mismatch", Stage::Key),
        ("signature_in_hex", "signature_mismatch", Stage::Key),
        ("other_path", "signature_mismatch", Stage::Key),
        ("other_query", "signature_mismatch", Stage::Key),
        ("slash_added", "signature_mismatch", Stage::Key),
        ("value_encoded_twice", "signature_mismatch", Stage::Key),
        ("field_added", "signature_mismatch", Stage::Key),
        ("hash_in_upper_case", "signature_mismatch", Stage::Key),
        ("form_with_a_hash", "signature_mismatch", Stage::Key),
        ("body_changed", "body_hash_mismatch", Stage::Key),
        ("not_json", "invalid_json", Stage::Payload),
        ("no_object", "malformed_field", Stage::Payload),
        ("form_not_utf8", "invalid_utf8", Stage::Payload),
        ("too_large", "too_large", Stage::Payload),
    ],
    cases,
    broken,
};

const SECRET: &str = "9f2c4e6a8b0d1f3e5c7a9b8d6f4e2c1a";
const SIGNATURE: &str = "x-twilio-signature";

/// The credentials entry that the broken deliveries are made with.
fn entry() -> Value {
    json!({ "secret": SECRET })
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<cases::Case> {
    let case = cases::case_of("twilio");
    let raw = |payload| Payload("raw", payload);
    vec![
        case("message", 200, "default", Of("message"), cases::same),
        case("rotated", 200, "rotating", Of("message"), cases::same),
        case("known_url", 200, "proxied", Of("message"), cases::same),
        case("known_url_of_json", 200, "proxied", Of("event_stream"), cases::same),
        case("message_status", 200, "default", Of("message_status"), cases::same),
        case("call", 200, "default", Of("call"), cases::same),
        case("digits", 200, "default", Of("digits"), cases::same),
        case("call_status", 200, "default", Of("call_status"), cases::same),
        case("task", 200, "default", Of("task"), cases::same),
        case("event_stream", 200, "default", Of("event_stream"), cases::same),
        case(
            "several_events",
            200,
            "default",
            raw(br#"[{"type":"a","id":"EZ1"},{"type":"b","id":"EZ2"}]"#),
            cases::same,
        ),
        case(
            "one_event",
            200,
            "default",
            raw(br#"{"specversion":"1.0","type":"com.twilio.voice","id":"EZ3","n":1.50}"#),
            cases::same,
        ),
        case(
            "repeated_fields",
            200,
            "default",
            raw(b"Digits=5678&Digits=1234&Digits=1234&Sid=CA1"),
            cases::same,
        ),
        // The signature covers neither the order nor the escapes of the fields, and neither does the id.
        case("written_differently", 200, "default", raw(b"Aa=a+b&B=%31"), |request| {
            cases::body(request, b"B=1&Aa=a%20b&Aa=a+b");
        }),
        case("not_json", 400, "default", raw(b"{"), cases::same),
        case("no_object", 400, "default", raw(b"[\"event\"]"), cases::same),
        case("form_not_utf8", 400, "default", raw(b"Body=\xff"), cases::same),
        case("json_without_hash", 400, "default", Of("event_stream"), |request| {
            cases::path_alone(request, "/twilio");
        }),
        case("two_hashes", 400, "default", Of("event_stream"), |request| {
            cases::append_query(request, "bodySHA256=00");
        }),
        case("empty", 400, "default", Of("message"), |request| cases::body(request, b"")),
        // The signature of a URL alone, divided into another URL and a field.
        case("url_in_a_field", 400, "default", Of("event_stream"), |request| {
            let field = request.uri().query().unwrap_or_default().replace('=', "%3D");
            cases::path_alone(request, "/twilio");
            cases::body(request, format!("%3F{field}=").as_bytes());
        }),
        case("too_many_fields", 400, "default", Of("message"), |request| {
            cases::body(request, "a&".repeat(1001).as_bytes());
        }),
        case("no_signature", 401, "default", Of("message"), |request| {
            cases::header(request, SIGNATURE, None);
        }),
        // API Gateway joins the values of one name with commas.
        case("two_signatures", 401, "default", Of("message"), |request| {
            let value = request.headers().get(SIGNATURE).cloned();
            request
                .headers_mut()
                .extend(value.map(|value| (http::HeaderName::from_static(SIGNATURE), value)));
        }),
        case("wrong_signature", 401, "default", Of("message"), |request| cases::body(request, b"Body=other")),
        case("signature_in_hex", 401, "default", Of("message"), |request| {
            let value = hex::encode(STANDARD.decode(cases::text(request, SIGNATURE)).unwrap_or_default());
            request
                .headers_mut()
                .extend(value.parse().map(|value| (Some(http::HeaderName::from_static(SIGNATURE)), value)));
        }),
        case("other_path", 401, "default", Of("message"), |request| cases::path(request, "/twilio/rotating")),
        case("other_query", 401, "default", Of("message"), |request| cases::append_query(request, "x=1")),
        case("slash_added", 401, "default", Of("message"), |request| cases::path(request, "/twilio/")),
        case("value_encoded_twice", 401, "default", raw(b"Body=1%2B1"), |request| {
            cases::body(request, b"Body=1%252B1");
        }),
        case("field_added", 401, "default", raw(b"Body=hello"), |request| {
            cases::body(request, b"Body=hello&Body=bye");
        }),
        case("hash_in_upper_case", 401, "default", Of("event_stream"), |request| {
            let query =
                request.uri().query().unwrap_or_default().to_uppercase().replace("BODYSHA256", "bodySHA256");
            cases::path_alone(request, &format!("/twilio?{query}"));
        }),
        case("form_with_a_hash", 401, "default", Of("message"), |request| {
            cases::append_query(request, "bodySHA256=00");
        }),
        case("body_changed", 401, "default", Of("event_stream"), |request| cases::body(request, b"[]")),
        case("unknown_source", 404, "default", Of("message"), |request| {
            cases::path(request, "/twilio/nobody");
        }),
        case("get", 405, "default", Of("message"), cases::get),
        case("too_large", 413, "default", Large("large", 1024 * 1024), cases::same),
        case("queue_down", 503, "default", Of("message"), cases::same),
    ]
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn broken(cases: &mut Vec<Case>, _: &Vectors) -> Made<()> {
    let case =
        |cause, about, form, request, entry| doctor::case("twilio", cause, about, form, request, entry);
    let entry = entry();
    let request = sent("twilio", &entry, "message", None)?;
    let stream = sent("twilio", &entry, "event_stream", None)?;
    let signed_as = |payload: &str| sent("twilio", &entry, "raw", Some(payload));
    let secret = |secret: &str| json!({ "secret": secret });
    let known = sent(
        "twilio",
        &but(&entry, &json!({ "url": "https://www.example.com/hooks/sms" })),
        "message",
        None,
    )?;
    let value = header(&request, SIGNATURE);
    let in_hex = hex::encode(STANDARD.decode(&value).unwrap_or_default());

    cases.extend([
        case("opens", "nothing is wrong", Curl, request.clone(), entry.clone()),
        case("opens", "JSON", Event, stream.clone(), entry.clone()),
        case(
            "opens",
            "the entry has the URL",
            Har,
            known.clone(),
            but(&entry, &json!({ "url": "https://www.example.com/hooks/sms" })),
        ),
        case(
            "secret_has_whitespace",
            "the token ends with a line feed",
            Event,
            request.clone(),
            secret(&format!("{SECRET}\n")),
        ),
        case(
            "secret_has_quotes",
            "the token stands in quotes",
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
            "secret_mismatch",
            "the secondary token, or another account's",
            Har,
            request.clone(),
            secret("0a1b2c3d4e5f60718293a4b5c6d7e8f9"),
        ),
        case("wrong_source", "another source has the token", Event, request.clone(), json!({})).under(
            json!({ "twilio": { "default": secret("0a1b2c3d4e5f60718293a4b5c6d7e8f9"), "acme": entry } }),
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
                uri.replace("/github", "/twilio")
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
            "a URL without a host",
            Event,
            request.clone(),
            but(&entry, &json!({ "url": "/twilio" })),
        ),
        case(
            "url_changed",
            "a gateway put its stage before the path",
            Event,
            with_uri(&request, |uri| uri.replace("/twilio", "/prod/twilio"))?,
            entry.clone(),
        ),
        case(
            "url_changed",
            "a proxy calls by another host",
            Curl,
            with_header(
                &with_uri(&request, |uri| uri.replace("hooks.example.com", "10.0.0.7"))?,
                "x-forwarded-host",
                Some("hooks.example.com"),
            )?,
            entry.clone(),
        ),
        case(
            "url_changed",
            "a proxy calls by http",
            Event,
            with_uri(&request, |uri| uri.replace("https:", "http:"))?,
            entry.clone(),
        )
        .says(&["https://hooks.example.com/twilio"], &[]),
        case(
            "url_changed",
            "the console has a slash at the end",
            Event,
            with_uri(&sent_to(&entry, "https://hooks.example.com/twilio/")?, |uri| {
                uri.replace("/twilio/", "/twilio")
            })?,
            entry.clone(),
        ),
        case("secret_mismatch", "Twilio knows another URL", Event, known, entry.clone())
            .says(&["`url`"], &[]),
    ]);
    cases.extend([
        case(
            "body_is_base64",
            "the gateway's base64 was not decoded",
            Event,
            with_body(&request, STANDARD.encode(request.body())),
            entry.clone(),
        ),
        case("body_empty", "a middleware read the body", Har, with_body(&request, ""), entry.clone()),
        case(
            "body_changed",
            "JSON was re-serialised",
            Options,
            with_body(&stream, String::from_utf8_lossy(stream.body()).replace("\":", "\": ")),
            entry.clone(),
        ),
        case(
            "body_changed",
            "an editor put a line feed behind the form",
            Event,
            with_body(&signed_as("Body=hello&AccountSid=AC1")?, "Body=hello&AccountSid=AC1\n"),
            entry.clone(),
        ),
        case(
            "parameter_missing",
            "a proxy dropped the query string of JSON",
            Event,
            with_uri(&stream, |uri| uri.split('?').next().unwrap_or_default().to_owned())?,
            entry.clone(),
        ),
        case(
            "signature_missing",
            "a proxy dropped the signature",
            Event,
            with_header(&request, SIGNATURE, None)?,
            entry.clone(),
        ),
        case(
            "signature_wrong_header",
            "the signature came under another name",
            Event,
            moved(&request, SIGNATURE, "x-signature")?,
            entry.clone(),
        ),
        case(
            "signature_encoding",
            "the signature is in hex",
            Event,
            with_header(&request, SIGNATURE, Some(&in_hex))?,
            entry.clone(),
        ),
        case(
            "signature_malformed",
            "the signature is cut off",
            Event,
            with_header(&request, SIGNATURE, value.get(..20))?,
            entry.clone(),
        ),
        case("payload_invalid", "the JSON is cut off", Event, signed_as("{\"a\":")?, entry.clone()),
        case("wrong_method", "the console has HTTP GET", Event, get(&request), entry.clone()),
        case("reply_refused", "the answer is text", Event, request.clone(), entry.clone())
            .answered("HTTP/2 200\ncontent-type: text/plain\n\nok\n"),
        case("reply_refused", "the answer is a redirect", Event, request, entry)
            .answered("HTTP/2 301\nlocation: https://hooks.example.com/twilio/\n\n"),
    ]);
    Ok(())
}

/// The sample message to another URL.
fn sent_to(entry: &Value, url: &str) -> Made<letterbox_codec::Request> {
    let platform = letterbox_registry::find("twilio")?;
    let sample = platform.sample("message").ok_or("no sample")?;
    let credentials = json!({ "default": entry }).to_string();
    let keys = platform.keys(&credentials).map_err(|error| error.to_string())?;
    keys.first("default")?.build_request(&sample, url, &crate::fixed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixed, receiver::Receiver};

    fn id(payload: &str) -> String {
        let event = Receiver::new("twilio", &entry()).event("raw", payload.as_bytes());
        event["id"].as_str().unwrap().to_owned()
    }

    /// A call or message has one id, and many events.
    #[test]
    fn states_of_one_message_and_steps_of_one_call_are_events_of_their_own() {
        let events = [
            ("MessageSid=SM1&SmsStatus=received&Body=a", Some("SM1")),
            ("MessageSid=SM1&MessageStatus=sent", None),
            ("MessageSid=SM1&MessageStatus=delivered", None),
            ("CallSid=CA1&CallStatus=ringing", Some("CA1")),
            ("CallSid=CA1&CallStatus=in-progress&Digits=1", None),
            ("CallSid=CA1&CallStatus=in-progress&Digits=2", None),
            ("CallSid=CA1&CallStatus=ringing&CallbackSource=call-progress-events", None),
            ("CallSid=CA1&CallStatus=completed&CallDuration=5", None),
        ];
        let mut ids: Vec<_> = events.iter().map(|(form, _)| id(form)).collect();
        for ((form, sid), id) in events.iter().zip(&ids) {
            assert_eq!(sid.unwrap_or(id), id, "{form}");
            assert_eq!(sid.is_none(), id.len() == 64, "{form}: {id}");
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), events.len());
    }

    /// The entry's URL is the signed one; whoever calls may add to the query.
    #[test]
    fn a_body_is_read_as_what_was_signed_and_not_as_what_was_called() {
        let mut entry = entry();
        entry["url"] = "https://hooks.example.com/twilio?own=1".into();
        let receiver = Receiver::new("twilio", &entry);
        let json = receiver.build_request(None, "raw", br#"[{"type":"a","id":"EZ1"}]"#, &fixed());
        let again = with_uri(&json, |url| url + "&bodySHA256=00").unwrap();
        for request in [json, again] {
            let (_, messages) = receiver.handle(&request);
            let event: Value = serde_json::from_str(&messages[0].body).unwrap();
            assert_eq!((&event["type"], &event["id"]), (&json!("twilio.a"), &json!("EZ1")));
        }
    }

    #[test]
    fn a_list_of_one_event_is_that_event() {
        let receiver = Receiver::new("twilio", &entry());
        for (payload, event_type, id) in [
            (r#"[{"type":"a","id":"EZ1"}]"#, "twilio.a", Some("EZ1")),
            (r#"{"type":"a","id":"EZ1","1":{}}"#, "twilio.a", Some("EZ1")),
            (r#"[{"type":"a","id":"EZ1"},{"type":"a","id":"EZ2"}]"#, "twilio.events", None),
        ] {
            let event = receiver.event("raw", payload.as_bytes());
            assert_eq!(event["type"], event_type, "{payload}");
            let found = event["id"].as_str().unwrap();
            assert!(id.map_or(found.len() == 64, |id| found == id), "{payload}: {found}");
        }
    }

    #[test]
    fn a_refusal_names_the_delivery() {
        let receiver = Receiver::new("twilio", &entry());
        for (payload, change, reason) in
            [("Body=a", "Body=b", "signature_mismatch"), ("{", "{", "invalid_json")]
        {
            let mut request = receiver.build_request(None, "raw", payload.as_bytes(), &fixed());
            request.headers_mut().insert("i-twilio-idempotency-token", "d1".parse().unwrap());
            let request = with_body(&request, change);
            let record = receiver.handle(&request).0.record;
            assert_eq!((record.reason, record.delivery.as_deref()), (Some(reason), Some("d1")), "{payload}");
        }
    }

    #[test]
    fn a_form_that_is_written_differently_keeps_its_id() {
        let expected = id("Aa=a+b&B=%31&MessageStatus=sent");
        for same in ["MessageStatus=sent&B=1&Aa=a%20b", "Aa=a b&B=1&MessageStatus=sent&Aa=a+b"] {
            assert_eq!(id(same), expected, "{same}");
        }
        assert_ne!(id("Aa=a+b&B=1&B=2&MessageStatus=sent"), expected);
    }
}
