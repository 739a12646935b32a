//! The sample events: one for every outcome of a provider.
//!
//! A row says how a valid delivery is changed. `events/<provider>/<name>.<status>.json` is the API Gateway event,
//! `tests/expected/<provider>/<name>.json` its outcome.

use std::path::PathBuf;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderValue, Method, Uri};
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use letterbox::formats::gateway::event;
use letterbox_codec::{Request, platform::Sample};
use letterbox_intake::{Answer, Record, gateway};
use letterbox_registry::Platform;
use serde_json::{Value, json};

use crate::{Setup, block_on, fixed, providers::PROVIDERS, root};

/// The base URL of a deployed API.
const BASE: &str = "https://letterbox.execute-api.us-east-1.amazonaws.com";

/// One sample event.
pub struct Case {
    /// The provider.
    pub provider: &'static str,
    /// The name of its files.
    pub name: &'static str,
    /// The status of the response.
    pub status: u16,
    source: &'static str,
    content: Content,
    change: Change,
    /// A part of the demo credentials that the sender has otherwise, and what it has instead.
    sender_has: Option<(&'static str, &'static str)>,
}

/// The content that is signed or encrypted.
pub(crate) enum Content {
    /// A sample that comes with Letterbox.
    Sample(&'static str),
    /// Another payload, under the name of a sample.
    Payload(&'static str, &'static [u8]),
    /// A generated payload of this size in bytes.
    Large(&'static str, usize),
}

/// How the valid delivery is changed.
pub(crate) type Change = fn(&mut Request);

pub(crate) use Content::{Large, Payload, Sample as Of};

/// Every sample event.
pub fn all() -> Vec<Case> {
    PROVIDERS.iter().flat_map(|provider| (provider.cases)()).collect()
}

pub(crate) fn case_of(
    provider: &'static str,
) -> impl Fn(&'static str, u16, &'static str, Content, Change) -> Case {
    move |name, status, source, content, change| Case {
        provider,
        name,
        status,
        source,
        content,
        change,
        sender_has: None,
    }
}

pub(crate) fn same(_: &mut Request) {}

pub(crate) fn get(request: &mut Request) {
    *request.method_mut() = Method::GET;
}

pub(crate) fn body(request: &mut Request, bytes: &[u8]) {
    *request.body_mut() = bytes.to_vec().into();
}

pub(crate) fn header(request: &mut Request, name: &'static str, value: Option<&'static str>) {
    match value {
        Some(value) => request.headers_mut().insert(name, HeaderValue::from_static(value)),
        None => request.headers_mut().remove(name),
    };
}

pub(crate) fn text(request: &Request, name: &str) -> String {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn uri(request: &mut Request, path: &str, query: &str) {
    let text = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    *request.uri_mut() = Uri::try_from(format!("{BASE}{text}")).unwrap_or_default();
}

pub(crate) fn path(request: &mut Request, path: &str) {
    let query = request.uri().query().unwrap_or_default().to_owned();
    uri(request, path, &query);
}

/// A path with the query string that it has, or with none.
pub(crate) fn path_alone(request: &mut Request, path: &str) {
    uri(request, path, "");
}

fn with_query(request: &mut Request, change: impl FnOnce(&str) -> String) {
    let path = request.uri().path().to_owned();
    let query = change(request.uri().query().unwrap_or_default());
    uri(request, &path, &query);
}

pub(crate) fn append_query(request: &mut Request, more: &str) {
    with_query(request, |query| format!("{query}&{more}"));
}

pub(crate) fn append_query_front(request: &mut Request, first: &str) {
    with_query(request, |query| format!("{first}&{}", query.replace("msg_signature=", "own=")));
}

pub(crate) fn rename_query(request: &mut Request, from: &str, to: &str) {
    with_query(request, |query| query.replace(from, to));
}

pub(crate) fn header_segment(request: &mut Request, json: &str) {
    let token = String::from_utf8_lossy(request.body()).into_owned();
    let rest = token.split_once('.').map_or("", |(_, rest)| rest);
    body(request, format!("{}.{rest}", URL_SAFE_NO_PAD.encode(json)).as_bytes());
}

impl Case {
    /// The same from a sender whose credentials are those of the demo with `theirs` in place of `ours`.
    pub(crate) fn sent_with(mut self, ours: &'static str, theirs: &'static str) -> Self {
        self.sender_has = Some((ours, theirs));
        self
    }

    /// The provider without its type.
    pub fn platform(&self) -> Result<&'static dyn Platform, String> {
        letterbox_registry::find(self.provider)
    }

    /// The file of the event.
    pub fn event_file(&self) -> PathBuf {
        root().join(format!("events/{}/{}.{}.json", self.provider, self.name, self.status))
    }

    /// The file with its outcome.
    pub fn expected_file(&self) -> PathBuf {
        root().join(format!("tests/expected/{}/{}.json", self.provider, self.name))
    }

    /// The API Gateway event.
    pub fn event(&self) -> Result<Value, String> {
        let request = self.request()?;
        Ok(event(&request, self.provider, fixed().now))
    }

    fn request(&self) -> Result<Request, String> {
        let platform = self.platform()?;
        let sample = match self.content {
            Of(name) => platform.sample(name).ok_or_else(|| format!("no sample {name}"))?,
            Payload(name, payload) => Sample { name: name.into(), payload: payload.to_vec() },
            Large(name, size) => {
                let payload = format!(r#"{{"event_type":"large","filler":"{}"}}"#, "x".repeat(size));
                Sample { name: name.into(), payload: payload.into_bytes() }
            }
        };
        let source =
            if self.source == gateway::DEFAULT_SOURCE { String::new() } else { format!("/{}", self.source) };
        let url = format!("{BASE}/{}{source}", self.provider);
        let mut ambient = fixed();
        // Shortly before the delivery, so that a provider that checks the timestamp accepts it; except for two cases.
        ambient.now.0 += match self.name {
            "stale" => -3_600_000,
            "ahead" => 3_600_000,
            _ => -1_000,
        };
        let mut credentials = platform.facts().demo.to_owned();
        if let Some((ours, theirs)) = self.sender_has {
            credentials = credentials.replace(ours, theirs);
        }
        let keys = platform.keys(&credentials).map_err(|error| error.to_string())?;
        let mut request = keys.first(self.source)?.build_request(&sample, &url, &ambient)?;
        (self.change)(&mut request);
        Ok(request)
    }

    /// The real handler over a queue in memory, and what it answers to an event.
    fn handle(&self, event: &Value) -> Result<(Setup, Request, Answer), String> {
        let platform = self.platform()?;
        let setup = Setup::new(platform, platform.facts().demo)?;
        setup.queue().set_down(self.name.starts_with("queue_down"));
        let event: ApiGatewayV2httpRequest =
            serde_json::from_value(event.clone()).map_err(|error| error.to_string())?;
        let (source, request) =
            gateway::request(platform.name(), event).map_err(|reject| format!("{reject:?}"))?;
        let answer = block_on(setup.handler.handle(&source, &request));
        Ok((setup, request, answer))
    }

    /// The record of an event after the real handler.
    pub fn record(&self, event: &Value) -> Result<Record, String> {
        self.handle(event).map(|(_, _, answer)| answer.record)
    }

    /// Replays an event through the real handler, and returns everything that came of it.
    pub fn replay(&self, event: &Value) -> Result<Value, String> {
        let platform = self.platform()?;
        let (setup, request, Answer { response, record, .. }) = self.handle(event)?;
        let (parts, body) = response.into_parts();
        let opened = {
            let reply = http::Response::from_parts(parts.clone(), bytes::Bytes::from(body.clone()));
            let keys = platform.keys(platform.facts().demo).map_err(|error| error.to_string())?;
            let read = keys.first(self.source).and_then(|entry| entry.read_response(&request, &reply));
            read.ok().filter(|opened| *opened != body)
        };
        let headers: serde_json::Map<_, _> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
            .collect();
        let queued: Vec<_> = setup
            .queue()
            .take()
            .into_iter()
            .map(|message| {
                let attributes: serde_json::Map<_, _> = message
                    .attributes
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value.into()))
                    .collect();
                json!({
                    "body": message.body, "attributes": attributes,
                    "group": message.group, "deduplication": message.deduplication,
                })
            })
            .collect();
        Ok(json!({
            "status": parts.status.as_u16(),
            "headers": headers,
            "body": body,
            "opened": opened,
            "outcome": record.outcome.as_str(),
            "reason": record.reason,
            "queued": queued,
        }))
    }
}

/// The text of a generated file.
pub fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
