//! Every preset, against a request that was signed outside of this project and against its sender's timeout.

use std::{cell::Cell, fs, path::Path, sync::Arc, time::Duration};

use letterbox_codec::{
    Ambient, Provider, Received, Reject, Rejected, Request, Source, Sources, Stage, Timestamp,
    credentials::FromEntry,
    platform::{Bilingual, Sample, Sender as _},
    provider::Refused,
    signature::Scheme,
};
use letterbox_intake::{
    Intake, Keyring, Message, Queue, Refreshed,
    queue::Put,
    refreshed::{Content, Read},
};
use letterbox_signed::{
    Branch, Credentials, Described, describe,
    presets::PRESETS,
    pushed,
    sender::{SENDERS, Samples, Sender},
};
use serde_json::json;

enum Any {}

impl Branch for Any {
    const NAME: &'static str = "any";
    const DEADLINE: Duration = Duration::from_secs(5);
}

impl Samples for Any {
    const TITLE: &'static str = "Any";
    const RECEIVES: Bilingual<&'static str> = Bilingual { en: "", zh: "" };
    const DEMO: &'static str = "";
    const FIRST_SAMPLE: &'static str = "";

    fn samples() -> Vec<Sample> {
        Vec::new()
    }
}

type AnySender = Described<Any>;

/// The time of receipt of a proof without a signed timestamp.
const NOW: i64 = 1_795_255_200_123;

fn entry(sender: &Sender, key: &str) -> serde_json::Value {
    json!({ "preset": sender.name, sender.proof.key_field: key })
}

fn credentials(sender: &Sender, secret: &str) -> Credentials {
    let entry = entry(sender, secret).to_string();
    Credentials::from_entry(&entry).unwrap_or_else(|error| panic!("{}: {error}", sender.name))
}

/// Another key: a secret that differs in one letter, which is a digit in hex and in base64, too, or the public key of
/// the demo entry.
fn another(sender: &Sender) -> String {
    let key = sender.proof.key;
    if sender.proof.key_field == "public_key" {
        let demo: serde_json::Value =
            serde_json::from_str(include_str!("../../../events/signed/credentials.json")).unwrap();
        return demo[sender.name]["public_key"].as_str().unwrap().to_owned();
    }
    let (start, end) = key.split_at(key.len() / 2);
    let letter = if end.starts_with('a') { 'b' } else { 'a' };
    format!("{start}{letter}{}", &end[1..])
}

