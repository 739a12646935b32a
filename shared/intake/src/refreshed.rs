//! Values that are read at start and refreshed later: the credentials, and a provider's document.

use std::{
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use lambda_runtime::tracing;
use letterbox_codec::Sources;
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};

/// The shortest time between two reads, so that a flood of forged deliveries causes no flood of reads.
const AT_MOST_EVERY: Duration = Duration::from_secs(30);

/// The same while deliveries are replayed, which only the operator can do, who has just changed the value.
const WHILE_REPLAYING: Duration = Duration::from_secs(1);

/// The timeout of a read. The start waits for the first read; Lambda allows a start 10 s.
const LONGEST: Duration = Duration::from_secs(5);

const TOO_LATE: &str = "no response within 5 s";

/// What may cause a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshTrigger {
    /// A delivery was accepted: refreshes only a value that has reached its maximum age.
    Accepted,
    /// A delivery did not verify, or its source is unknown: refreshes the value, which may just have been changed.
    Refused,
    /// The same of a delivery that is replayed.
    Replayed,
}

/// The result of a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshResult {
    /// The value in use is the newest, or it was not read again.
    Unchanged,
    /// A newer value was read and is in use.
    Refreshed,
    /// The refresh failed (read or parse error); the previous value stays in use.
    Failed,
}

/// The result of a read.
#[derive(Clone, Debug)]
pub struct Content {
    /// The value, not parsed yet.
    pub bytes: Vec<u8>,
    /// Identifies this content among all versions at the origin.
    pub version: String,
}

/// `None` if the origin still has the known version.
type Found = Result<Option<Content>, String>;

/// A read in progress.
pub type Reading = Pin<Box<dyn Future<Output = Found> + Send>>;

/// Reads the value from its origin. The argument is the known version, if any.
pub type Read = Box<dyn Fn(Option<String>) -> Reading + Send + Sync>;

/// Parses what was read. The error says what is wrong with it and contains no secret.
pub type Parse<T> = fn(&[u8]) -> Result<T, String>;

/// The credentials in use, refreshed while they rotate.
pub type Keyring<C> = Refreshed<Sources<C>>;

/// A value that can be replaced by a newer one while it is in use.
pub struct Refreshed<T> {
    current: RwLock<Arc<T>>,
    origin: Option<Origin<T>>,
}

/// Where a value comes from, and when it is read again.
struct Origin<T> {
    read: Read,
    parse: Parse<T>,
    /// The maximum age: an accepted delivery refreshes an older value.
    oldest: Duration,
    /// The longest that a delivery waits for a read. A read that takes longer continues, and a later delivery uses its
    /// result.
    limit: Duration,
    state: tokio::sync::Mutex<State>,
}

struct State {
    /// The version of the value in use.
    version: String,
    read: Instant,
    tried: Option<Instant>,
    reading: Option<JoinHandle<Found>>,
}

impl<T> Refreshed<T> {
    /// A value that is never refreshed.
    pub fn fixed(value: T) -> Self {
        Self { current: RwLock::new(Arc::new(value)), origin: None }
    }

    /// Reads and parses the value now. It errs with the description of a failed read or parse.
    pub async fn start(
        read: Read,
        parse: Parse<T>,
        oldest: Duration,
        limit: Duration,
    ) -> Result<Self, String> {
        let Content { bytes, version } = in_time(read(None)).await?.ok_or("nothing was read")?;
        let current = RwLock::new(Arc::new(parse(&bytes)?));
        let state = State { version, read: Instant::now(), tried: None, reading: None };
        let state = tokio::sync::Mutex::new(state);
        Ok(Self { current, origin: Some(Origin { read, parse, oldest, limit, state }) })
    }

