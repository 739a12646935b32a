//! Receives deliveries on this machine: does API Gateway's part, calls the handler that also runs in Lambda, and stores the
//! history.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use axum::{Extension, body::Body, extract::State, response::Response};
use bytes::{Bytes, BytesMut};
use http::{StatusCode, Uri, header};
use http_body_util::BodyExt;
use letterbox_codec::{Reject, Request, Timestamp};
use letterbox_intake::{Queue, Record, ambient, gateway::DEFAULT_SOURCE};
use letterbox_registry::{Handler, HandlerParts, Platform};
use percent_encoding::percent_decode_str;
use tokio::time::{self, Instant};

use super::{
    bodies::Bodies,
    connections::{Connection, STALLED},
    console::Console,
    history::{
        StoredDelivery,
        recorder::{Exchange, Recorder},
    },
    response::error,
};
use crate::{credentials::Credentials, data, delivery_line::DeliveryLine};

/// The body limit of API Gateway, in bytes.
const LARGEST_BODY: usize = data::LARGEST_BODY;

/// The time limits of a body that arrives: for all of it, and for a pause in it. No platform waits as long.
#[derive(Clone, Copy)]
struct BodyLimits {
    whole: Duration,
    pause: Duration,
}

const BODY_LIMITS: BodyLimits = BodyLimits { whole: Duration::from_mins(1), pause: STALLED };

/// The handlers of the served providers, and the recorder of their deliveries.
pub struct Reception {
    handlers: BTreeMap<&'static str, Box<dyn Handler>>,
    recorder: Recorder,
    console: Console,
    bodies: Bodies,
}

impl Reception {
    /// Starts a handler for each provider in the credentials.
    pub fn new(
        credentials: &Credentials,
        cards: Option<&Path>,
        queue: &Arc<dyn Queue>,
        recorder: Recorder,
        console: Console,
    ) -> Result<Self, String> {
        let mut handlers: BTreeMap<&'static str, Box<dyn Handler>> = BTreeMap::new();
        for name in credentials.providers() {
            let provider = letterbox_registry::find(name)?;
            let document = match (provider.facts().document, cards) {
                (Some(_), Some(file)) => {
                    let place = file.display().to_string();
                    let content = data::read(file, data::CATALOGUE)?;
                    Some((place, content))
                }
                _ => None,
            };
            let parts = HandlerParts {
                credentials: credentials.json(name).unwrap_or_default(),
                document: document.as_ref().map(|(place, content)| (place.as_str(), content.as_slice())),
                queue: Arc::clone(queue),
                ambient: None,
                fetches: true,
            };
            let handler = provider.handler(parts).map_err(|error| error.to_string())?;
            handlers.insert(provider.name(), handler);
        }
        Ok(Self { handlers, recorder, console, bodies: Bodies::default() })
    }

    /// The sources of a provider; `None` if it is not served.
    pub fn sources(&self, provider: &str) -> Option<Vec<String>> {
        self.handlers.get(provider).map(|handler| handler.sources())
    }

    /// The recorder of the delivery history.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Passes a request to the function unchanged, and returns its number once it is stored.
    pub async fn receive(
        &self,
        provider: &'static dyn Platform,
        source: &str,
        request: Request,
        redelivery_of: Option<i64>,
    ) -> Result<i64, String> {
        let name = provider.name();
        let handler = self.handlers.get(name).ok_or_else(|| format!("{name} is not served"))?;
        let received = now();
        let answer = handler.handle(source, &request).await;
        self.console.print(line(&answer.record));
        let exchange = Exchange {
            provider,
            source: source.to_owned(),
            request,
            body_is_lost: false,
            received,
            answer,
            redelivery_of,
        };
        self.recorder.store(exchange).await
    }

    /// Redelivers the stored bytes, and returns the number of the new delivery.
    pub async fn redeliver(&self, delivery: StoredDelivery) -> Result<i64, String> {
        let provider = letterbox_registry::find(&delivery.summary.provider)?;
        if delivery.trace.body_is_lost {
            return Err(
                "cannot redeliver: the body was too large or arrived incomplete, so it was not stored"
                    .to_owned(),
            );
        }
        self.receive(provider, &delivery.summary.source, delivery.request, Some(delivery.summary.id)).await
    }

    async fn answer(
        &self,
        (provider, source): (&str, &str),
        request: axum::extract::Request,
        connection: &Arc<Connection>,
    ) -> Response {
        let served = self.handlers.get(provider).zip(letterbox_registry::find(provider).ok());
        let Some((handler, provider)) = served else {
            return error(StatusCode::NOT_FOUND, "unknown provider");
        };
        let received = now();
        let (parts, content) = request.into_parts();
        let content = read(content, &self.bodies, BODY_LIMITS).await;
        // From here on, the connection must not be closed to make room for another: the event may already be on the queue.
        let _answering = connection.answering();
        let mut request = Request::new(content.as_ref().map_or_else(|_| Bytes::new(), Bytes::clone));
        *request.method_mut() = parts.method;
        *request.uri_mut() = absolute(&parts.uri, parts.headers.get(header::HOST));
        *request.headers_mut() = parts.headers;
        let answer = match &content {
            Ok(_) => handler.handle(source, &request).await,
            Err(reject) => handler.refuse(source, reject),
        };
        self.console.print(line(&answer.record));
        let response = answer.response.clone().map(Body::from);
        let source = source.to_owned();
        let body_is_lost = content.is_err();
        let exchange =
            Exchange { provider, source, request, body_is_lost, received, answer, redelivery_of: None };
        self.recorder.offer(exchange);
        response
    }
}