fn request(sender: &Sender, body: Vec<u8>) -> Request {
    let proof = &sender.proof;
    let url = proof.url.unwrap_or("https://localhost/any");
    let mut request = http::Request::builder().method("POST").uri(url);
    for (name, value) in proof.headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

fn proof(sender: &Sender) -> Request {
    request(sender, sender.proof.body.into())
}

/// Milliseconds.
fn now(sender: &Sender) -> i64 {
    sender.proof.signed_at.unwrap_or(NOW)
}

fn verify(sender: &Sender, request: &Request, now: i64) -> Result<Vec<u8>, Rejected> {
    let key = credentials(sender, sender.proof.key);
    AnySender::open(&key, request, Timestamp(now)).map(|opened| opened.content)
}

fn receive(sender: &Sender) -> Result<Received, Refused> {
    let keys = [credentials(sender, sender.proof.key)];
    let ambient = Ambient { now: Timestamp(now(sender)), entropy: [0; Ambient::ENTROPY] };
    let source = Source { provider: Any::NAME, name: "default", keys: &keys };
    AnySender::new(&[]).unwrap().receive(&source, &proof(sender), &ambient)
}

#[test]
fn every_proof_is_verified_and_no_changed_byte_is() {
    assert!(!SENDERS.is_empty());
    for sender in SENDERS {
        let (name, body) = (sender.name, sender.proof.body.as_bytes());
        assert_eq!(verify(sender, &proof(sender), now(sender)).as_deref(), Ok(body), "{name}");
        let scheme = describe(entry(sender, "").as_object().unwrap().clone()).unwrap();
        for position in 0..body.len() {
            let mut changed = body.to_vec();
            changed[position] ^= 1;
            let expected = if scheme.algorithm.sends_secret() {
                // As the reference says: nothing of the request is signed.
                Ok(changed.clone())
            } else {
                Err(Reject::SignatureMismatch.at(Stage::Key))
            };
            let got = verify(sender, &request(sender, changed), now(sender));
            assert_eq!(got, expected, "{name}: byte {position}");
        }
        let other = credentials(sender, &another(sender));
        let refused = AnySender::open(&other, &proof(sender), Timestamp(now(sender)));
        assert_eq!(refused.err(), Some(Reject::SignatureMismatch.at(Stage::Key)), "{name}: another secret");
    }
}

#[test]
fn a_signed_timestamp_is_accepted_up_to_the_tolerance() {
    for sender in SENDERS {
        let name = sender.name;
        let scheme = describe(entry(sender, "").as_object().unwrap().clone()).unwrap();
        let is_timed = Scheme::new(scheme.clone()).unwrap().is_timed();
        assert_eq!(sender.proof.signed_at.is_some(), is_timed, "{name}: signed_at goes with a timestamp");
        if !is_timed {
            continue;
        }
        let tolerance = i64::from(scheme.tolerance) * 1000;
        for distance in [-tolerance, tolerance] {
            let at = |distance| verify(sender, &proof(sender), now(sender) + distance).err();
            assert_eq!(at(distance), None, "{name}: {distance} ms");
            let outside = distance + distance.signum();
            assert_eq!(
                at(outside),
                Some(Reject::TimestampOutOfRange.at(Stage::Address)),
                "{name}: {outside} ms"
            );
        }
    }
}

#[test]
fn every_proof_is_the_event_that_it_says() {
    for sender in SENDERS {
        let name = sender.name;
        let Some(expected) = &sender.proof.event else {
            // The signature is valid, but the body is not an event.
            assert_eq!(receive(sender).unwrap_err().key, Some(0), "{name}: its event is not in the proof");
            continue;
        };
        let received = receive(sender).unwrap_or_else(|refused| panic!("{name}: {refused:?}"));
        let event = received.queued_event().unwrap();
        assert_eq!(event.kind, format!("any.{}", expected.event_type), "{name}");
        assert_eq!(event.subject.as_deref(), expected.subject, "{name}");
        match expected.id {
            Some(id) => assert_eq!(event.id, id, "{name}"),
            None => assert_eq!(event.id.len(), 64, "{name}: SHA-256 of the body"),
        }
        let received = Timestamp(now(sender)).to_string();
        assert_eq!(event.time, expected.time.unwrap_or(&received), "{name}");
    }
}

#[test]
fn an_entry_names_its_headers_ids_and_secrets() {
    for (entry, headers, id_members, secret_headers, secret_parameters) in [
        (
            json!({ "preset": "stripe", "secret": "s" }),
            &["stripe-signature"][..],
            &["id"][..],
            &[][..],
            &[][..],
        ),
        (
            json!({ "algorithm": "token", "header": "x-token", "secret": "s" }),
            &["x-token"],
            &[],
            &["x-token"],
            &[],
        ),
        (
            json!({ "secret": "s", "template": "{header:x-nonce}.{body}" }),
            &["x-signature", "x-nonce"],
            &[],
            &[],
            &[],
        ),
        (
            json!({ "preset": "meta", "secret": "s", "verify_token": "t" }),
            &["x-hub-signature-256"],
            &[],
            &[],
            &["hub.verify_token"],
        ),
        (
            json!({
                "secret": "s", "type_header": "x-type", "type_override": { "header": "x-other", "values": ["a"] },
                "unsigned_id_header": "x-id", "delivery_header": "x-delivery", "attributes": { "shop": "x-shop" },
                "handshake": [
                    { "method": "GET", "echo_header": "x-challenge" },
                    { "when_header": { "x-kind": "test" }, "echo_path": "challenge" },
                ],
            }),
            &["x-signature", "x-type", "x-other", "x-id", "x-delivery", "x-shop", "x-challenge", "x-kind"],
            &[],
            &[],
            &[],
        ),
    ] {
        let key = Credentials::from_entry(&entry.to_string()).unwrap();
        assert_eq!(AnySender::headers(&key), headers, "{entry}");
        assert_eq!(AnySender::id_members(&key), id_members, "{entry}");
        assert_eq!(AnySender::secret_headers(&key), secret_headers, "{entry}");
        assert_eq!(AnySender::secret_parameters(&key), secret_parameters, "{entry}");
    }
}

#[test]
fn a_variant_asks_for_the_key_and_the_token_of_its_sender() {
    let variants = AnySender::variants();
    assert_eq!(variants.len(), SENDERS.len());
    for (variant, sender) in variants.iter().zip(SENDERS) {
        let fields: Vec<_> = variant.fields.iter().map(|field| field.name).collect();
        let has_token = variant.example.contains("verify_token");
        assert!(has_token || sender.name != "meta");
        let expected = [sender.proof.key_field].into_iter().chain(has_token.then_some("verify_token"));
        assert_eq!((variant.name, fields), (sender.name, expected.collect()));
        let example = Credentials::from_entry(&variant.example);
        assert!(example.is_ok(), "{}: {}", variant.name, variant.example);
    }
}

#[test]
fn a_sample_is_of_the_type_that_its_name_says() {
    let type_of = |entry: serde_json::Value, name: &str| {
        let key = Credentials::from_entry(&entry.to_string()).unwrap();
        let sample = Sample { name: name.to_owned(), payload: b"{}".to_vec() };
        let request = AnySender::build_request(&key, &sample, "https://localhost/any", &at(NOW))?;
        Ok::<_, String>(request.headers()["x-type"].to_str().unwrap().to_owned())
    };
    let preset = json!({ "preset": "stripe", "secret": "s", "type_header": "x-type" });
    let own = json!({ "secret": "s", "type_header": "x-type" });
    for (entry, name, expected) in [
        (&preset, "stripe/customer.created", Ok("customer.created")),
        (&preset, "customer.created", Ok("customer.created")),
        (&preset, "stripe/", Err("x-type: expected an event type")),
        (&own, "stripe/customer.created", Ok("stripe/customer.created")),
        (&own, "", Err("x-type: expected an event type")),
    ] {
        let sent = type_of(entry.clone(), name);
        assert_eq!(sent.as_deref().map_err(String::as_str), expected, "{entry} {name}");
    }
}

#[test]
fn a_response_is_read_by_the_policy_of_the_sender() {
    for sender in SENDERS {
        let key = credentials(sender, sender.proof.key);
        assert_eq!(AnySender::delivery_policy(&key), sender.policy, "{}", sender.name);
    }
    for (entry, status, expected) in [
        (json!({ "preset": "stripe", "secret": "s" }), 204, Ok("body")),
        (
            json!({ "preset": "telegram", "secret": "s" }),
            302,
            Err("expected a status from 200 to 299, got 302 Found"),
        ),
        // The specification's advice to all senders.
        (json!({ "secret": "s" }), 204, Ok("body")),
        (json!({ "secret": "s" }), 302, Err("expected a status from 200 to 299, got 302 Found")),
    ] {
        let key = Credentials::from_entry(&entry.to_string()).unwrap();
        let response = http::Response::builder().status(status).body("body".into()).unwrap();
        let read = AnySender::read_response(&key, &Request::default(), &response);
        assert_eq!(read.as_deref().map_err(String::as_str), expected, "{entry} {status}");
    }
}

#[test]
fn content_that_was_read_from_the_sender_is_received_like_its_push() {
    let content = br#"{"id":"evt_1","type":"customer.created"}"#;
    let key = Credentials::from_entry(r#"{"preset":"stripe","secret":"s"}"#).unwrap();
    let pushed = pushed::receive::<Any>("own", &key, content.as_slice().into(), &at(NOW)).unwrap().unwrap();
    let event = pushed.queued_event().unwrap();
    assert_eq!(
        (&*event.id, &*event.kind, &*event.source, event.data.get().as_bytes()),
        ("evt_1", "any.customer.created", "/any/own", content.as_slice())
    );
    let refused = pushed::receive::<Any>("own", &key, "{}".into(), &at(NOW)).unwrap().unwrap_err();
    assert_eq!(refused.reject, Reject::missing("type"));
    // Only the sender signs with a private key.
    let sender = SENDERS.iter().find(|sender| sender.proof.key_field == "public_key").unwrap();
    let public = credentials(sender, sender.proof.key);
    assert!(pushed::receive::<Any>("own", &public, content.as_slice().into(), &at(NOW)).is_none());
}

/// A queue that never responds.
struct Hanging;

impl Queue for Hanging {
    fn put<'a>(&'a self, _: &'a Message) -> Put<'a> {
        Box::pin(std::future::pending())
    }
}

thread_local! {
    static RECEIVED_AT: Cell<i64> = const { Cell::new(NOW) };
}

fn at(now: i64) -> Ambient {
    Ambient { now: Timestamp(now), entropy: [7; Ambient::ENTROPY] }
}

/// A delivery with the first sample of the function `signed` for this sender.
fn signed_sample(sender: &Sender) -> Request {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../functions/signed/samples").join(sender.name);
    let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let name = format!("{}/{}", sender.name, file.file_stem().unwrap().to_str().unwrap());
    let sample = Sample { name, payload: fs::read(file).unwrap() };
    let key = credentials(sender, sender.proof.key);
    AnySender::build_request(&key, &sample, "https://localhost/any", &at(NOW)).unwrap()
}

/// Credentials whose first read succeeds; every later read never ends.
async fn credentials_that_hang(sender: &Sender, deadline: Duration) -> Keyring<Credentials> {
    let json = json!({ "default": entry(sender, sender.proof.key) }).to_string();
    let read: Read = Box::new(move |known| match known {
        None => {
            let content = Content { bytes: json.clone().into(), version: "1".into() };
            Box::pin(async move { Ok(Some(content)) })
        }
        Some(_) => Box::pin(std::future::pending()),
    });
    let parse = |bytes: &[u8]| {
        let json = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        Sources::parse(json).map_err(|error| error.to_string())
    };
    // As in the runtime, but always older than the maximum age.
    Keyring::start(read, parse, Duration::ZERO, deadline / 3).await.unwrap()
}

/// Half a second is left for the network and API Gateway, even if the operator sets a later deadline.
#[tokio::test(start_paused = true)]
async fn the_response_is_ready_500_ms_before_the_senders_timeout() {
    assert_eq!(PRESETS.len(), SENDERS.len());
    for (preset, sender) in PRESETS.iter().zip(SENDERS) {
        assert_eq!((preset.name, preset.timeout), (sender.name, sender.policy.timeout));
        for deadline in [Any::DEADLINE, Duration::from_secs(1), Duration::from_secs(29)] {
            let before_timeout =
                preset.timeout.map(|timeout| timeout.checked_sub(Duration::from_millis(500)).unwrap());
            let limit = before_timeout.map_or(deadline, |limit| limit.min(deadline));

            // A proof that is an event; else a sample of the same sender.
            let (received_at, delivery) = match &sender.proof.event {
                Some(_) => (now(sender), proof(sender)),
                None => (NOW, signed_sample(sender)),
            };
            RECEIVED_AT.set(received_at);
            let keyring = credentials_that_hang(sender, deadline).await;
            let provider = Refreshed::fixed(AnySender::new(&[]).unwrap());
            let intake = Intake::new(provider, keyring, Arc::new(Hanging), deadline)
                .with_ambient(|| Ok(at(RECEIVED_AT.get())));

            let started = tokio::time::Instant::now();
            let answer = intake.handle("default", &delivery).await;
            let took = started.elapsed();
            assert_eq!(answer.record.status, 503, "{}: {:?}", preset.name, answer.record);
            assert!(took <= limit, "{}: {took:?} of {limit:?}", preset.name);
            assert!(took >= limit * 4 / 5, "{}: gave up after {took:?} of {limit:?}", preset.name);
        }
    }
}