    /// Returns the value in use.
    pub fn current(&self) -> Arc<T> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the value again if `trigger` requires it. `what` names the value in the log.
    pub async fn refresh(&self, trigger: RefreshTrigger, what: &str) -> RefreshResult {
        let Some(origin) = &self.origin else { return RefreshResult::Unchanged };
        // Another delivery has the lock, and is reading already.
        let Ok(mut state) = origin.state.try_lock() else { return RefreshResult::Unchanged };
        let now = Instant::now();
        let least = if trigger == RefreshTrigger::Replayed { WHILE_REPLAYING } else { AT_MOST_EVERY };
        let recently = state.tried.is_some_and(|tried| now.duration_since(tried) < least);
        let old = now.duration_since(state.read) >= origin.oldest;
        if state.reading.is_none() {
            if recently || (trigger == RefreshTrigger::Accepted && !old) {
                return RefreshResult::Unchanged;
            }
            state.tried = Some(now);
            state.reading = Some(tokio::spawn(in_time((origin.read)(Some(state.version.clone())))));
        }
        let Some(found) = state.found_within(origin.limit).await else { return RefreshResult::Unchanged };
        match origin.parsed(found) {
            Ok(newer) => {
                state.read = now;
                let Some((value, version)) = newer else { return RefreshResult::Unchanged };
                state.version = version;
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
                tracing::info!("{what} refreshed");
                RefreshResult::Refreshed
            }
            Err(detail) => {
                tracing::warn!(detail, "{what} not refreshed: keeping the previous version");
                RefreshResult::Failed
            }
        }
    }
}

async fn in_time(reading: Reading) -> Found {
    timeout(LONGEST, reading).await.unwrap_or_else(|_| Err(TOO_LATE.to_owned()))
}

impl State {
    /// The result of the read in progress, or `None` if it takes longer than `limit`.
    async fn found_within(&mut self, limit: Duration) -> Option<Found> {
        let done = timeout(limit, self.reading.as_mut()?).await.ok()?;
        self.reading = None;
        Some(done.unwrap_or_else(|error| Err(error.to_string())))
    }
}

