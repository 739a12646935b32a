//! What is read at start, and again while the function lives: the credentials, a provider's document.

use std::{
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use lambda_runtime::tracing;
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};

/// A flood of forged deliveries must not become a flood of reads.
const AT_MOST_EVERY: Duration = Duration::from_secs(30);

/// The longest that a read may take. The start waits for its first one; Lambda itself allows a start 10 s.
const LONGEST: Duration = Duration::from_secs(5);

const TOO_LATE: &str = "no answer in time";

/// Why a value may be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A delivery was opened: only if the value is old.
    Opened,
    /// A delivery did not verify, or its source is unknown: perhaps the value has just been changed.
    Refused,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The value in use is the newest, or there was no occasion to look.
    Unchanged,
    /// There is a newer one, in use from now on.
    Renewed,
    /// A newer one could not be read or not be understood: the old one serves on.
    Failed,
}

/// What a read brought.
#[derive(Clone, Debug)]
pub struct Content {
    /// The text of the value.
    pub bytes: Vec<u8>,
    /// Names this content among all that the origin ever had.
    pub version: String,
}

/// `None`: the origin still has the version that is known.
type Found = Result<Option<Content>, String>;

/// A read under way.
pub type Reading = Pin<Box<dyn Future<Output = Found> + Send>>;

/// Reads the value from where it is kept, if it is not of the known version any more.
pub type Read = Box<dyn Fn(Option<String>) -> Reading + Send + Sync>;

/// Understands what was read; the error says what is wrong with it, and nothing secret.
pub type Parse<T> = fn(&[u8]) -> Result<T, String>;

/// A value in use.
pub struct Renewed<T> {
    current: RwLock<Arc<T>>,
    origin: Option<Origin<T>>,
}

/// Where a value comes from, and how often.
struct Origin<T> {
    read: Read,
    parse: Parse<T>,
    /// An older value is read again.
    oldest: Duration,
    /// The longest that a delivery waits for a read. One that takes longer goes on, and a later delivery finds it done.
    limit: Duration,
    state: tokio::sync::Mutex<State>,
}

struct State {
    /// Of the value in use.
    version: String,
    read: Instant,
    tried: Option<Instant>,
    reading: Option<JoinHandle<Found>>,
}

impl<T> Renewed<T> {
    /// A value that stays as it is.
    pub fn fixed(value: T) -> Self {
        Self { current: RwLock::new(Arc::new(value)), origin: None }
    }

    /// A value that is read now, and again later.
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

    /// The value in use.
    pub fn current(&self) -> Arc<T> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the value again if the occasion asks for it. `what` is its name in the log.
    pub async fn renew(&self, occasion: Occasion, what: &str) -> Renewal {
        let Some(origin) = &self.origin else { return Renewal::Unchanged };
        // Whoever holds the lock is reading already.
        let Ok(mut state) = origin.state.try_lock() else { return Renewal::Unchanged };
        let now = Instant::now();
        let recently = state.tried.is_some_and(|tried| now.duration_since(tried) < AT_MOST_EVERY);
        let old = now.duration_since(state.read) >= origin.oldest;
        if state.reading.is_none() {
            if recently || (occasion == Occasion::Opened && !old) {
                return Renewal::Unchanged;
            }
            state.tried = Some(now);
            state.reading = Some(tokio::spawn(in_time((origin.read)(Some(state.version.clone())))));
        }
        let Some(found) = state.found_within(origin.limit).await else { return Renewal::Unchanged };
        match origin.understand(found) {
            Ok(newer) => {
                state.read = now;
                let Some((value, version)) = newer else { return Renewal::Unchanged };
                state.version = version;
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
                tracing::info!("{what} renewed");
                Renewal::Renewed
            }
            Err(detail) => {
                tracing::warn!(detail, "{what} not renewed: the old ones serve on");
                Renewal::Failed
            }
        }
    }
}

async fn in_time(reading: Reading) -> Found {
    timeout(LONGEST, reading).await.unwrap_or_else(|_| Err(TOO_LATE.to_owned()))
}

impl State {
    /// What the read under way found, if it is done by then.
    async fn found_within(&mut self, limit: Duration) -> Option<Found> {
        let done = timeout(limit, self.reading.as_mut()?).await.ok()?;
        self.reading = None;
        Some(done.unwrap_or_else(|error| Err(error.to_string())))
    }
}

impl<T> Origin<T> {
    fn understand(&self, found: Found) -> Result<Option<(T, String)>, String> {
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

    /// A store whose content can be changed, and which counts its reads.
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

        async fn renewed(&self) -> Renewed<String> {
            let store = self.clone();
            let read: Read = Box::new(move |known| {
                store.0.1.fetch_add(1, Ordering::SeqCst);
                let content = store.0.0.lock().unwrap().clone().map(|content| {
                    (known.as_deref() != Some(content))
                        .then(|| Content { bytes: content.into(), version: content.into() })
                });
                Box::pin(async move { content })
            });
            Renewed::start(read, parse, Duration::from_mins(5), Duration::from_secs(1)).await.unwrap()
        }
    }

