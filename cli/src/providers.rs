//! The table of providers: one row each.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use letterbox_codec::{
    Ambient, Provider, Reject, Request, Sources, Timestamp,
    platform::{self, DeliveryPolicy, Opened, Platform, Sample, Step},
    provider::Document,
    reject::first_that_opens,
};
use letterbox_intake::{Answer, Intake, Keyring, Message, Queue, Refreshed, handler, queue::LARGEST_MESSAGE};

/// Every provider that Letterbox has.
pub const PROVIDERS: [Row; 4] = [
    row::<dingtalk::DingTalk>("user_add_org", include_str!("../../events/dingtalk/credentials.json")),
    row::<opencard::OpenCard>("scenic_spot", include_str!("../../events/opencard/credentials.json")),
    row::<github::GitHub>("push", include_str!("../../events/github/credentials.json")),
    row::<payment::Payment>("payment_success", include_str!("../../events/payment/credentials.json")),
];

/// What went well, or what to tell the user.
pub type Told<T> = Result<T, String>;

/// A provider without its type.
pub struct Row {
    /// [`Provider::NAME`].
    pub name: &'static str,
    /// The sample to try first.
    pub try_sample: &'static str,
    /// The demo credentials.
    pub demo: &'static str,
    /// [`Provider::DEADLINE`].
    pub deadline: Duration,
    /// [`Platform::STEPS`].
    pub steps: &'static [Step],
    /// Whether it answers from a document, and what that is called.
    pub document: Option<&'static str>,
    /// Makes a handler of credentials JSON and a queue.
    pub start: fn(Parts<'_>) -> Told<Box<dyn Handle>>,
    /// The samples that come with Letterbox.
    pub samples: fn() -> Vec<Sample>,
    /// Finds a sample by name.
    pub sample: fn(&str) -> Option<Sample>,
    /// Opens a delivery as the function does, without a queue.
    pub receive: fn(&Key<'_>, &Request, &Ambient) -> Result<Received, Refusal>,
    /// Seals or signs a sample.
    pub letter: fn(&Key<'_>, &Sample, url: &str, &Ambient) -> Told<Request>,
    /// Opens the answer.
    pub read_reply: fn(&Key<'_>, &Request, &http::Response<Bytes>) -> Told<String>,
    /// [`Platform::delivery_policy`].
    pub manners: fn(&Key<'_>) -> Told<DeliveryPolicy>,
    /// [`Platform::id_members`].
    pub id_members: fn(&Key<'_>) -> Told<Vec<String>>,
    /// Opens one message with whichever key of the source fits.
    pub open: fn(&Key<'_>, &Request, Timestamp) -> Told<Result<Opened, Reject>>,
    /// Seals one message; `None` of a platform that only signs.
    pub seal: fn(&Key<'_>, &[u8], &Ambient) -> Told<Option<String>>,
}

/// What a handler is made of.
pub struct Parts<'a> {
    /// Credentials JSON.
    pub credentials: &'a str,
    /// The document and the name of its file, else the built-in sample.
    pub document: Option<(&'a str, &'a [u8])>,
    /// Where events go.
    pub queue: Arc<dyn Queue>,
    /// The clock and entropy, else the system's.
    pub ambient: Option<handler::AmbientSource>,
}

/// A delivery that opened.
#[derive(Debug)]
pub struct Received {
    /// The event's type; none where there is no event.
    pub kind: Option<String>,
    /// The provider's word about its answer.
    pub remark: Option<&'static str>,
}

/// Why a delivery did not open.
#[derive(Debug)]
pub enum Refusal {
    /// The function does not start with these credentials: the source and the member, never a value.
    Start(String),
    /// Refused.
    Reject(Reject),
}

/// Which keys: a platform seals with the first of a source.
pub struct Key<'a> {
    /// Credentials JSON.
    pub credentials: &'a str,
    /// The source in it.
    pub source: &'a str,
}

/// The same handler that runs in Lambda, without its type.
pub trait Handle: Send + Sync {
    /// Answers one request to one source.
    fn handle<'a>(
        &'a self,
        source: &'a str,
        request: &'a Request,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

    /// Answers what could not even be read as a request.
    fn refuse(&self, source: &str, reject: &Reject) -> Answer;

    /// The sources it has keys for.
    fn sources(&self) -> Vec<String>;
}

impl<P: Provider> Handle for Intake<P> {
    fn handle<'a>(
        &'a self,
        source: &'a str,
        request: &'a Request,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(self.handle(source, request))
    }

    fn refuse(&self, source: &str, reject: &Reject) -> Answer {
        self.refuse(source, reject)
    }

    fn sources(&self) -> Vec<String> {
        self.keyring().current().names().into_iter().map(str::to_owned).collect()
    }
}

/// The row of that name.
pub fn find(name: &str) -> Result<&'static Row, String> {
    let known = || PROVIDERS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
    PROVIDERS
        .iter()
        .find(|row| row.name == name)
        .ok_or_else(|| format!("no provider {name:?}; there are {}", known()))
}

const fn row<P: Platform>(try_sample: &'static str, demo: &'static str) -> Row {
    Row {
        name: P::NAME,
        try_sample,
        demo,
        deadline: P::DEADLINE,
        steps: P::STEPS,
        document: match P::DOCUMENT {
            Some(Document { variable, .. }) => Some(variable),
            None => None,
        },
        start: start::<P>,
        samples: P::samples,
        sample: platform::sample::<P>,
        receive: receive::<P>,
        letter: |key, sample, url, ambient| with_key::<P, _>(key, |key| P::letter(key, sample, url, ambient)),
        read_reply: |key, letter, reply| with_key::<P, _>(key, |key| P::read_reply(key, letter, reply)),
        manners: |key| with_key::<P, _>(key, |key| Ok(P::delivery_policy(key))),
        id_members: |key| {
            with_key::<P, _>(key, |key| Ok(P::id_members(key).into_iter().map(str::to_owned).collect()))
        },
        open: |key, message, now| {
            with_keys::<P, _>(key, |keys| {
                let opened = first_that_opens(keys, |key| P::open(key, message, now));
                Ok(opened.map(|(_, opened)| opened))
            })
        },
        seal: |key, payload, ambient| with_key::<P, _>(key, |key| P::seal(key, payload, ambient).transpose()),
    }
}

fn start<P: Provider>(parts: Parts<'_>) -> Result<Box<dyn Handle>, String> {
    let sources = Sources::parse(parts.credentials).map_err(|error| format!("{}: {error}", P::NAME))?;
    let sample = P::DOCUMENT.map_or(&[][..], |document| document.sample);
    let (place, document) = parts.document.unwrap_or((P::NAME, sample));
    let provider = P::new(document).map_err(|error| format!("{place}: {error}"))?;
    let intake = Intake::new(Refreshed::fixed(provider), Keyring::fixed(sources), parts.queue, P::DEADLINE);
    Ok(Box::new(match parts.ambient {
        Some(ambient) => intake.with_ambient(ambient),
        None => intake,
    }))
}

fn receive<P: Provider>(key: &Key<'_>, request: &Request, ambient: &Ambient) -> Result<Received, Refusal> {
    let sources = Sources::parse(key.credentials).map_err(|error| Refusal::Start(error.to_string()))?;
    let provider = P::new(P::DOCUMENT.map_or(&[][..], |document| document.sample)).map_err(Refusal::Start)?;
    let received = handler::open(&provider, &sources, key.source, request, ambient)
        .map_err(|refused| Refusal::Reject(refused.reject))?;
    let message = received.queued_event().map(|event| Message::of(event, LARGEST_MESSAGE)).transpose();
    message.map_err(Refusal::Reject)?;
    let kind = received.queued_event().map(|event| event.kind.clone());
    Ok(Received { kind, remark: received.remark })
}

fn with_key<P: Platform, T>(
    key: &Key<'_>,
    act: impl FnOnce(&P::Credentials) -> Result<T, String>,
) -> Result<T, String> {
    with_keys::<P, T>(key, |keys| keys.first().map_or_else(|| Err("no key".to_owned()), act))
}

fn with_keys<P: Platform, T>(
    key: &Key<'_>,
    act: impl FnOnce(&[P::Credentials]) -> Result<T, String>,
) -> Result<T, String> {
    let sources =
        Sources::<P::Credentials>::parse(key.credentials).map_err(|error| format!("{}: {error}", P::NAME))?;
    match sources.get(key.source) {
        Some(keys) => act(keys),
        None => Err(format!(
            "{}: no source {:?} in the credentials; there are {}",
            P::NAME,
            key.source,
            sources.names().join(", ")
        )),
    }
}