impl<T> Origin<T> {
    fn parsed(&self, found: Found) -> Result<Option<(T, String)>, String> {
        found?.map(|Content { bytes, version }| Ok(((self.parse)(&bytes)?, version))).transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    /// An origin whose content can be changed, and which counts its reads.
    #[derive(Clone)]
    struct Store(Arc<(Mutex<Result<&'static str, String>>, AtomicUsize)>);

    impl Store {
        fn new(content: &'static str) -> Self {
            Self(Arc::new((Mutex::new(Ok(content)), AtomicUsize::new(0))))
        }

        fn set(&self, content: &'static str) {
            *self.0.0.lock().unwrap() = Ok(content);
        }

        fn fail(&self) {
            *self.0.0.lock().unwrap() = Err("down".into());
        }

        fn reads(&self) -> usize {
            self.0.1.load(Ordering::SeqCst)
        }

        async fn refreshed(&self) -> Refreshed<String> {
            let store = self.clone();
            let read: Read = Box::new(move |known| {
                store.0.1.fetch_add(1, Ordering::SeqCst);
                let content = store.0.0.lock().unwrap().clone().map(|content| {
                    (known.as_deref() != Some(content))
                        .then(|| Content { bytes: content.into(), version: content.into() })
                });
                Box::pin(async move { content })
            });
            Refreshed::start(read, parse, Duration::from_mins(5), Duration::from_secs(1)).await.unwrap()
        }
    }

    fn parse(bytes: &[u8]) -> Result<String, String> {
        match bytes {
            b"broken" => Err("broken".into()),
            _ => Ok(String::from_utf8_lossy(bytes).into_owned()),
        }
    }

    async fn refresh(value: &Refreshed<String>, trigger: RefreshTrigger) -> RefreshResult {
        value.refresh(trigger, "the value").await
    }

    #[tokio::test(start_paused = true)]
    async fn an_accepted_delivery_refreshes_only_an_old_value() {
        let store = Store::new("one");
        let value = store.refreshed().await;
        store.set("two");
        assert_eq!(refresh(&value, RefreshTrigger::Accepted).await, RefreshResult::Unchanged);
        tokio::time::advance(Duration::from_secs(299)).await;
        assert_eq!(refresh(&value, RefreshTrigger::Accepted).await, RefreshResult::Unchanged);
        assert_eq!((value.current().as_str(), store.reads()), ("one", 1));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(refresh(&value, RefreshTrigger::Accepted).await, RefreshResult::Refreshed);
        assert_eq!((value.current().as_str(), store.reads()), ("two", 2));
        assert_eq!(refresh(&value, RefreshTrigger::Accepted).await, RefreshResult::Unchanged);
        assert_eq!(store.reads(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_refusals_reads_once_in_thirty_seconds() {
        let store = Store::new("one");
        let value = store.refreshed().await;
        for _ in 0..1000 {
            assert_eq!(refresh(&value, RefreshTrigger::Refused).await, RefreshResult::Unchanged);
        }
        assert_eq!(store.reads(), 2);
        store.set("two");
        tokio::time::advance(AT_MOST_EVERY).await;
        assert_eq!(refresh(&value, RefreshTrigger::Refused).await, RefreshResult::Refreshed);
        assert_eq!((value.current().as_str(), store.reads()), ("two", 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_replay_reads_again_after_a_second() {
        let store = Store::new("one");
        let value = store.refreshed().await;
        assert_eq!(refresh(&value, RefreshTrigger::Refused).await, RefreshResult::Unchanged);
        store.set("two");
        assert_eq!(refresh(&value, RefreshTrigger::Replayed).await, RefreshResult::Unchanged);
        assert_eq!(value.current().as_str(), "one");
        tokio::time::advance(WHILE_REPLAYING).await;
        assert_eq!(refresh(&value, RefreshTrigger::Refused).await, RefreshResult::Unchanged);
        assert_eq!(refresh(&value, RefreshTrigger::Replayed).await, RefreshResult::Refreshed);
        assert_eq!((value.current().as_str(), store.reads()), ("two", 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_refresh_keeps_the_old_value() {
        let store = Store::new("one");
        let value = store.refreshed().await;
        store.fail();
        assert_eq!(refresh(&value, RefreshTrigger::Refused).await, RefreshResult::Failed);
        store.set("broken");
        tokio::time::advance(AT_MOST_EVERY).await;
        assert_eq!(refresh(&value, RefreshTrigger::Refused).await, RefreshResult::Failed);
        assert_eq!((value.current().as_str(), store.reads()), ("one", 3));
        store.set("two");
        tokio::time::advance(AT_MOST_EVERY).await;
        assert_eq!(refresh(&value, RefreshTrigger::Refused).await, RefreshResult::Refreshed);
        assert_eq!(value.current().as_str(), "two");
    }

    /// A value whose refreshes take `later`.
    async fn slow(later: Duration) -> Refreshed<String> {
        let read: Read = Box::new(move |known| {
            Box::pin(async move {
                tokio::time::sleep(if known.is_some() { later } else { Duration::ZERO }).await;
                let version = if known.is_some() { "two" } else { "one" };
                Ok(Some(Content { bytes: version.into(), version: version.into() }))
            })
        });
        Refreshed::start(read, parse, Duration::from_mins(5), Duration::from_secs(1)).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_delivery_waits_no_longer_than_the_limit_and_a_later_one_finds_the_read_done() {
        let value = slow(Duration::from_millis(1500)).await;
        let started = Instant::now();
        assert_eq!(refresh(&value, RefreshTrigger::Refused).await, RefreshResult::Unchanged);
        assert_eq!((started.elapsed(), value.current().as_str()), (Duration::from_secs(1), "one"));
        assert_eq!(refresh(&value, RefreshTrigger::Accepted).await, RefreshResult::Refreshed);
        assert_eq!((started.elapsed(), value.current().as_str()), (Duration::from_millis(1500), "two"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_that_hangs_has_failed() {
        let value = slow(Duration::from_hours(1)).await;
        assert_eq!(refresh(&value, RefreshTrigger::Refused).await, RefreshResult::Unchanged);
        tokio::time::advance(LONGEST).await;
        assert_eq!(refresh(&value, RefreshTrigger::Accepted).await, RefreshResult::Failed);
        assert_eq!(value.current().as_str(), "one");
    }

    #[tokio::test]
    async fn a_broken_value_stops_the_start() {
        let read: Read = Box::new(|_| {
            Box::pin(async { Ok(Some(Content { bytes: "broken".into(), version: "1".into() })) })
        });
        let started = Refreshed::start(read, parse, Duration::from_mins(5), Duration::from_secs(1)).await;
        assert_eq!(started.err().as_deref(), Some("broken"));
    }

    #[tokio::test]
    async fn a_fixed_value_is_never_read_again() {
        assert_eq!(
            refresh(&Refreshed::fixed("one".into()), RefreshTrigger::Refused).await,
            RefreshResult::Unchanged
        );
    }
}
