use std::sync::Mutex;

use letterbox_codec::{
    Event, Secret,
    signature::{Description, Key, Scheme, SecretEncoding},
    timestamp::Unit,
};
use serde_json::{Value, json};

use super::*;
use crate::{
    archive::{self, Archive, ArchiveError},
    queue::Put,
};

const DELIVERY: &str = "d1";

fn scheme() -> (Scheme, Key) {
    let secret = Secret::new("secret".into()).unwrap();
    (Scheme::new(Description::default()).unwrap(), Key::new(&secret, SecretEncoding::Text).unwrap())
}

#[derive(serde::Deserialize)]
struct NoSecret {}

/// Expects a signed body, and reports the delivery id in every case.
struct Any;

impl Provider for Any {
    const NAME: &'static str = "any";
    const DEADLINE: Duration = Duration::from_secs(1);
    const DELIVERY_FIELD: Option<&'static str> = Some("own");
    type Credentials = NoSecret;

    fn new(_: &[u8]) -> Result<Self, String> {
        Ok(Self)
    }

    fn receive(
        &self,
        source: &Source<'_, NoSecret>,
        request: &Request,
        ambient: &Ambient,
    ) -> Result<Received, Refused> {
        let delivery = Some(DELIVERY.to_owned());
        let (scheme, key) = scheme();
        let signed = scheme.verify(&key, request, ambient.now);
        let content =
            signed.map_err(|rejected| Refused { delivery: delivery.clone(), ..rejected.into() })?.content;
        let payload = content.json().map_err(|reject| Refused::payload(reject, 0))?;
        let mut event = Event::new(source, "any", &content, &payload, ambient);
        event.delivery = delivery;
        Ok(Received::event(event, Reply::empty(204), 0))
    }
}

/// Accepts messages up to a size.
struct Small(usize);

impl Queue for Small {
    fn largest(&self) -> usize {
        self.0
    }

