//! What each provider does with its platform's quirks, through the real handler.

use std::collections::BTreeMap;

use letterbox::providers::{self, Key, Row};
use letterbox_codec::{Ambient, Request, Timestamp, platform::Sample, timestamp};
use letterbox_intake::{Answer, Message, Outcome};
use letterbox_signed::sender::SENDERS;
use letterbox_tests::{Setup, block_on, fixed};
use serde_json::{Value, json};

/// One provider with credentials of its own.
struct Receiver {
    row: &'static Row,
    credentials: String,
    setup: Setup,
}

impl Receiver {
    fn new(provider: &str, entry: &Value) -> Self {
        let row = providers::find(provider).unwrap();
        let credentials = json!({ "default": entry }).to_string();
        let setup = Setup::new(row, &credentials).unwrap();
        Self { row, credentials, setup }
    }

    /// A delivery as the platform seals it with other credentials, or with these.
    fn letter(&self, with: Option<&Value>, name: &str, payload: &[u8], ambient: &Ambient) -> Request {
        let other = with.map(|entry| json!({ "default": entry }).to_string());
        let key = Key { credentials: other.as_ref().unwrap_or(&self.credentials), source: "default" };
        let sample = Sample { name: name.into(), payload: payload.to_vec() };
        (self.row.letter)(&key, &sample, &format!("https://localhost/{}", self.row.name), ambient).unwrap()
    }

    fn handle(&self, letter: &Request) -> (Answer, Vec<Message>) {
        let answer = block_on(self.setup.handler.handle("default", letter));
        (answer, self.setup.queue().take())
    }

    /// The one event of a delivery that is accepted.
    fn event(&self, name: &str, payload: &[u8]) -> Value {
        let (answer, mut messages) = self.handle(&self.letter(None, name, payload, &fixed()));
        assert_eq!(answer.record.outcome, Outcome::Queued, "{:?}", answer.record);
        assert_eq!(messages.len(), 1);
        serde_json::from_str(&messages.remove(0).body).unwrap()
    }

    /// The code of a refusal, and its status.
    fn refusal(&self, letter: &Request) -> (u16, &'static str) {
        let (answer, messages) = self.handle(letter);
        assert!(messages.is_empty());
        (answer.record.status, answer.record.reason.unwrap())
    }

    fn opened(&self, with: &Value, letter: &Request, answer: Answer) -> Result<String, String> {
        let credentials = json!({ "default": with }).to_string();
        let key = Key { credentials: &credentials, source: "default" };
        (self.row.read_reply)(&key, letter, &answer.response.map(bytes::Bytes::from))
    }
}

fn dingtalk(owner_key: &str, token: &str) -> Value {
    json!({ "token": token, "aes_key": "Q7pR2sT9uV4wX1yZ8aB3cD6eF0gH5iJ2kL7mN4oP1qR", "owner_key": owner_key })
}

#[test]
fn every_dingtalk_shape_gives_its_id_time_and_corp() {
    let receiver = Receiver::new("dingtalk", &dingtalk("key", "token"));
    let shapes: Vec<BTreeMap<String, Option<String>>> =
        serde_json::from_str(include_str!("dingtalk_shapes.json")).unwrap();
    assert!(shapes.len() > 200);
    for shape in shapes {
        let name = shape["sample"].as_deref().unwrap();
        let sample = (receiver.row.sample)(name).unwrap_or_else(|| panic!("no sample {name}"));
        let payload: Value = serde_json::from_slice(&sample.payload).unwrap();
        let event_type = shape["type"].as_deref().unwrap();
        if event_type.starts_with("check_") && event_type.ends_with("_url") {
            let (answer, messages) = receiver.handle(&receiver.letter(None, name, &sample.payload, &fixed()));
            assert_eq!((answer.record.outcome, messages.len()), (Outcome::Answered, 0), "{name}");
            continue;
        }
        let event = receiver.event(name, &sample.payload);
        assert_eq!(event["type"], format!("dingtalk.{event_type}"), "{name}");
        assert_eq!(event["data"], payload, "{name}");
        let corp = shape["corp"].as_ref().map_or(&Value::Null, |member| &payload[member]);
        assert_eq!(&event["subject"], corp, "{name}");
        let id = event["id"].as_str().unwrap();
        match shape["id"].as_deref() {
            Some("eventId") => assert_eq!(id, payload["eventId"], "{name}"),
            Some("BizId") => {
                assert_eq!(id, format!("{}:{event_type}", payload["BizId"].as_str().unwrap()), "{name}");
            }
            _ => assert_eq!(id.len(), 64, "{name}"),
        }
        let time = shape["time"].as_ref().map(|member| payload[member].to_string().replace('"', ""));
        let expected = time.and_then(|time| timestamp::to_rfc3339(&time));
        assert_eq!(event["time"], expected.map_or(event["receivedtime"].clone(), Value::from), "{name}");
    }
}