    fn parse(bytes: &[u8]) -> Result<String, String> {
        match bytes {
            b"broken" => Err("broken".into()),
            _ => Ok(String::from_utf8_lossy(bytes).into_owned()),
        }
    }

    async fn renew(value: &Renewed<String>, occasion: Occasion) -> Renewal {
        value.renew(occasion, "the value").await
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_opened_renews_only_what_is_old() {
        let store = Store::new("one");
        let value = store.renewed().await;
        store.set("two");
        assert_eq!(renew(&value, Occasion::Opened).await, Renewal::Unchanged);
        tokio::time::advance(Duration::from_secs(299)).await;
        assert_eq!(renew(&value, Occasion::Opened).await, Renewal::Unchanged);
        assert_eq!((value.current().as_str(), store.reads()), ("one", 1));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(renew(&value, Occasion::Opened).await, Renewal::Renewed);
        assert_eq!((value.current().as_str(), store.reads()), ("two", 2));
        assert_eq!(renew(&value, Occasion::Opened).await, Renewal::Unchanged);
        assert_eq!(store.reads(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_refusals_reads_once_in_thirty_seconds() {
        let store = Store::new("one");
        let value = store.renewed().await;
        for _ in 0..1000 {
            assert_eq!(renew(&value, Occasion::Refused).await, Renewal::Unchanged);
        }
        assert_eq!(store.reads(), 2);
        store.set("two");
        tokio::time::advance(AT_MOST_EVERY).await;
        assert_eq!(renew(&value, Occasion::Refused).await, Renewal::Renewed);
        assert_eq!((value.current().as_str(), store.reads()), ("two", 3));
    }

    #[tokio::test(start_paused = true)]
    async fn the_old_one_serves_on_if_the_new_cannot_be_had() {
        let store = Store::new("one");
        let value = store.renewed().await;
        store.fail();
        assert_eq!(renew(&value, Occasion::Refused).await, Renewal::Failed);
        store.set("broken");
        tokio::time::advance(AT_MOST_EVERY).await;
        assert_eq!(renew(&value, Occasion::Refused).await, Renewal::Failed);
        assert_eq!((value.current().as_str(), store.reads()), ("one", 3));
        store.set("two");
        tokio::time::advance(AT_MOST_EVERY).await;
        assert_eq!(renew(&value, Occasion::Refused).await, Renewal::Renewed);
        assert_eq!(value.current().as_str(), "two");
    }

    /// A value whose later reads take so long.
    async fn slow(later: Duration) -> Renewed<String> {
        let read: Read = Box::new(move |known| {
            Box::pin(async move {
                tokio::time::sleep(if known.is_some() { later } else { Duration::ZERO }).await;
                let version = if known.is_some() { "two" } else { "one" };
                Ok(Some(Content { bytes: version.into(), version: version.into() }))
            })
        });
        Renewed::start(read, parse, Duration::from_mins(5), Duration::from_secs(1)).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_delivery_waits_no_longer_than_the_limit_and_a_later_one_finds_the_read_done() {
        let value = slow(Duration::from_millis(1500)).await;
        let started = Instant::now();
        assert_eq!(renew(&value, Occasion::Refused).await, Renewal::Unchanged);
        assert_eq!((started.elapsed(), value.current().as_str()), (Duration::from_secs(1), "one"));
        assert_eq!(renew(&value, Occasion::Opened).await, Renewal::Renewed);
        assert_eq!((started.elapsed(), value.current().as_str()), (Duration::from_millis(1500), "two"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_that_hangs_has_failed() {
        let value = slow(Duration::from_hours(1)).await;
        assert_eq!(renew(&value, Occasion::Refused).await, Renewal::Unchanged);
        tokio::time::advance(LONGEST).await;
        assert_eq!(renew(&value, Occasion::Opened).await, Renewal::Failed);
        assert_eq!(value.current().as_str(), "one");
    }

    #[tokio::test]
    async fn what_is_broken_at_start_stops_it() {
        let read: Read = Box::new(|_| {
            Box::pin(async { Ok(Some(Content { bytes: "broken".into(), version: "1".into() })) })
        });
        let started = Renewed::start(read, parse, Duration::from_mins(5), Duration::from_secs(1)).await;
        assert_eq!(started.err().as_deref(), Some("broken"));
    }

    #[tokio::test]
    async fn a_fixed_value_is_never_read_again() {
        assert_eq!(renew(&Renewed::fixed("one".into()), Occasion::Refused).await, Renewal::Unchanged);
    }
}