    fn put<'a>(&'a self, _: &'a Message) -> Put<'a> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn every_outcome_names_the_delivery() {
    let mut signed = Request::new("{}".into());
    *signed.method_mut() = Method::POST;
    let unsigned = signed.clone();
    let (scheme, key) = scheme();
    scheme.sign(&key, &mut signed, Timestamp(0), "").unwrap();
    for (request, largest, status, reason, key) in [
        (&signed, 1000, 204, None, Some(0)),
        (&signed, 10, 413, Some("too_large"), Some(0)),
        (&unsigned, 1000, 401, Some("missing_signature"), None),
    ] {
        let sources = Sources::parse(r#"{"default":{}}"#).unwrap();
        let queue = Arc::new(Small(largest));
        let intake = Intake::new(Refreshed::fixed(Any), Keyring::fixed(sources), queue, Any::DEADLINE);
        let record = intake.handle("default", request).await.record;
        assert_eq!((record.status, record.reason, record.key), (status, reason, key));
        assert_eq!(record.delivery.as_deref(), Some(DELIVERY), "{reason:?}");
        assert_eq!(record.names.delivery_field, Some("own"), "{reason:?}");
    }
}

/// Accepts what the document behind `https://a.example/<path>` says, and asks for `/visit` to be called then.
struct Wanting;

fn url(path: &str) -> HttpsUrl {
    HttpsUrl::parse(&format!("https://a.example{path}")).unwrap()
}

impl Provider for Wanting {
    const NAME: &'static str = "wanting";
    const DEADLINE: Duration = Duration::from_secs(1);
    const FETCHES: bool = true;
    type Credentials = NoSecret;

    fn new(_: &[u8]) -> Result<Self, String> {
        Ok(Self)
    }

    fn receive(&self, _: &Source<'_, NoSecret>, request: &Request, _: &Ambient) -> Result<Received, Refused> {
        let wanted = url(request.uri().path());
        let Some(content) = Fetched::of(request, &wanted) else {
            let refused = Reject::CertificateUnavailable.at(Stage::Key).into();
            return Err(Refused { wanted: Some(wanted), ..refused });
        };
        if content != "good" {
            return Err(Reject::CertificateInvalid.at(Stage::Key).into());
        }
        let mut received = Received::handshake(Reply::empty(200), 0);
        received.visit = Some(url("/visit"));
        Ok(received)
    }
}

#[tokio::test]
async fn a_document_is_fetched_and_a_url_visited_only_if_there_is_a_fetcher() {
    let fetcher = || {
        Fetcher::new(Box::new(|url| {
            let path = url.path().to_owned();
            Box::pin(async move {
                match path.as_str() {
                    "/good" => Ok((200, "good".into())),
                    "/bad" => Ok((200, "bad".into())),
                    "/absent" => Ok((404, "".into())),
                    _ => Err("down".to_owned()),
                }
            })
        }))
    };
    for (path, with, without) in [
        ("/good", (200, None), (401, Some("certificate_unavailable"))),
        ("/bad", (401, Some("certificate_invalid")), (401, Some("certificate_unavailable"))),
        ("/absent", (401, Some("certificate_unavailable")), (401, Some("certificate_unavailable"))),
        ("/down", (503, Some("document_unavailable")), (401, Some("certificate_unavailable"))),
    ] {
        let mut request = Request::new("{}".into());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = path.parse().unwrap();
        for (fetches, expected) in [(true, with), (false, without)] {
            let sources = Sources::parse(r#"{"default":{}}"#).unwrap();
            let (provider, keyring) = (Refreshed::fixed(Wanting), Keyring::fixed(sources));
            let intake = Intake::new(provider, keyring, Arc::new(Small(10)), Wanting::DEADLINE);
            let intake = if fetches { intake.with_fetcher(fetcher()) } else { intake };
            let record = intake.handle("default", &request).await.record;
            assert_eq!((record.status, record.reason), expected, "{path} {fetches}");
            let visited = (expected.0 == 200).then(|| Err("down".to_owned()));
            assert_eq!(record.visit, visited, "{path} {fetches}");
        }
    }
}

/// A request that [`Any`] accepts, and one that it refuses.
fn signed_and_unsigned() -> (Request, Request) {
    let mut signed = Request::new("{}".into());
    *signed.method_mut() = Method::POST;
    let unsigned = signed.clone();
    let (scheme, key) = scheme();
    scheme.sign(&key, &mut signed, Timestamp(0), "").unwrap();
    (signed, unsigned)
}

/// A queue or an archive that takes some time, and then stores or fails.
#[derive(Clone, Copy, Debug)]
enum Behaviour {
    Stores,
    Fails,
    Hangs,
}

impl Behaviour {
    async fn result(self) -> Result<(), String> {
        match self {
            Self::Stores => Ok(()),
            Self::Fails => Err("down".to_owned()),
            Self::Hangs => std::future::pending().await,
        }
    }
}

impl Queue for Behaviour {
    fn put<'a>(&'a self, _: &'a Message) -> Put<'a> {
        Box::pin(async { self.result().await.map_err(QueueError) })
    }
}

/// Collects the lines.
struct Lines {
    behaviour: Behaviour,
    lines: Mutex<Vec<String>>,
}

impl Archive for Lines {
    fn put(&self, line: String) -> archive::Put<'_> {
        Box::pin(async {
            self.behaviour.result().await.map_err(ArchiveError)?;
            self.lines.lock().unwrap().push(line);
            Ok(())
        })
    }
}

/// An intake with an archive.
fn archiving<P: Provider>(queue: Behaviour, archive: Behaviour) -> (Intake<P>, Arc<Lines>) {
    let sources = Sources::parse(r#"{"default":{}}"#).unwrap();
    let lines = Arc::new(Lines { behaviour: archive, lines: Mutex::default() });
    let intake = Intake::new(
        Refreshed::fixed(P::new(&[]).unwrap()),
        Keyring::fixed(sources),
        Arc::new(queue),
        P::DEADLINE,
    );
    (intake.with_archive(Archivist::new(lines.clone(), 2)), lines)
}

/// Hands a request in together with an API Gateway event.
async fn handle<P: Provider>(
    intake: &Intake<P>,
    source: &str,
    request: &Request,
    replay: Option<Marker>,
) -> Answer {
    let event: Box<RawValue> = serde_json::from_str(r#"{"headers":{"cookie":"1"},"body":"{}"}"#).unwrap();
    intake.handle_invocation(source, request, Circumstances { event: Some(&event), replay }).await
}

impl Lines {
    /// Removes and returns the records.
    fn take(&self) -> Vec<Value> {
        let lines = std::mem::take(&mut *self.lines.lock().unwrap());
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[tokio::test]
async fn an_accepted_delivery_is_archived_with_its_message_and_a_refused_one_without() {
    let (intake, lines) = archiving::<Any>(Behaviour::Stores, Behaviour::Stores);
    let (signed, unsigned) = signed_and_unsigned();
    let answer = handle(&intake, "default", &signed, None).await;
    assert_eq!((answer.record.outcome, &answer.record.archived), (Outcome::Queued, &Archived::Stored));
    let message: Value = serde_json::from_str(&answer.message.unwrap().body).unwrap();
    let event = json!({ "headers": { "cookie": "***" }, "body": "{}" });
    assert_eq!(
        lines.take(),
        [json!({
            "time": message["receivedtime"], "provider": "any", "source": "default", "outcome": "queued",
            "reason": null, "id": message["id"], "type": "any.any", "event": event, "message": message,
        })]
    );

    let answer = handle(&intake, "default", &unsigned, None).await;
    assert_eq!((answer.record.outcome, &answer.record.archived), (Outcome::Refused, &Archived::Stored));
    let mut records = lines.take();
    assert!(records[0].as_object_mut().unwrap().remove("time").is_some());
    assert_eq!(
        records,
        [json!({
            "provider": "any", "source": "default", "outcome": "refused", "reason": "missing_signature",
            "id": null, "event": event,
        })]
    );
    // Two in a minute.
    assert_eq!(handle(&intake, "default", &unsigned, None).await.record.archived, Archived::Stored);
    assert_eq!(handle(&intake, "default", &unsigned, None).await.record.archived, Archived::Skipped);
    assert_eq!(handle(&intake, "default", &signed, None).await.record.archived, Archived::Stored);
    assert_eq!(lines.take().len(), 2);
}

#[tokio::test]
async fn what_is_not_to_be_archived_is_not() {
    let (intake, lines) = archiving::<Any>(Behaviour::Stores, Behaviour::Stores);
    let (signed, unsigned) = signed_and_unsigned();
    // An unknown source, though its deliveries are signed.
    for request in [&signed, &unsigned] {
        let record = handle(&intake, "made-up", request, None).await.record;
        assert_eq!((record.status, record.archived), (404, Archived::No));
    }
    // Without an API Gateway event, as on a laptop.
    assert_eq!(intake.handle("default", &signed).await.record.archived, Archived::No);
    // A handshake.
    let (handshakes, others) = archiving::<Wanting>(Behaviour::Stores, Behaviour::Stores);
    let fetcher = Fetcher::new(Box::new(|_| Box::pin(async { Ok((200, "good".into())) })));
    let record = handle(&handshakes.with_fetcher(fetcher), "default", &unsigned, None).await.record;
    assert_eq!((record.outcome, record.archived), (Outcome::Answered, Archived::No));
    // A replay, whatever becomes of it.
    for request in [&signed, &unsigned] {
        let replay = Some(Marker { received: Timestamp(0) });
        assert_eq!(handle(&intake, "default", request, replay).await.record.archived, Archived::No);
    }
    assert_eq!((lines.take().len(), others.take().len()), (0, 0));
}

#[tokio::test]
async fn a_document_that_cannot_be_had_is_archived_like_a_refusal() {
    let (intake, lines) = archiving::<Wanting>(Behaviour::Stores, Behaviour::Stores);
    let fetcher = Fetcher::new(Box::new(|_| Box::pin(async { Err("down".to_owned()) })));
    let intake = intake.with_fetcher(fetcher);
    for expected in [Archived::Stored, Archived::Stored, Archived::Skipped] {
        let record = handle(&intake, "default", &signed_and_unsigned().1, None).await.record;
        assert_eq!((record.outcome, record.archived), (Outcome::Failed, expected));
    }
    let records = lines.take();
    assert_eq!((records.len(), &records[0]["reason"]), (2, &json!("document_unavailable")));
}

#[tokio::test(start_paused = true)]
async fn neither_queue_nor_archive_delays_the_response_past_the_deadline() {
    use Behaviour::{Fails, Hangs, Stores};
    let (signed, _) = signed_and_unsigned();
    let milliseconds = Duration::from_millis;
    // The outcomes in the archive, and the time that the response took.
    for (queue, archive, outcome, records, took) in [
        (Stores, Stores, Outcome::Queued, &["queued"][..], 0),
        (Stores, Fails, Outcome::Queued, &[], 0),
        (Stores, Hangs, Outcome::Queued, &[], 250),
        (Fails, Stores, Outcome::Failed, &["queued", "failed"], 0),
        (Fails, Fails, Outcome::Failed, &[], 0),
        (Fails, Hangs, Outcome::Failed, &[], 500),
        (Hangs, Stores, Outcome::Failed, &["queued", "failed"], 950),
        (Hangs, Fails, Outcome::Failed, &[], 950),
        (Hangs, Hangs, Outcome::Failed, &[], 980),
    ] {
        let (intake, lines) = archiving::<Any>(queue, archive);
        let started = Instant::now();
        let record = handle(&intake, "default", &signed, None).await.record;
        assert_eq!(
            (record.outcome, started.elapsed()),
            (outcome, milliseconds(took)),
            "{queue:?} {archive:?}"
        );
        assert!(started.elapsed() < Any::DEADLINE);
        let stored = lines.take();
        let outcomes: Vec<_> = stored.iter().map(|record| record["outcome"].as_str().unwrap()).collect();
        assert_eq!(outcomes, records, "{queue:?} {archive:?}");
        assert_eq!(record.archived == Archived::Stored, !records.is_empty());
        if let [first, second] = &stored[..] {
            assert_eq!((&first["id"], &first["message"]), (&second["id"], &second["message"]));
            assert_eq!((&first["reason"], &second["reason"]), (&Value::Null, &json!("queue_unavailable")));
        }
    }
}

#[tokio::test]
async fn a_replay_is_judged_as_of_its_receipt_and_says_so() {
    let (intake, _) = archiving::<Any>(Behaviour::Stores, Behaviour::Stores);
    let before = ambient::now();
    let replay = Some(Marker { received: Timestamp(1_795_749_600_123) });
    let answer = handle(&intake, "default", &signed_and_unsigned().0, replay).await;
    let event: Value = serde_json::from_str(&answer.message.unwrap().body).unwrap();
    assert_eq!(event["receivedtime"], "2026-11-27T03:20:00.123Z");
    let replayed = Timestamp::parse(event["replayedtime"].as_str().unwrap(), Unit::Rfc3339).unwrap();
    assert!((before..=ambient::now()).contains(&replayed), "{event}");
    assert_eq!((answer.record.replayed, answer.record.outcome), (true, Outcome::Queued));

    let ordinary = handle(&intake, "default", &signed_and_unsigned().0, None).await;
    assert!(!ordinary.record.replayed && !ordinary.message.unwrap().body.contains("replayedtime"));
}
