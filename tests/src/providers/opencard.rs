//! OpenCard: sample events, broken deliveries, and what is special about it.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use letterbox_codec::Stage;
use serde_json::{Value, json};

use super::Provider;
use crate::{
    cases::{self, Of, Payload},
    doctor::{self, Case, Curl, Event, Har, Made, Options, Vectors, body_text, get, post, sent, with_body},
};

pub(super) const PROVIDER: Provider = Provider {
    name: "opencard",
    // A query gets its response even if the queue is down: no 503.
    statuses: &[200, 400, 401, 404, 405, 413],
    // In the encrypted response.
    unusable: 200,
    refusals: &[
        ("get", "method_not_allowed", Stage::Route),
        ("unknown_source", "unknown_source", Stage::Route),
        ("too_large", "too_large", Stage::Route),
        ("not_a_jwe", "malformed_jwe", Stage::Form),
        ("empty", "malformed_jwe", Stage::Form),
        ("other_algorithm", "unsupported_algorithm", Stage::Form),
        ("compressed", "unsupported_algorithm", Stage::Form),
        ("unknown_kid", "unknown_kid", Stage::Key),
        ("other_key", "key_unwrap", Stage::Key),
        ("tampered", "authentication_failed", Stage::Seal),
    ],
    cases,
    broken,
};

const PSK: &str = "PDEyMzQ_Njc4Pj9hYmNkZQ";
const OTHER_PSK: &str = "MDEyMzQ1Njc4OWFiY2RlMQ";

/// The credentials entry that the broken deliveries are made with.
pub(super) fn entry() -> Value {
    json!({ "keys": { "0": PSK } })
}

