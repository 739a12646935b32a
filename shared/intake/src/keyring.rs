//! The credentials in use: read at start, and again while they rotate.

use std::{
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use aws_config::SdkConfig;
use lambda_runtime::tracing;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout};

use crate::{Sources, aws::describe, credentials::CredentialsError};

/// A flood of forged deliveries must not become a flood of reads.
const AT_MOST_EVERY: Duration = Duration::from_secs(30);

/// The longest that the start waits for them; Lambda itself allows it 10 s.
const AT_START: Duration = Duration::from_secs(5);

const TOO_LATE: &str = "no answer in time";

/// Why the credentials may be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A delivery was opened: only if they are old.
    Opened,
    /// A delivery did not verify, or its source is unknown: perhaps they have just been changed.
    Refused,
}

/// Reads the credentials JSON from where it is kept.
pub type Fetch = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, String>> + Send>> + Send + Sync>;

/// The credentials of all sources.
pub struct Keyring<C> {
    current: RwLock<Arc<Sources<C>>>,
    renewal: Option<Renewal>,
}

/// How a keyring is renewed.
struct Renewal {
    fetch: Fetch,
    /// Older credentials are read again.
    oldest: Duration,
    /// The longest that a delivery waits for a read.
    limit: Duration,
    state: tokio::sync::Mutex<State>,
}

struct State {
    /// Of the JSON that is in use.
    digest: [u8; 32],
    read: Instant,
    tried: Option<Instant>,
}

impl<C: DeserializeOwned> Keyring<C> {
    /// Credentials that stay as they are.
    pub fn fixed(sources: Sources<C>) -> Self {
        Self { current: RwLock::new(Arc::new(sources)), renewal: None }
    }

    /// Credentials that are read now, and again later.
    pub async fn renewed(fetch: Fetch, oldest: Duration, limit: Duration) -> Result<Self, String> {
        let json = timeout(AT_START, fetch()).await.unwrap_or_else(|_| Err(TOO_LATE.to_owned()))?;
        let sources = Sources::parse(&json).map_err(|error: CredentialsError| error.to_string())?;
        let state = State { digest: Sha256::digest(&json).into(), read: Instant::now(), tried: None };
        let renewal = Renewal { fetch, oldest, limit, state: tokio::sync::Mutex::new(state) };
        Ok(Self { current: RwLock::new(Arc::new(sources)), renewal: Some(renewal) })
    }

    /// The credentials in use.
    pub fn current(&self) -> Arc<Sources<C>> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the credentials again if the occasion asks for it; says whether they are others now.
    /// If they cannot be read, the old ones serve on.
    pub async fn renew(&self, occasion: Occasion) -> bool {
        let Some(renewal) = &self.renewal else { return false };
        // Whoever holds the lock is reading already.
        let Ok(mut state) = renewal.state.try_lock() else { return false };
        let now = Instant::now();
        let recently = state.tried.is_some_and(|tried| now.duration_since(tried) < AT_MOST_EVERY);
        let old = now.duration_since(state.read) >= renewal.oldest;
        if recently || (occasion == Occasion::Opened && !old) {
            return false;
        }
        state.tried = Some(now);
        match renewal.read().await {
            Ok(json) => {
                state.read = now;
                let digest: [u8; 32] = Sha256::digest(&json).into();
                digest != state.digest && self.replace(&json, digest, &mut state)
            }
            Err(error) => {
                tracing::warn!(detail = error, "credentials not read: the old ones serve on");
                false
            }
        }
    }

    fn replace(&self, json: &str, digest: [u8; 32], state: &mut State) -> bool {
        match Sources::parse(json) {
            Ok(sources) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(sources);
                state.digest = digest;
                tracing::info!("credentials renewed");
                true
            }
            Err(error) => {
                tracing::warn!(
                    detail = error.to_string(),
                    "credentials not understood: the old ones serve on"
                );
                false
            }
        }
    }
}

impl Renewal {
    async fn read(&self) -> Result<String, String> {
        timeout(self.limit, (self.fetch)()).await.unwrap_or_else(|_| Err(TOO_LATE.to_owned()))
    }
}