#[test]
fn dingtalk_replies_with_the_key_that_opened() {
    let (old, new) = (dingtalk("dingold", "tokenold"), dingtalk("dingnew", "tokennew"));
    let receiver = Receiver::new("dingtalk", &json!([new, old]));
    for (position, key, other) in [(0, &new, &old), (1, &old, &new)] {
        let letter = receiver.letter(Some(key), "x", br#"{"EventType":"x"}"#, &fixed());
        let (answer, messages) = receiver.handle(&letter);
        assert_eq!((answer.record.key, messages.len()), (Some(position), 1));
        let told = Answer { response: answer.response.clone(), record: answer.record.clone(), message: None };
        assert!(receiver.opened(other, &letter, told).is_err());
        assert_eq!(receiver.opened(key, &letter, answer).unwrap(), "success");
    }
}

#[test]
fn dingtalk_accepts_any_owner_key_of_a_list_and_answers_to_it() {
    let mut entry = dingtalk("", "token");
    entry["owner_key"] = json!(["dingappkey", "suitekey", "ding0123corp"]);
    let receiver = Receiver::new("dingtalk", &entry);
    for owner in ["dingappkey", "suitekey", "ding0123corp"] {
        let key = dingtalk(owner, "token");
        let letter = receiver.letter(Some(&key), "x", br#"{"EventType":"x"}"#, &fixed());
        let (answer, _) = receiver.handle(&letter);
        assert_eq!(receiver.opened(&key, &letter, answer).unwrap(), "success", "{owner}");
    }
    let letter =
        receiver.letter(Some(&dingtalk("dingappke", "token")), "x", br#"{"EventType":"x"}"#, &fixed());
    assert_eq!(receiver.refusal(&letter), (403, "owner_key_mismatch"));
}

#[test]
fn dingtalk_bounds_the_age_only_where_told() {
    let mut strict = dingtalk("key", "token");
    strict["tolerance"] = json!(60);
    for (entry, age, expected) in [
        (dingtalk("key", "token"), 90_000_000, None),
        (strict.clone(), 60_000, None),
        (strict.clone(), -60_000, None),
        (strict.clone(), 60_001, Some((401, "timestamp_out_of_range"))),
        (strict, -60_001, Some((401, "timestamp_out_of_range"))),
    ] {
        let receiver = Receiver::new("dingtalk", &entry);
        let sent = Ambient { now: Timestamp(fixed().now.0 - age), ..fixed() };
        let letter = receiver.letter(None, "x", br#"{"EventType":"x"}"#, &sent);
        match expected {
            Some(refusal) => assert_eq!(receiver.refusal(&letter), refusal, "{age}"),
            None => assert_eq!(receiver.handle(&letter).1.len(), 1, "{age}"),
        }
    }
}

#[test]
fn dingtalk_answers_suite_handshakes_with_their_random_where_told() {
    let payload = br#"{"EventType":"check_update_suite_url","Random":"aXz7PqLm"}"#;
    for (reply_random, told) in [(false, "success"), (true, "aXz7PqLm")] {
        let mut entry = dingtalk("suite4xxxxxxxxxxxxxxx", "token");
        entry["reply_random"] = reply_random.into();
        let receiver = Receiver::new("dingtalk", &entry);
        let letter = receiver.letter(None, "x", payload, &fixed());
        let (answer, messages) = receiver.handle(&letter);
        assert!(messages.is_empty());
        assert_eq!(receiver.opened(&entry, &letter, answer).unwrap(), told);
        let letter = receiver.letter(None, "x", br#"{"EventType":"check_url"}"#, &fixed());
        let (answer, _) = receiver.handle(&letter);
        assert_eq!(receiver.opened(&entry, &letter, answer).unwrap(), "success");
    }
}

fn opencard(keys: &[(&str, &str)]) -> Value {
    json!({ "keys": keys.iter().copied().collect::<BTreeMap<_, _>>() })
}

const PSK: &str = "MDEyMzQ1Njc4OWFiY2RlZg";

#[test]
fn opencard_finds_a_kid_in_any_entry_of_a_list() {
    let (one, two) = (opencard(&[("0", PSK)]), opencard(&[("1", "MDEyMzQ1Njc4OWFiY2RlMQ==")]));
    let receiver = Receiver::new("opencard", &json!([one, two]));
    for key in [&one, &two] {
        let letter = receiver.letter(
            Some(key),
            "q",
            r#"{"srcid":"123","intent":{"scenic_spot":"故宫"}}"#.as_bytes(),
            &fixed(),
        );
        let (answer, messages) = receiver.handle(&letter);
        assert_eq!(messages.len(), 1);
        assert!(receiver.opened(key, &letter, answer).unwrap().contains("故宫博物院"));
    }
    // The same kid with another key is no match.
    let letter = receiver.letter(Some(&opencard(&[("0", "MDEyMzQ1Njc4OWFiY2RlMQ")])), "q", b"{}", &fixed());
    assert_eq!(receiver.refusal(&letter), (401, "key_unwrap"));
}

#[test]
fn opencard_answers_with_the_queue_down_and_says_so_to_the_operator() {
    let receiver = Receiver::new("opencard", &opencard(&[("0", PSK)]));
    receiver.setup.queue().set_down(true);
    let letter = receiver.letter(None, "q", br#"{"srcid":"123","intent":{}}"#, &fixed());
    let (answer, messages) = receiver.handle(&letter);
    assert!(messages.is_empty());
    let record = answer.record;
    assert_eq!(
        (record.status, record.outcome, record.reason),
        (200, Outcome::Unqueued, Some("queue_unavailable"))
    );
    assert!(record.id.is_some() && record.delivery.is_some());
}

#[test]
fn opencard_gives_a_lifetime_in_unix_seconds_and_an_inner_failure_its_status() {
    let cards = r#"{"1":{"entries":[{"intent":{},"data":{"a":1.0},"lifetime":60}]}}"#;
    let at = |now| ask(cards, &Ambient { now: Timestamp(now), ..fixed() });
    assert_eq!(at(1_795_255_200_123), r#"{"status":0,"msg":"","data":{"a":1.0},"lifetime":1795255260}"#);
    // The clock of a system that has none: no time can be told.
    assert_eq!(at(0), r#"{"status":3,"msg":"internal error"}"#);
}

/// Asks a catalogue of its own for its one card, straight at the provider.
fn ask(cards: &str, ambient: &Ambient) -> String {
    use letterbox_codec::{Provider, Source, platform::Platform};
    let provider = opencard::OpenCard::new(cards.as_bytes()).unwrap();
    let keys: [opencard::Credentials; 1] = [serde_json::from_value(opencard(&[("0", PSK)])).unwrap()];
    let sample = Sample { name: "q".into(), payload: br#"{"srcid":"1","intent":{}}"#.to_vec() };
    let letter =
        opencard::OpenCard::letter(&keys[0], &sample, "https://localhost/opencard", ambient).unwrap();
    let source = Source { provider: "opencard", name: "default", keys: &keys };
    let received = provider.receive(&source, &letter, ambient).unwrap();
    let settled = block_on(received.settle(|| async { Ok::<_, ()>(()) }));
    let reply = http::Response::new(bytes::Bytes::from(settled.reply.unwrap().body));
    opencard::OpenCard::read_reply(&keys[0], &letter, &reply).unwrap()
}

#[test]
fn github_takes_sha1_only_where_allowed_and_alone() {
    let good = "sha1=d71135166c50a41e928e75110a07ed7039bfef61";
    let bad = "sha1=0000000000000000000000000000000000000000";
    for (allow_sha1, sha1, sha256, expected) in [
        (true, good, None, None),
        (true, bad, None, Some((401, "signature_mismatch"))),
        (false, good, None, Some((401, "missing_signature"))),
        (true, good, Some("sha256=00"), Some((401, "signature_mismatch"))),
        (true, good, Some(""), Some((401, "missing_signature"))),
    ] {
        let receiver = Receiver::new("github", &json!({ "secret": "s", "allow_sha1": allow_sha1 }));
        let mut letter = receiver.letter(None, "ping", br#"{"zen":"x"}"#, &fixed());
        letter.headers_mut().remove("x-hub-signature-256");
        letter.headers_mut().insert("x-hub-signature", sha1.parse().unwrap());
        if let Some(value) = sha256 {
            letter.headers_mut().insert("x-hub-signature-256", value.parse().unwrap());
        }
        match expected {
            Some(refusal) => assert_eq!(receiver.refusal(&letter), refusal, "{allow_sha1} {sha1} {sha256:?}"),
            None => assert_eq!(receiver.handle(&letter).1.len(), 1),
        }
    }
}

#[test]
fn github_headers_go_into_the_message() {
    let receiver = Receiver::new("github", &json!({ "secret": "s" }));
    let payload = br#"{"action":"opened","issue":{},"repository":{"full_name":"acme-dev/widget"}}"#;
    let event = receiver.event("issues", payload);
    for (member, expected) in [
        ("type", "github.issues"),
        ("subject", "acme-dev/widget"),
        ("action", "opened"),
        ("hookid", "327865514"),
        ("targettype", "repository"),
        ("targetid", "357383239"),
    ] {
        assert_eq!(event[member], expected, "{member}");
    }
    assert_eq!(event["deliveryid"].as_str().unwrap().len(), 36);
    let event = receiver.event("organization", br#"{"organization":{"login":"acme-dev"}}"#);
    assert_eq!(event["subject"], "acme-dev");
}

#[test]
fn every_payment_preset_takes_its_senders_payload() {
    for sender in SENDERS {
        let (name, proof) = (sender.name, &sender.proof);
        let receiver = Receiver::new("payment", &json!({ "preset": name, "secret": proof.secret }));
        // A proof that is no event is of a sender that has the default paths.
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
fn payment_acknowledges_with_the_status_that_the_entry_says() {
    for (entry, expected) in [
        (json!({ "secret": "s" }), 202),
        (json!({ "secret": "s", "preset": "paddle" }), 202),
        (json!({ "secret": "s", "preset": "paddle", "status": 200 }), 200),
    ] {
        let receiver = Receiver::new("payment", &entry);
        let letter = receiver.letter(None, "notice", br#"{"event_type":"a"}"#, &fixed());
        let (answer, messages) = receiver.handle(&letter);
        assert_eq!((answer.record.status, messages.len()), (expected, 1), "{entry}");
        assert_eq!(answer.response.body(), r#"{"status":"accepted"}"#);
    }
}

#[test]
fn payment_signature_headers_with_several_signatures() {
    let receiver = Receiver::new("payment", &json!({ "preset": "stripe", "secret": "s" }));
    let payload = br#"{"type":"a"}"#;
    let letter = receiver.letter(None, "notice", payload, &fixed());
    let value = letter.headers()["stripe-signature"].to_str().unwrap().to_owned();
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
        let mut letter = letter.clone();
        letter.headers_mut().insert("stripe-signature", header.parse().unwrap());
        match expected {
            Some(code) => assert_eq!(receiver.refusal(&letter), (401, code), "{header}"),
            None => assert_eq!(receiver.handle(&letter).1.len(), 1, "{header}"),
        }
    }
    let mut twice = letter;
    twice.headers_mut().append("stripe-signature", value.parse().unwrap());
    assert_eq!(receiver.refusal(&twice), (401, "malformed_signature"));
}

#[test]
fn what_a_queue_would_refuse_does_not_stop_an_event() {
    let receiver = Receiver::new("payment", &json!({ "secret": "s" }));
    let payload =
        "{\"event_type\":\"paid\",\"transaction_id\":\"\u{ffff} 中\",\"n\":\"\u{fffe}\",\"big\":1e999}";
    let (_, messages) = receiver.handle(&receiver.letter(None, "notice", payload.as_bytes(), &fixed()));
    let [message] = messages.as_slice() else { panic!("no message") };
    assert!(!message.body.contains(['\u{fffe}', '\u{ffff}']));
    assert!(
        message.body.ends_with(
            r#""data":{"event_type":"paid","transaction_id":"\uffff 中","n":"\ufffe","big":1e999}}"#
        )
    );
    // No attribute can say this subject.
    assert!(message.attributes.iter().all(|(name, _)| *name != "subject"));
    for bad in [r#"{"event_type":"a\u0001b"}"#, r#"{"event_type":" "}"#, r#"{"event_type":5}"#] {
        let letter = receiver.letter(None, "notice", bad.as_bytes(), &fixed());
        assert_eq!(receiver.refusal(&letter), (400, "malformed_field"), "{bad}");
    }
}

#[test]
fn what_is_optional_does_not_cost_an_event() {
    let receiver = Receiver::new("dingtalk", &dingtalk("key", "token"));
    let event = receiver
        .event("x", br#"{"EventType":"x","eventId":{},"EventTime":{"a":1},"CorpId":[],"corpId":"ding1"}"#);
    assert_eq!((event["subject"].as_str(), event["id"].as_str().unwrap().len()), (Some("ding1"), 64));
    assert_eq!(event["time"], event["receivedtime"]);
}

#[test]
fn github_reads_signed_bytes_as_what_they_are() {
    let receiver = Receiver::new("github", &json!({ "secret": "s" }));
    let title = "x&payload=%7B%22action%22%3A%22deleted%22%2C%22repository%22%3A%7B%22full_name%22%3A%22victim%2Frepo%22%7D%7D&y";
    let payload = json!({ "action": "opened", "issue": { "title": title } }).to_string();
    let mut letter = receiver.letter(None, "issues", payload.as_bytes(), &fixed());
    letter.headers_mut().insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    let (_, messages) = receiver.handle(&letter);
    let event: Value = serde_json::from_str(&messages[0].body).unwrap();
    assert_eq!((&event["action"], &event["subject"]), (&json!("opened"), &Value::Null));
}

#[test]
fn every_message_can_be_read_by_a_common_parser() {
    let receiver = Receiver::new("payment", &json!({ "secret": "s" }));
    let nested =
        |depth: usize| format!(r#"{{"event_type":"deep","x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    receiver.event("notice", nested(125).as_bytes());
    let letter = receiver.letter(None, "notice", nested(126).as_bytes(), &fixed());
    assert_eq!(receiver.refusal(&letter), (400, "invalid_json"));
}

#[test]
fn opencards_rid_is_told_of_what_is_refused_and_is_a_sound_attribute() {
    let receiver = Receiver::new("opencard", &opencard(&[("0", PSK)]));
    let letter = |header: &str| {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        Request::new(format!("{}.AAAA.AAAA.AAAA.AAAA", URL_SAFE_NO_PAD.encode(header)).into())
    };
    for (header, rid) in [
        (r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"0","rid":"1-2"}"#, Some("1-2")),
        (r#"{"alg":"dir","enc":"A128CBC-HS256","kid":"0","rid":"1-2"}"#, Some("1-2")),
        (r#"{"alg":"A128KW","enc":"A128CBC-HS256","kid":"0","rid":"a\nb"}"#, None),
    ] {
        let mut letter = letter(header);
        *letter.method_mut() = http::Method::POST;
        let (answer, _) = receiver.handle(&letter);
        assert_eq!((answer.record.status, answer.record.delivery.as_deref()), (400, rid), "{header}");
    }
}