/// `ANY /<provider>` and `ANY /<provider>/<source>`.
pub async fn deliver(
    State(reception): State<Arc<Reception>>,
    Extension(connection): Extension<Arc<Connection>>,
    request: axum::extract::Request,
) -> Response {
    // A path that is not UTF-8 becomes the name of an unknown source.
    let decoded = |segment| percent_decode_str(segment).decode_utf8_lossy().into_owned();
    let path = request.uri().path().trim_matches('/');
    let (provider, source) = path.split_once('/').unwrap_or((path, DEFAULT_SOURCE));
    let (provider, source) = (decoded(provider), decoded(source));
    reception.answer((&provider, &source), request, &connection).await
}

/// Reads a whole body. Refuses one of more than [`LARGEST_BODY`] bytes, one that exceeds a time limit, and one whose memory
/// other bodies need.
async fn read(mut body: Body, bodies: &Bodies, limits: BodyLimits) -> Result<Bytes, Reject> {
    let incomplete = |expected| Reject::malformed("body", expected);
    let mut whole = BytesMut::new();
    let arriving = bodies.begin();
    let end = Instant::now() + limits.whole;
    loop {
        let frame = tokio::select! {
            frame = time::timeout(limits.pause, body.frame()) => frame,
            () = time::sleep_until(end) => return Err(incomplete("to arrive within 60 s")),
            () = arriving.dropped.cancelled() => return Err(incomplete("to arrive sooner: the memory for bodies is full")),
        };
        match frame.map_err(|_| incomplete("to arrive without a pause of 30 s"))? {
            None => return Ok(whole.freeze()),
            Some(Err(_)) => return Err(incomplete("to arrive completely")),
            Some(Ok(frame)) => {
                let data = frame.into_data().unwrap_or_default();
                arriving.add(data.len());
                whole.extend_from_slice(&data);
            }
        }
        if whole.len() > LARGEST_BODY {
            return Err(Reject::TooLarge { limit: LARGEST_BODY });
        }
    }
}

/// The current time; 1970 if the clock is not set.
pub fn now() -> Timestamp {
    ambient::now()
}

/// The URL that the sender called.
fn absolute(uri: &Uri, host: Option<&http::HeaderValue>) -> Uri {
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let whole = Uri::builder().scheme("http").authority(host).path_and_query(path).build();
    // A URI can be built that is longer than the parser accepts.
    let whole = whole.ok().filter(|whole| whole.to_string().parse::<Uri>().is_ok());
    whole.unwrap_or_else(|| uri.clone())
}

/// The line that the terminal shows for a delivery.
fn line(record: &Record) -> String {
    let line = DeliveryLine {
        time: Some(now()),
        outcome: record.outcome.as_str(),
        status: Some(record.status),
        provider: record.provider,
        source: &record.source,
        milliseconds: Some(record.milliseconds),
        kind: record.kind.as_deref(),
        reason: record.reason,
        detail: record.detail.as_deref(),
        id: record.id.as_deref(),
        ..DeliveryLine::default()
    };
    format!("{line}\n")
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};

    use super::*;

    /// A body that never ends, with a pause before each part.
    fn endless(part: &'static [u8], pause: Duration) -> Body {
        let parts = stream::repeat(()).then(move |()| time::sleep(pause));
        Body::from_stream(parts.map(move |()| Ok::<_, std::io::Error>(part)))
    }

    #[tokio::test]
    async fn a_body_without_an_end_is_refused() {
        let incomplete = |expected| Reject::malformed("body", expected);
        let short = Duration::from_millis(100);
        let long = Duration::from_hours(1);
        for (part, pause, limits, expected) in [
            (
                &b"a"[..],
                Duration::from_millis(1),
                BodyLimits { whole: short, pause: long },
                incomplete("to arrive within 60 s"),
            ),
            (
                b"a",
                long,
                BodyLimits { whole: long, pause: short },
                incomplete("to arrive without a pause of 30 s"),
            ),
            (
                &[b'a'; 16384],
                Duration::ZERO,
                BodyLimits { whole: long, pause: long },
                Reject::TooLarge { limit: LARGEST_BODY },
            ),
        ] {
            let refused = read(endless(part, pause), &Bodies::default(), limits).await.unwrap_err();
            assert_eq!(refused, expected);
        }
        let whole = read(Body::from("whole"), &Bodies::default(), BODY_LIMITS).await;
        assert_eq!(whole.unwrap(), "whole");
    }
}
