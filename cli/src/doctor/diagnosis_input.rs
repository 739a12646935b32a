//! The input of a diagnosis: a delivery, the credentials and the clock, and the attempt to accept it.

use http::{HeaderName, HeaderValue, Uri};
use letterbox_codec::{Ambient, Received, Request, Stage, Timestamp, json, provider::Refused};
use letterbox_intake::settings::StartError;
use letterbox_registry::Platform;
use serde_json::{Map, Value};

use crate::credentials::Credentials;

/// One entry of the credentials, read as JSON so that a broken one can be looked at, too.
pub type Entry = Map<String, Value>;

/// A delivery, the credentials and the clock: all that a diagnosis is a function of.
#[derive(Clone)]
#[must_use]
pub struct DiagnosisInput {
    /// The provider.
    pub provider: &'static dyn Platform,
    /// The source.
    pub source: String,
    /// The request.
    pub request: Request,
    /// The time of receipt.
    pub now: Timestamp,
    /// The credentials of all providers.
    pub credentials: Credentials,
}

/// Why a delivery was not accepted.
#[derive(Debug)]
pub enum Refusal {
    /// The credentials have nothing for the provider.
    NoCredentials,
    /// The function does not start with these credentials.
    Start(StartError),
    /// The delivery is refused.
    Refused(Refused),
}

/// How far a delivery gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// The function does not start.
    NotStarted,
    /// The delivery is refused at this stage.
    RefusedAt(Stage),
    /// The delivery is accepted.
    Accepted,
}

impl Progress {
    /// True if the delivery is accepted, or refused at a later stage.
    pub fn has_passed(self, stage: Stage) -> bool {
        self > Self::RefusedAt(stage)
    }
}

impl Refusal {
    /// How far the delivery gets.
    pub fn progress(&self) -> Progress {
        match self {
            Self::NoCredentials | Self::Start(_) => Progress::NotStarted,
            Self::Refused(refused) => Progress::RefusedAt(refused.stage),
        }
    }
}

impl DiagnosisInput {
    /// Opens it exactly as the function does.
    pub fn attempt(&self) -> Result<Received, Refusal> {
        let keys = self.credentials.keys(self.provider);
        let keys = keys.ok_or(Refusal::NoCredentials)?.map_err(Refusal::Start)?;
        let ambient = Ambient { now: self.now, entropy: [0; Ambient::ENTROPY] };
        let received = keys.receive(&self.source, &self.request, &ambient);
        received.map_err(Refusal::Refused)
    }

    /// How far it gets.
    pub fn progress(&self) -> Progress {
        self.attempt().map_or_else(|refusal| refusal.progress(), |_| Progress::Accepted)
    }

    /// The body as a JSON object.
    pub fn body_object(&self) -> Option<json::Object<'_>> {
        json::Object::parse(std::str::from_utf8(self.request.body()).ok()?).ok()
    }

    /// All sources of a provider, as far as they read.
    pub fn sources(&self, provider: &str) -> Map<String, Value> {
        let text = self.credentials.json(provider).unwrap_or("{}");
        let sources: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        let has_object = |value: &Value| match value {
            Value::Array(list) => list.iter().any(Value::is_object),
            one => one.is_object(),
        };
        // An entry without a source is that of `default`.
        let is_scalar = |value: &Value| !value.is_object() && !value.is_array();
        if !sources.values().any(is_scalar) || sources.values().any(has_object) {
            return sources;
        }
        [("default".to_owned(), Value::Object(sources))].into_iter().collect()
    }

    /// The entries of this source; none where there is nothing that reads as such.
    pub fn entries(&self) -> Vec<Entry> {
        entries(self.sources(self.provider.name()).remove(&self.source))
    }

    /// The entries of this source that have a member, with its text.
    pub fn texts(&self, member: &str) -> Vec<(Entry, String)> {
        let with = |entry: Entry| {
            let text = entry.get(member)?.as_str()?.to_owned();
            Some((entry, text))
        };
        self.entries().into_iter().filter_map(with).collect()
    }

    /// The entries of the provider's other sources, by source.
    pub fn others(&self) -> Vec<(String, Entry)> {
        let sources = self.sources(self.provider.name()).into_iter().filter(|(name, _)| *name != self.source);
        sources
            .flat_map(|(name, value)| {
                entries(Some(value)).into_iter().map(move |entry| (name.clone(), entry))
            })
            .collect()
    }

    /// The headers that the provider says its entries verify with.
    pub fn signature_headers(&self) -> Vec<String> {
        let Some(Ok(keys)) = self.credentials.keys(self.provider) else { return Vec::new() };
        let entries = keys.entries(&self.source).unwrap_or_default();
        entries.iter().flat_map(|entry| entry.headers()).map(str::to_owned).collect()
    }

    /// Whether the source's keys are those of sealed messages.
    pub fn is_sealed(&self) -> bool {
        self.entries().iter().any(|entry| entry.contains_key("aes_key"))
    }

    /// Whether the source's deliveries name the certificate that verifies them, and the topic that they are from.
    pub fn names_certificate(&self) -> bool {
        self.entries().iter().any(|entry| entry.contains_key("topic_arn"))
    }

    /// The same with another body.
    pub fn with_body(&self, body: impl Into<Vec<u8>>) -> Self {
        let mut other = self.clone();
        *other.request.body_mut() = body.into().into();
        other
    }

    /// The same with other credentials of its provider.
    pub fn with_sources(&self, sources: Map<String, Value>) -> Self {
        let mut other = self.clone();
        other.credentials.insert(self.provider.name().to_owned(), Value::Object(sources).to_string());
        other
    }

    /// The same with nothing but one entry for its source.
    pub fn with_entry(&self, entry: Entry) -> Self {
        self.with_sources([(self.source.clone(), Value::Object(entry))].into_iter().collect())
    }

    /// The same with one member of an entry changed.
    pub fn with_member(&self, entry: &Entry, member: &str, value: impl Into<Value>) -> Self {
        let mut entry = entry.clone();
        entry.insert(member.to_owned(), value.into());
        self.with_entry(entry)
    }

    /// The same for another source.
    pub fn with_source(&self, source: &str) -> Self {
        Self { source: source.to_owned(), ..self.clone() }
    }

    /// The same with another query; `None` if it cannot stand in a URL.
    pub fn with_query(&self, query: &str) -> Option<Self> {
        let mut parts = self.request.uri().clone().into_parts();
        parts.path_and_query = Some(format!("{}?{query}", self.request.uri().path()).parse().ok()?);
        let mut other = self.clone();
        *other.request.uri_mut() = Uri::from_parts(parts).ok()?;
        Some(other)
    }

    /// The same with one header changed; `None` if name or value are invalid in HTTP.
    pub fn with_header(&self, name: &str, value: &str) -> Option<Self> {
        let mut other = self.clone();
        let (name, value) = (name.parse::<HeaderName>().ok()?, value.parse::<HeaderValue>().ok()?);
        other.request.headers_mut().insert(name, value);
        Some(other)
    }

    /// The one text of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.request.headers().get(name)?.to_str().ok()
    }
}

/// One entry or a list of them.
fn entries(value: Option<Value>) -> Vec<Entry> {
    match value {
        Some(Value::Object(entry)) => vec![entry],
        Some(Value::Array(list)) => list
            .into_iter()
            .filter_map(|entry| if let Value::Object(entry) = entry { Some(entry) } else { None })
            .collect(),
        _ => Vec::new(),
    }
}