/// Reads a Secrets Manager secret: its current version, as text.
pub fn secrets_manager(config: &SdkConfig, id: String) -> Fetch {
    let client = aws_sdk_secretsmanager::Client::new(config);
    Box::new(move || {
        let request = client.get_secret_value().secret_id(&id);
        Box::pin(async move {
            let secret = request.send().await.map_err(|error| describe(&error))?;
            secret
                .secret_string
                .ok_or_else(|| "the secret has no text: store the credentials JSON as one".to_owned())
        })
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Entry {
        secret: String,
    }

    /// A store whose content can be changed, and which counts its reads.
    #[derive(Clone)]
    struct Store(Arc<(Mutex<Result<String, String>>, AtomicUsize)>);

    impl Store {
        fn new(secret: &str) -> Self {
            let store = Self(Arc::new((Mutex::new(Ok(String::new())), AtomicUsize::new(0))));
            store.set(secret);
            store
        }

        fn set(&self, secret: &str) {
            *self.0.0.lock().unwrap() = Ok(format!(r#"{{"default":{{"secret":"{secret}"}}}}"#));
        }

        fn fail(&self) {
            *self.0.0.lock().unwrap() = Err("down".into());
        }

        fn reads(&self) -> usize {
            self.0.1.load(Ordering::SeqCst)
        }

        async fn keyring(&self) -> Keyring<Entry> {
            let store = self.clone();
            let fetch: Fetch = Box::new(move || {
                store.0.1.fetch_add(1, Ordering::SeqCst);
                let content = store.0.0.lock().unwrap().clone();
                Box::pin(async move { content })
            });
            Keyring::renewed(fetch, Duration::from_mins(5), Duration::from_secs(1)).await.unwrap()
        }
    }

    fn secret(keyring: &Keyring<Entry>) -> String {
        keyring.current().get("default").unwrap()[0].secret.clone()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_opened_renews_only_what_is_old() {
        let store = Store::new("one");
        let keyring = store.keyring().await;
        store.set("two");
        assert!(!keyring.renew(Occasion::Opened).await);
        tokio::time::advance(Duration::from_secs(299)).await;
        assert!(!keyring.renew(Occasion::Opened).await);
        assert_eq!((secret(&keyring).as_str(), store.reads()), ("one", 1));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(keyring.renew(Occasion::Opened).await);
        assert_eq!((secret(&keyring).as_str(), store.reads()), ("two", 2));
        assert!(!keyring.renew(Occasion::Opened).await);
        assert_eq!(store.reads(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_refusals_reads_once_in_thirty_seconds() {
        let store = Store::new("one");
        let keyring = store.keyring().await;
        for _ in 0..1000 {
            assert!(!keyring.renew(Occasion::Refused).await);
        }
        assert_eq!(store.reads(), 2);
        store.set("two");
        tokio::time::advance(AT_MOST_EVERY).await;
        assert!(keyring.renew(Occasion::Refused).await);
        assert_eq!((secret(&keyring).as_str(), store.reads()), ("two", 3));
    }

    #[tokio::test(start_paused = true)]
    async fn the_old_ones_serve_on_if_the_new_cannot_be_had() {
        let store = Store::new("one");
        let keyring = store.keyring().await;
        store.fail();
        assert!(!keyring.renew(Occasion::Refused).await);
        store.set("\"broken");
        tokio::time::advance(AT_MOST_EVERY).await;
        assert!(!keyring.renew(Occasion::Refused).await);
        assert_eq!((secret(&keyring).as_str(), store.reads()), ("one", 3));
        store.set("two");
        tokio::time::advance(AT_MOST_EVERY).await;
        assert!(keyring.renew(Occasion::Refused).await);
        assert_eq!(secret(&keyring), "two");
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_hangs_holds_a_delivery_up_no_longer_than_the_limit() {
        let first = std::sync::atomic::AtomicBool::new(true);
        let fetch: Fetch = Box::new(move || {
            let answers = first.swap(false, Ordering::SeqCst);
            Box::pin(async move {
                if !answers {
                    std::future::pending::<()>().await;
                }
                Ok(r#"{"default":{"secret":"one"}}"#.to_owned())
            })
        });
        let keyring: Keyring<Entry> =
            Keyring::renewed(fetch, Duration::from_mins(5), Duration::from_secs(1)).await.unwrap();
        let started = Instant::now();
        assert!(!keyring.renew(Occasion::Refused).await);
        assert_eq!(started.elapsed(), Duration::from_secs(1));
        assert_eq!(secret(&keyring), "one");
    }

    #[tokio::test]
    async fn fixed_credentials_are_never_read_again() {
        let sources = Sources::parse(r#"{"default":{"secret":"one"}}"#).unwrap();
        assert!(!Keyring::<Entry>::fixed(sources).renew(Occasion::Refused).await);
    }
}