fn cases() -> Vec<cases::Case> {
    let case = cases::case_of("opencard");
    vec![
        case("scenic_spot", 200, "default", Of("scenic_spot"), cases::same),
        case(
            "any_intent",
            200,
            "default",
            Payload(
                "query",
                r#"{"srcid":"123","intent":{"museum":"首都博物馆"},"surface":"web_h5"}"#.as_bytes(),
            ),
            cases::same,
        ),
        case(
            "no_result",
            200,
            "default",
            Payload("query", r#"{"srcid":"124","intent":{"scenic_spot":"天坛"}}"#.as_bytes()),
            cases::same,
        ),
        case("unknown_srcid", 200, "default", Of("unknown_srcid"), cases::same),
        case("unreadable", 200, "default", Payload("query", b"hello"), cases::same),
        case("missing_intent", 200, "default", Payload("query", br#"{"srcid":"123"}"#), cases::same),
        case("queue_down", 200, "default", Of("scenic_spot"), cases::same),
        case("not_a_jwe", 400, "default", Of("scenic_spot"), |request| cases::body(request, b"a.b.c")),
        case("empty", 400, "default", Of("scenic_spot"), |request| cases::body(request, b"")),
        case("other_algorithm", 400, "default", Of("scenic_spot"), |request| {
            cases::header_segment(request, r#"{"alg":"dir","enc":"A128CBC-HS256","kid":"0"}"#);
        }),
        case("compressed", 400, "default", Of("scenic_spot"), |request| {
            cases::header_segment(request, r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"0","zip":"DEF"}"#);
        }),
        case("unknown_kid", 401, "default", Of("scenic_spot"), |request| {
            cases::header_segment(
                request,
                r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"9","rid":"1795255200123-000009"}"#,
            );
        }),
        case("other_key", 401, "default", Of("scenic_spot"), |request| {
            cases::header_segment(request, r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"1"}"#);
        }),
        case("tampered", 401, "default", Of("scenic_spot"), |request| {
            let mut token = request.body().to_vec();
            if let Some(first) = token.iter_mut().rev().nth(10) {
                *first = if *first == b'A' { b'B' } else { b'A' };
            }
            cases::body(request, &token);
        }),
        case("unknown_source", 404, "default", Of("scenic_spot"), |request| {
            cases::path(request, "/opencard/nobody");
        }),
        case("get", 405, "default", Of("scenic_spot"), cases::get),
        case("too_large", 413, "default", Of("scenic_spot"), |request| {
            cases::body(request, &[b'A'; 64 * 1024 + 1]);
        }),
    ]
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn broken(cases: &mut Vec<Case>, vectors: &Vectors) -> Made<()> {
    let case =
        |cause, about, form, request, entry| doctor::case("opencard", cause, about, form, request, entry);
    let entry = entry();
    let request = sent("opencard", &entry, "scenic_spot", None)?;
    let keys = |keys: Value| json!({ "keys": keys });
    let exchange = vectors.input("opencard/gen-exchange")?;
    let member = |name: &str| exchange[name].as_str().unwrap_or_default().to_owned();
    let asked = post("opencard", "", member("request"))?;
    let table = json!({ "keys": exchange["psk_table"] });
    let answer = member("response");
    let without_rid = answer.split_once('.').map(|(_, rest)| {
        format!("{}.{rest}", URL_SAFE_NO_PAD.encode(r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"0"}"#))
    });

    cases.extend([
        case("opens", "a query and its answer, made by jwcrypto", Event, asked.clone(), table.clone())
            .answered(answer.clone()),
        case(
            "reply_header_not_echoed",
            "the answer's header has no rid",
            Event,
            asked.clone(),
            table.clone(),
        )
        .answered(without_rid.unwrap_or_default()),
        case("reply_refused", "the answer is cut", Curl, asked.clone(), table.clone())
            .answered(&answer[..answer.len() - 8]),
        case("reply_refused", "the answer has another status", Curl, asked, table).answered(format!(
            "HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/jwt\r\n\r\n{answer}"
        )),
        case(
            "secret_has_whitespace",
            "the key ends with a line feed",
            Event,
            request.clone(),
            keys(json!({ "0": format!("{PSK}\n") })),
        ),
        case(
            "secret_has_quotes",
            "the key stands in quotes",
            Event,
            request.clone(),
            keys(json!({ "0": format!("'{PSK}'") })),
        ),
        case("psk_length", "the key is cut", Event, request.clone(), keys(json!({ "0": PSK[..20] }))),
        case(
            "psk_encoding",
            "the key is base64 with the other two characters",
            Event,
            request.clone(),
            keys(json!({ "0": PSK.replace('_', "/") })),
        ),
        case(
            "psk_encoding",
            "the key is written in hex",
            Curl,
            request.clone(),
            keys(json!({ "0": "3c3132333 43f363738 3e3f6162 636465".replace(' ', "") })),
        ),
        case("psk_swapped", "kid and key are swapped", Event, request.clone(), keys(json!({ PSK: "0" }))),
        case(
            "jwe_key_mismatch",
            "another key stands under the kid",
            Event,
            request.clone(),
            keys(json!({ "0": OTHER_PSK })),
        ),
        case(
            "jwe_key_mismatch",
            "two keys are under each other's kid",
            Har,
            request.clone(),
            keys(json!({ "0": OTHER_PSK, "1": PSK })),
        ),
        case(
            "jwe_unknown_kid",
            "the key stands under another kid",
            Event,
            request.clone(),
            keys(json!({ "1": PSK })),
        ),
        case("wrong_source", "the key is that of another source", Event, request.clone(), json!({}))
            .under(json!({ "opencard": { "default": keys(json!({ "0": OTHER_PSK })), "acme": entry } })),
        case(
            "body_is_base64",
            "the gateway's base64 was not decoded",
            Event,
            with_body(&request, STANDARD.encode(request.body())),
            entry.clone(),
        ),
        case(
            "body_changed",
            "the body was put into quotes",
            Options,
            with_body(&request, Value::from(body_text(&request)).to_string()),
            entry.clone(),
        ),
        case(
            "body_changed",
            "the body was wrapped",
            Options,
            with_body(&request, body_text(&request).replace('.', ".\n")),
            entry.clone(),
        ),
        case(
            "wrong_method",
            "a redirect made a GET of it",
            Event,
            get(&with_body(&request, "")),
            entry.clone(),
        ),
    ]);
    for (id, cause, about) in [
        ("neg-tag-tampered", "body_changed", "the tag was changed"),
        ("neg-iv-tampered", "body_changed", "the IV was changed"),
        ("neg-std-base64-chars", "body_changed", "base64url became base64"),
        (
            "neg-encrypted-key-tampered",
            "jwe_key_mismatch",
            "the wrapped key was changed, or is of another key",
        ),
        ("neg-unknown-kid", "jwe_unknown_kid", "no key has the query's kid"),
        ("neg-kid-number", "jwe_unknown_kid", "the kid is a number"),
        ("neg-alg-lowercase", "jwe_algorithm", "alg in lower case"),
        ("neg-enc-a128gcm", "jwe_algorithm", "enc is A128GCM"),
        ("neg-header-duplicate-kid", "jwe_malformed", "the kid comes twice"),
        ("neg-json-serialization", "jwe_malformed", "the JSON serialisation"),
        ("neg-tag-truncated", "jwe_malformed", "the tag is cut"),
    ] {
        let (request, entry) = vectors.query(&format!("opencard/{id}"))?;
        cases.push(case(cause, about, Event, request, entry));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use letterbox_codec::{Ambient, Request, Timestamp, platform::Sample};
    use letterbox_intake::Outcome;

    use super::*;
    use crate::{block_on, fixed, receiver::Receiver};

    fn opencard(keys: &[(&str, &str)]) -> Value {
        json!({ "keys": keys.iter().copied().collect::<BTreeMap<_, _>>() })
    }

    const PSK: &str = "MDEyMzQ1Njc4OWFiY2RlZg";

    #[test]
    fn opencard_finds_a_kid_in_any_entry_of_a_list() {
        let (one, two) = (opencard(&[("0", PSK)]), opencard(&[("1", "MDEyMzQ1Njc4OWFiY2RlMQ==")]));
        let receiver = Receiver::new("opencard", &json!([one, two]));
        for key in [&one, &two] {
            let request = receiver.build_request(
                Some(key),
                "q",
                r#"{"srcid":"123","intent":{"scenic_spot":"故宫"}}"#.as_bytes(),
                &fixed(),
            );
            let (answer, messages) = receiver.handle(&request);
            assert_eq!(messages.len(), 1);
            assert!(receiver.opened(key, &request, answer).unwrap().contains("故宫博物院"));
        }
        // The same kid with another key does not match.
        let request =
            receiver.build_request(Some(&opencard(&[("0", "MDEyMzQ1Njc4OWFiY2RlMQ")])), "q", b"{}", &fixed());
        assert_eq!(receiver.refusal(&request), (401, "key_unwrap"));
    }

    #[test]
    fn opencard_answers_with_the_queue_down_and_logs_the_event_as_unqueued() {
        let receiver = Receiver::new("opencard", &opencard(&[("0", PSK)]));
        receiver.setup.queue().set_down(true);
        let request = receiver.build_request(None, "q", br#"{"srcid":"123","intent":{}}"#, &fixed());
        let (answer, messages) = receiver.handle(&request);
        assert!(messages.is_empty());
        let record = answer.record;
        assert_eq!(
            (record.status, record.outcome, record.reason),
            (200, Outcome::Unqueued, Some("queue_unavailable"))
        );
        assert!(record.id.is_some() && record.delivery.is_some());
    }

    #[test]
    fn opencard_returns_a_lifetime_in_unix_seconds_or_an_internal_error() {
        let cards = r#"{"1":{"entries":[{"intent":{},"data":{"a":1.0},"lifetime":60}]}}"#;
        let at = |now| ask(cards, &Ambient { now: Timestamp(now), ..fixed() });
        assert_eq!(at(1_795_255_200_123), r#"{"status":0,"msg":"","data":{"a":1.0},"lifetime":1795255260}"#);
        // The clock is not set, so no lifetime can be computed.
        assert_eq!(at(0), r#"{"status":3,"msg":"internal error"}"#);
    }

    /// Queries the one card of a catalogue, directly at the provider.
    fn ask(cards: &str, ambient: &Ambient) -> String {
        use letterbox_codec::{Provider, Source, platform::Sender as _};
        let provider = opencard::OpenCard::new(cards.as_bytes()).unwrap();
        let keys: [opencard::Credentials; 1] = [serde_json::from_value(opencard(&[("0", PSK)])).unwrap()];
        let sample = Sample { name: "q".into(), payload: br#"{"srcid":"1","intent":{}}"#.to_vec() };
        let request =
            opencard::OpenCard::build_request(&keys[0], &sample, "https://localhost/opencard", ambient)
                .unwrap();
        let source = Source { provider: "opencard", name: "default", keys: &keys };
        let received = provider.receive(&source, &request, ambient).unwrap();
        let settled = block_on(received.settle(|| async { Ok::<_, ()>(()) }));
        let reply = http::Response::new(bytes::Bytes::from(settled.reply.unwrap().body));
        opencard::OpenCard::read_response(&keys[0], &request, &reply).unwrap()
    }

    #[test]
    fn a_refused_query_is_recorded_with_its_rid_if_that_is_a_valid_attribute() {
        let receiver = Receiver::new("opencard", &opencard(&[("0", PSK)]));
        let request = |header: &str| {
            use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
            Request::new(format!("{}.AAAA.AAAA.AAAA.AAAA", URL_SAFE_NO_PAD.encode(header)).into())
        };
        for (header, rid) in [
            (r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"0","rid":"1-2"}"#, Some("1-2")),
            (r#"{"alg":"dir","enc":"A128CBC-HS256","kid":"0","rid":"1-2"}"#, Some("1-2")),
            (r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"0","rid":"a\nb"}"#, None),
        ] {
            let mut request = request(header);
            *request.method_mut() = http::Method::POST;
            let (answer, _) = receiver.handle(&request);
            assert_eq!((answer.record.status, answer.record.delivery.as_deref()), (400, rid), "{header}");
        }
    }
}
