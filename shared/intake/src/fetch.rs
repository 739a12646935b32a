//! Fetches the documents that a provider needs to verify a delivery, and calls URLs that it names.
//!
//! The provider has checked that a URL is one of its platform's, but a forged delivery may still name one. So there is one
//! request at a time and a bounded number of them a minute; documents and failures are cached, and all of it has bounds.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_smithy_http_client::{Connector, proxy::ProxyConfig};
use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use letterbox_codec::fetch::HttpsUrl;
use tokio::time::{Instant, timeout};

use crate::aws;

/// The largest document, in bytes: a certificate with a chain has a few KiB.
const LARGEST: usize = 16 * 1024;

/// The most documents in the cache.
const MOST_DOCUMENTS: usize = 8;

/// The most failures in the cache.
const MOST_FAILURES: usize = 32;

/// How long a document is used. A later delivery fetches it again.
const DOCUMENT_AGE: Duration = Duration::from_hours(24);

/// How long a failure is remembered.
const FAILURE_AGE: Duration = Duration::from_secs(30);

/// The most requests in [`WINDOW`]: a flood of forged deliveries with made-up URLs causes no more.
const MOST_REQUESTS: usize = 10;

const WINDOW: Duration = Duration::from_mins(1);

/// Why there is no document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// The server says that there is none.
    Absent,
    /// It could not be fetched now. The text says why, for the operator's log.
    Unavailable(String),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("the server has no such document"),
            Self::Unavailable(why) => f.write_str(why),
        }
    }
}

/// A request in progress: status and body of the response, or why there is none.
pub type Getting = Pin<Box<dyn Future<Output = Result<(u16, Bytes), String>> + Send>>;

/// Requests a URL with GET. The body of the response is at most [`LARGEST`] bytes; redirects are not followed.
pub type Get = Box<dyn Fn(&HttpsUrl) -> Getting + Send + Sync>;

/// Fetches documents, and caches them.
pub struct Fetcher {
    get: Get,
    cache: Mutex<Cache>,
    /// Held during a request.
    turn: tokio::sync::Mutex<()>,
}

/// What was fetched, the oldest first.
#[derive(Default)]
struct Cache {
    documents: VecDeque<(HttpsUrl, Instant, Bytes)>,
    failures: VecDeque<(HttpsUrl, Instant, FetchError)>,
    requests: VecDeque<Instant>,
}

impl Fetcher {
    /// A fetcher over the network: TLS with the system's roots; the environment may name a proxy (`HTTPS_PROXY`).
    pub fn https() -> Self {
        let connector: Arc<Connector> = Arc::new(
            Connector::builder().proxy_config(ProxyConfig::from_env()).tls_provider(aws::TLS).build(),
        );
        Self::new(Box::new(move |url| {
            let connector = Arc::clone(&connector);
            let request = HttpRequest::get(url.as_str());
            Box::pin(async move {
                let request = request.map_err(|error| aws::chain(&error))?;
                let response = connector.call(request).await.map_err(|error| aws::chain(&error))?;
                let status = response.status().as_u16();
                let body = Limited::new(response.into_body(), LARGEST).collect().await;
                let body = body.map_err(|error| format!("the body of the response: {error}"))?;
                Ok((status, body.to_bytes()))
            })
        }))
    }

