//! Writes the records of deliveries, within limits of time, size and rate.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use letterbox_codec::Timestamp;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{
    mask::{self, Secrets},
    pause::Pause,
    rate::Bucket,
    record::{Part, Record},
    store::{Archive, ArchiveError, Archived, LARGEST_LINE},
};
use crate::Outcome;

/// The most refused deliveries of one execution environment that are archived in a minute, unless a setting says otherwise.
pub const DEFAULT_REFUSED_PER_MINUTE: u32 = 1200;

/// The longest that a delivery waits for the archive.
const LONGEST: Duration = Duration::from_secs(1);

/// The longest that a delivery with that deadline waits for the archive: well below half of it, where answers count as slow.
pub(crate) fn limit(deadline: Duration) -> Duration {
    LONGEST.min(deadline / 4)
}

/// A line for the archive, or why there is none.
type Line = Result<String, ArchiveError>;

/// The archive of one function.
pub struct Archivist {
    archive: Arc<dyn Archive>,
    refused: Mutex<Bucket>,
    pause: Mutex<Pause>,
}

impl Archivist {
    /// Creates an archivist that archives at most `refused_per_minute` deliveries that nothing has verified.
    pub fn new(archive: Arc<dyn Archive>, refused_per_minute: u32) -> Self {
        let refused = Mutex::new(Bucket::new(refused_per_minute));
        Self { archive, refused, pause: Mutex::default() }
    }

    /// Archives an accepted delivery, while its event is put on the queue.
    pub async fn accepted(&self, line: impl FnOnce() -> Line, limit: Duration) -> Archived {
        self.store(line, limit).await
    }

    /// Archives a delivery that nothing has verified, unless there are too many of them.
    pub async fn refused(&self, line: impl FnOnce() -> Line, limit: Duration) -> Archived {
        let is_allowed = self.refused.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        if is_allowed { self.store(line, limit).await } else { Archived::Skipped }
    }

    /// Archives the record that corrects the one of an accepted delivery, after the queue did not accept the event. Where the
    /// queue took all of the time, the put goes on beside the next delivery, and counts as failed.
    pub async fn correct(&self, line: impl FnOnce() -> Line, limit: Duration) -> Archived {
        let put = async move {
            let (archive, line) = (Arc::clone(&self.archive), line()?);
            let put = tokio::spawn(async move { archive.put(line).await });
            put.await.unwrap_or_else(|error| Err(ArchiveError(error.to_string())))
        };
        self.within(limit, put).await
    }

    async fn store(&self, line: impl FnOnce() -> Line, limit: Duration) -> Archived {
        self.within(limit, async move { self.archive.put(line()?).await }).await
    }

    /// The result of a put that is awaited for at most `limit`, and not begun during a pause.
    async fn within(&self, limit: Duration, put: impl Future<Output = Result<(), ArchiveError>>) -> Archived {
        let pause = || self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        if !pause().is_over(Instant::now()) {
            return Archived::Failed(ArchiveError(
                "not tried, since the archive did not respond in time before".to_owned(),
            ));
        }
        let Ok(put) = tokio::time::timeout(limit, put).await else {
            pause().timed_out(limit, Instant::now());
            let text = "the archive did not respond within its time limit";
            return Archived::Failed(ArchiveError(text.to_owned()));
        };
        pause().responded();
        put.map_or_else(Archived::Failed, |()| Archived::Stored)
    }
}

/// What the records of one delivery have in common.
pub(crate) struct Draft<'a> {
    /// The time of receipt.
    pub time: Timestamp,
    /// The provider's name.
    pub provider: &'a str,
    /// The source.
    pub source: &'a str,
    /// The API Gateway event as it came.
    pub event: &'a RawValue,
    /// What the source's entries declare as secrets.
    pub secrets: Secrets<'a>,
}

/// What a record says of the outcome.
pub(crate) struct Conclusion<'a> {
    pub outcome: Outcome,
    pub reason: Option<&'a str>,
    pub id: Option<&'a str>,
    pub kind: Option<&'a str>,
    /// The body of the queue message.
    pub message: Option<&'a str>,
}