    /// A fetcher that requests URLs with `get`.
    pub fn new(get: Get) -> Self {
        Self { get, cache: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    /// The document behind a URL, from the cache or fetched within `limit`.
    pub async fn document(&self, url: &HttpsUrl, limit: Duration) -> Result<Bytes, FetchError> {
        if let Some(known) = self.cache().known(url, Instant::now()) {
            return known;
        }
        let started = Instant::now();
        let Ok(_turn) = timeout(limit, self.turn.lock()).await else { return Err(too_late()) };
        let now = Instant::now();
        {
            // Another delivery may have fetched it meanwhile.
            let mut cache = self.cache();
            if let Some(known) = cache.known(url, now) {
                return known;
            }
            if !cache.may_request(now) {
                return Err(FetchError::Unavailable(format!(
                    "more than {MOST_REQUESTS} documents were requested in a minute"
                )));
            }
        }
        let fetched = match timeout(limit.saturating_sub(started.elapsed()), (self.get)(url)).await {
            Ok(Ok((200, content))) => Ok(content),
            Ok(Ok((403 | 404 | 410, _))) => Err(FetchError::Absent),
            Ok(Ok((status, _))) => {
                Err(FetchError::Unavailable(format!("the server responded with {status}")))
            }
            Ok(Err(why)) => Err(FetchError::Unavailable(why)),
            Err(_) => Err(too_late()),
        };
        self.cache().keep(url, now, &fetched);
        fetched
    }

    /// Requests a URL once, and succeeds if the response is 200.
    pub async fn visit(&self, url: &HttpsUrl, limit: Duration) -> Result<(), String> {
        match timeout(limit, (self.get)(url)).await {
            Ok(Ok((200, _))) => Ok(()),
            Ok(Ok((status, _))) => Err(format!("the server responded with {status}")),
            Ok(Err(why)) => Err(why),
            Err(_) => Err(TOO_LATE.to_owned()),
        }
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const TOO_LATE: &str = "the server did not respond within the time that the deadline leaves";

fn too_late() -> FetchError {
    FetchError::Unavailable(TOO_LATE.to_owned())
}

impl Cache {
    /// What is known of a URL and not too old.
    fn known(&self, url: &HttpsUrl, now: Instant) -> Option<Result<Bytes, FetchError>> {
        let is_recent = |at: Instant, age| now.duration_since(at) < age;
        let document =
            self.documents.iter().find(|(known, at, _)| known == url && is_recent(*at, DOCUMENT_AGE));
        let failure =
            || self.failures.iter().find(|(known, at, _)| known == url && is_recent(*at, FAILURE_AGE));
        let document = document.map(|(_, _, content)| Ok(content.clone()));
        document.or_else(|| failure().map(|(_, _, error)| Err(error.clone())))
    }

    /// True if one more request does not exceed the bound; it counts then.
    fn may_request(&mut self, now: Instant) -> bool {
        self.requests.retain(|at| now.duration_since(*at) < WINDOW);
        let may = self.requests.len() < MOST_REQUESTS;
        if may {
            self.requests.push_back(now);
        }
        may
    }

    fn keep(&mut self, url: &HttpsUrl, now: Instant, fetched: &Result<Bytes, FetchError>) {
        self.documents.retain(|(known, ..)| known != url);
        self.failures.retain(|(known, ..)| known != url);
        match fetched {
            Ok(content) => {
                drop_oldest(&mut self.documents, MOST_DOCUMENTS);
                self.documents.push_back((url.clone(), now, content.clone()));
            }
            Err(error) => {
                drop_oldest(&mut self.failures, MOST_FAILURES);
                self.failures.push_back((url.clone(), now, error.clone()));
            }
        }
    }
}

/// Makes room for one more.
fn drop_oldest<T>(list: &mut VecDeque<T>, most: usize) {
    while list.len() >= most {
        list.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn url(name: impl fmt::Display) -> HttpsUrl {
        HttpsUrl::parse(&format!("https://a.example/{name}")).unwrap()
    }

    /// A fetcher whose server answers by the path, and the number of its requests.
    fn fetcher() -> (Fetcher, Arc<AtomicUsize>) {
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        let get: Get = Box::new(move |url| {
            counter.fetch_add(1, Ordering::SeqCst);
            let path = url.path().to_owned();
            Box::pin(async move {
                if path.starts_with("/slow") {
                    tokio::time::sleep(Duration::from_mins(1)).await;
                }
                match path.get(1..4) {
                    Some("404") => Ok((404, Bytes::new())),
                    Some("301") => Ok((301, Bytes::new())),
                    Some("dow") => Err("down".to_owned()),
                    _ => Ok((200, path.into())),
                }
            })
        });
        (Fetcher::new(get), requests)
    }

    const LIMIT: Duration = Duration::from_secs(3);

    #[tokio::test(start_paused = true)]
    async fn a_document_is_fetched_once_a_day() {
        let (fetcher, requests) = fetcher();
        for _ in 0..100 {
            assert_eq!(fetcher.document(&url("ok"), LIMIT).await, Ok("/ok".into()));
        }
        assert_eq!(requests.load(Ordering::SeqCst), 1);
        tokio::time::advance(DOCUMENT_AGE).await;
        assert!(fetcher.document(&url("ok"), LIMIT).await.is_ok());
        assert_eq!(requests.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_remembered_for_a_short_time() {
        let (fetcher, requests) = fetcher();
        for (number, (path, expected)) in [
            ("404", FetchError::Absent),
            ("301", FetchError::Unavailable("the server responded with 301".into())),
            ("down", FetchError::Unavailable("down".into())),
            ("slow", too_late()),
        ]
        .into_iter()
        .enumerate()
        {
            for _ in 0..10 {
                assert_eq!(fetcher.document(&url(path), LIMIT).await, Err(expected.clone()), "{path}");
            }
            assert_eq!(requests.load(Ordering::SeqCst), number + 1, "{path}");
        }
        tokio::time::advance(FAILURE_AGE).await;
        assert!(fetcher.document(&url("404"), LIMIT).await.is_err());
        assert_eq!(requests.load(Ordering::SeqCst), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_urls_makes_few_requests_and_displaces_no_document() {
        let (fetcher, requests) = fetcher();
        assert!(fetcher.document(&url("ok"), LIMIT).await.is_ok());
        for number in 0..1000 {
            assert!(fetcher.document(&url(format!("404-{number}")), LIMIT).await.is_err());
        }
        assert_eq!(requests.load(Ordering::SeqCst), MOST_REQUESTS);
        assert!(fetcher.document(&url("ok"), LIMIT).await.is_ok());
        tokio::time::advance(WINDOW).await;
        for number in 0..5 {
            assert!(fetcher.document(&url(format!("ok-{number}")), LIMIT).await.is_ok());
        }
        tokio::time::advance(WINDOW).await;
        for number in 5..15 {
            assert!(fetcher.document(&url(format!("ok-{number}")), LIMIT).await.is_ok());
        }
        let cache = fetcher.cache();
        assert_eq!((cache.documents.len(), cache.failures.len()), (MOST_DOCUMENTS, MOST_REQUESTS - 1));
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_one_request_at_a_time_and_a_limit_for_those_who_wait() {
        let (fetcher, requests) = fetcher();
        let started = Instant::now();
        let (slow, same, other) = (url("slow"), url("slow"), url("ok"));
        let (slow, same, other) = tokio::join!(
            fetcher.document(&slow, LIMIT),
            fetcher.document(&same, LIMIT + Duration::from_secs(1)),
            fetcher.document(&other, LIMIT + Duration::from_secs(1)),
        );
        assert_eq!((slow, same, other), (Err(too_late()), Err(too_late()), Ok("/ok".into())));
        assert_eq!((started.elapsed(), requests.load(Ordering::SeqCst)), (LIMIT, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_visit_succeeds_only_with_200() {
        let (fetcher, _) = fetcher();
        assert_eq!(fetcher.visit(&url("ok"), LIMIT).await, Ok(()));
        for path in ["404", "301", "down", "slow"] {
            assert!(fetcher.visit(&url(path), LIMIT).await.is_err(), "{path}");
        }
    }
}