impl Draft<'_> {
    /// A record as a line. What does not fit into [`LARGEST_LINE`] is left out: first the message, then the body.
    pub fn line(&self, conclusion: &Conclusion<'_>) -> Line {
        self.line_within(conclusion, LARGEST_LINE)
    }

    fn line_within(&self, conclusion: &Conclusion<'_>, largest: usize) -> Line {
        let invalid = |error: serde_json::Error| ArchiveError(error.to_string());
        let mut record = Record {
            time: self.time,
            provider: self.provider.to_owned(),
            source: self.source.to_owned(),
            outcome: conclusion.outcome,
            reason: conclusion.reason.map(str::to_owned),
            id: conclusion.id.map(str::to_owned),
            kind: conclusion.kind.map(str::to_owned),
            event: RawValue::NULL.to_owned(),
            message: None,
            omitted: vec![Part::Message, Part::Body],
        };
        let rest =
            serde_json::to_string(&record).map_err(invalid)?.len() + r#","message":"#.len() + "\n".len();
        let fits = |event: &RawValue, message: usize| event.get().len() + message + rest <= largest;

        record.omitted.clear();
        record.event = mask::event(self.event, &self.secrets, true).map_err(invalid)?;
        match conclusion.message {
            Some(message) if fits(&record.event, message.len()) => {
                let message = RawValue::from_string(message.to_owned()).map_err(invalid)?;
                record.message = Some(mask::on_one_line(message));
            }
            Some(_) => record.omitted.push(Part::Message),
            None => {}
        }
        if !fits(&record.event, 0) {
            record.omitted.push(Part::Body);
            record.event = mask::event(self.event, &self.secrets, false).map_err(invalid)?;
        }
        if !fits(&record.event, 0) {
            let text = format!("the record has more than {largest} bytes even without message and body");
            return Err(ArchiveError(text));
        }
        let mut line = serde_json::to_string(&record).map_err(invalid)?;
        line.push('\n');
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::{Value, json};

    use super::*;
    use crate::archive::Put;

    const LIMIT: Duration = Duration::from_millis(100);

    /// An archive whose puts take some time and then fail or not.
    struct Slow {
        takes: Duration,
        fails: bool,
        puts: AtomicUsize,
        stored: AtomicUsize,
    }

    impl Slow {
        fn new(takes: Duration, fails: bool) -> Arc<Self> {
            Arc::new(Self { takes, fails, puts: AtomicUsize::new(0), stored: AtomicUsize::new(0) })
        }

        fn counts(&self) -> (usize, usize) {
            (self.puts.load(Ordering::SeqCst), self.stored.load(Ordering::SeqCst))
        }
    }

    impl Archive for Slow {
        fn put(&self, _: String) -> Put<'_> {
            Box::pin(async move {
                self.puts.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(self.takes).await;
                if self.fails {
                    return Err(ArchiveError("down".into()));
                }
                self.stored.fetch_add(1, Ordering::SeqCst);
                Ok(())
            })
        }
    }

    const LINE: fn() -> Line = || Ok("{}\n".to_owned());

    #[tokio::test(start_paused = true)]
    async fn only_refused_deliveries_have_a_rate() {
        let archive = Slow::new(Duration::ZERO, false);
        let archivist = Archivist::new(archive.clone(), 2);
        for expected in [Archived::Stored, Archived::Stored, Archived::Skipped] {
            let unbuilt = || if expected == Archived::Skipped { panic!("built in vain") } else { LINE() };
            assert_eq!(archivist.refused(unbuilt, LIMIT).await, expected);
        }
        assert_eq!(archivist.accepted(LINE, LIMIT).await, Archived::Stored);
        assert_eq!(archivist.correct(LINE, LIMIT).await, Archived::Stored);
        assert_eq!(archive.counts(), (4, 4));
    }

    #[tokio::test(start_paused = true)]
    async fn an_archive_that_is_down_is_tried_each_time() {
        let archive = Slow::new(Duration::ZERO, true);
        let archivist = Archivist::new(archive.clone(), 1200);
        for _ in 0..10 {
            let failed = Archived::Failed(ArchiveError("down".into()));
            assert_eq!(archivist.accepted(LINE, LIMIT).await, failed);
        }
        assert_eq!(archive.counts(), (10, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn an_archive_that_hangs_is_waited_for_twice_and_then_only_now_and_then() {
        let archive = Slow::new(Duration::from_hours(1), false);
        let archivist = Archivist::new(archive.clone(), 1200);
        let started = Instant::now();
        for _ in 0..1000 {
            assert!(matches!(archivist.accepted(LINE, LIMIT).await, Archived::Failed(_)));
        }
        assert_eq!((started.elapsed(), archive.counts().0), (LIMIT * 2, 2));
        tokio::time::advance(LIMIT * 10).await;
        for _ in 0..1000 {
            assert!(matches!(archivist.refused(LINE, LIMIT).await, Archived::Failed(_)));
        }
        assert_eq!(archive.counts().0, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_correction_goes_on_after_its_time() {
        let archive = Slow::new(LIMIT * 2, false);
        let archivist = Archivist::new(archive.clone(), 1200);
        let started = Instant::now();
        assert!(matches!(archivist.correct(LINE, LIMIT).await, Archived::Failed(_)));
        assert_eq!((started.elapsed(), archive.counts()), (LIMIT, (1, 0)));
        tokio::time::sleep(LIMIT * 2).await;
        assert_eq!(archive.counts(), (1, 1));
        // While any other put ends with its time.
        assert!(matches!(archivist.accepted(LINE, LIMIT).await, Archived::Failed(_)));
        tokio::time::sleep(LIMIT * 2).await;
        assert_eq!(archive.counts(), (2, 1));
    }

    #[test]
    fn the_limit_is_a_quarter_of_the_deadline_and_at_most_a_second() {
        for (deadline, expected) in [(800, 200), (1200, 300), (4000, 1000), (29_000, 1000)] {
            assert_eq!(limit(Duration::from_millis(deadline)), Duration::from_millis(expected));
        }
    }

    /// The record of a delivery with that body and, if it was accepted, that message.
    fn written(event: &Value, message: Option<&str>, largest: usize) -> Result<(String, Value), String> {
        let event = serde_json::value::to_raw_value(event).unwrap();
        let draft = Draft {
            time: Timestamp(1_795_749_600_123),
            provider: "github",
            source: "acme",
            event: &event,
            secrets: Secrets::default(),
        };
        let conclusion = Conclusion {
            outcome: if message.is_some() { Outcome::Queued } else { Outcome::Refused },
            reason: None,
            id: message.map(|_| "e1"),
            kind: message.map(|_| "github.push"),
            message,
        };
        let line = draft.line_within(&conclusion, largest).map_err(|error| error.0)?;
        let json = serde_json::from_str(&line).unwrap();
        Ok((line, json))
    }

    #[test]
    fn a_record_is_one_line() {
        let event = json!({ "headers": { "cookie": "1" }, "body": "{\n}" });
        let (line, record) =
            written(&event, Some("{\n\"id\": \"e1\",\r\n\"data\":\"a\\nb\"}"), LARGEST_LINE).unwrap();
        assert_eq!(line.matches(['\n', '\r']).count(), 1);
        assert!(line.ends_with("}\n"));
        assert_eq!(record["event"], json!({ "headers": { "cookie": "***" }, "body": "{\n}" }));
        assert_eq!(record["message"], json!({ "id": "e1", "data": "a\nb" }));
        assert_eq!(record.get("omitted"), None);
    }

    #[test]
    fn first_the_message_is_left_out_and_then_the_body() {
        let (body, data) = ("b".repeat(5000), "d".repeat(7000));
        let event = json!({ "headers": {}, "body": body, "isBase64Encoded": false });
        let message = json!({ "data": data }).to_string();
        let whole = written(&event, Some(&message), LARGEST_LINE).unwrap().0.len();
        for (largest, with_message, with_body) in [
            (whole + 64, true, true),
            (whole - 1, false, true),
            (whole - 6900, false, true),
            (5100, false, false),
            (400, false, false),
        ] {
            let (line, record) = written(&event, Some(&message), largest).unwrap();
            assert!(line.len() <= largest, "{} of {largest}", line.len());
            assert_eq!(
                (record["message"].is_object(), record["event"]["body"].is_string()),
                (with_message, with_body)
            );
            let omitted: Vec<_> = [(!with_message, "message"), (!with_body, "body")]
                .into_iter()
                .filter_map(|(omitted, name)| omitted.then_some(name))
                .collect();
            assert_eq!(record.get("omitted").cloned().unwrap_or(json!([])), json!(omitted), "{largest}");
            assert_eq!((&record["id"], &record["event"]["isBase64Encoded"]), (&json!("e1"), &json!(false)));
        }
        let refused = written(&event, None, 5000).unwrap().1;
        assert_eq!((&refused["omitted"], &refused["event"]["body"]), (&json!(["body"]), &Value::Null));
    }

    #[test]
    fn a_record_that_is_too_large_without_its_body_is_an_error() {
        let event = json!({ "headers": { "x": "h".repeat(5000) }, "body": "b" });
        assert!(written(&event, Some("{}"), 5000).unwrap_err().contains("more than 5000 bytes"));
    }

    #[test]
    fn what_fits_exactly_is_kept() {
        // The estimate may be up to the length of `omitted` too high, and never too low.
        let event = json!({ "body": "b" });
        for (length, largest) in [(LARGEST_LINE - 400, LARGEST_LINE), (LARGEST_LINE, LARGEST_LINE)] {
            let message = json!({ "data": "d".repeat(length) }).to_string();
            let (line, record) = written(&event, Some(&message), largest).unwrap();
            assert!(line.len() <= largest);
            assert_eq!(record["message"].is_object(), length < largest);
        }
    }
}
