//! The engine of described senders: senders of JSON or forms that are signed, each by its own scheme.
//!
//! The scheme is data: an entry of the credentials names a [preset](presets) or writes the scheme out. Functions are
//! thin over this crate: each is a [`Branch`], which gives the engine its name.
#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod answers;
mod credentials;
mod entry;
mod event_type;
mod handshake;
pub mod presets;
pub mod pushed;
#[cfg(feature = "sender")]
pub mod sender;

use std::{borrow::Cow, marker::PhantomData, time::Duration};

use http::{HeaderName, Method};
use letterbox_codec::{
    Ambient, Event, Provider, Received, Reject, Reply, Request, Source, header, json::is_attribute,
    provider::Refused, signature, stage::first_accepted, verified::Payload,
};

pub use crate::{
    credentials::{Credentials, describe},
    entry::EntryError,
};
use crate::{entry::PayloadForm, event_type::EventTime, handshake::Handshake};

/// What distinguishes one function from others that use the same engine.
pub trait Branch: Send + Sync + 'static {
    /// [`Provider::NAME`]: the route, and the prefix of every event type.
    const NAME: &'static str;
    /// [`Provider::DEADLINE`]. An entry with a preset may have an earlier one.
    const DEADLINE: Duration;
}

/// The provider of a branch.
pub struct Described<B>(PhantomData<fn() -> B>);

impl<B: Branch> Provider for Described<B> {
    const NAME: &'static str = B::NAME;
    const DEADLINE: Duration = B::DEADLINE;
    type Credentials = Credentials;

    fn new(_: &[u8]) -> Result<Self, String> {
        Ok(Self(PhantomData))
    }

    fn deadline(key: &Credentials) -> Option<Duration> {
        key.deadline
    }

    fn handshake_methods(key: &Credentials) -> &[Method] {
        &key.handshake_methods
    }

    fn secret_headers(key: &Credentials) -> Vec<&str> {
        key.scheme.secret_headers().map(HeaderName::as_str).collect()
    }

    fn secret_parameters(key: &Credentials) -> Vec<&str> {
        key.handshakes.iter().filter_map(Handshake::token_parameter).collect()
    }

    fn receive(
        &self,
        source: &Source<'_, Credentials>,
        request: &Request,
        ambient: &Ambient,
    ) -> Result<Received, Refused> {
        if request.method() != Method::POST {
            let answer = |key| answers::answer_unsigned(key, request);
            let (position, reply) = first_accepted(source.keys, answer)?;
            return Ok(Received::handshake(reply, position));
        }
        let (position, (key, signed)) = first_accepted(source.keys, |key: &Credentials| {
            Ok((key, key.scheme.verify(&key.key, request, ambient.now)?))
        })?;
        let accepted = accept(source, key, request, signed, ambient);
        Ok(match accepted.map_err(|reject| Refused::payload(reject, position))? {
            Accepted::Event(event) => Received::event(*event, key.answer.clone(), position),
            Accepted::Handshake(reply) => Received::handshake(reply, position),
        })
    }
}

/// What a verified delivery is.
enum Accepted {
    Event(Box<Event>),
    Handshake(Reply),
}

fn accept(
    source: &Source<'_, Credentials>,
    key: &Credentials,
    request: &Request,
    signed: signature::VerifiedRequest<'_>,
    ambient: &Ambient,
) -> Result<Accepted, Reject> {
    let content = signed.content;
    let converted = match key.payload {
        PayloadForm::Json => None,
        PayloadForm::Form => Some(content.form()?),
    };
    let payload = converted.as_ref().unwrap_or(&content).any_json()?;

    let event_type = EventTypeOf::read(key, request, &payload);
    let read = event_type.as_ref().ok().map(|event_type| &*event_type.text);
    if let Some(reply) = answers::answer_verified(key, request, &payload, read)? {
        return Ok(Accepted::Handshake(reply));
    }
    let event_type = event_type?;
    if key.accept.as_ref().is_some_and(|accepted| !accepted.iter().any(|one| *one == event_type.text)) {
        return Err(Reject::UnhandledEventType);
    }

    let path = |path: &Option<String>| path.as_deref().map_or(Ok(None), |path| payload.label(path));
    let family = key.scheme.family(request);
    let label = |name: &HeaderName| header::label(request.headers(), family.name(name).as_str());
    let mut event = Event::new(source, &event_type.text, &content, &payload, ambient);
    event.subject = payload.label(&key.subject)?.map(Cow::into_owned);
    let time = match &key.time {
        Some(EventTime::Payload(place)) => Some(place.read(&payload, request.headers(), family, Some(""))?),
        Some(EventTime::Signed) => signed.timestamp,
        None => None,
    };
    if let Some(time) = time {
        event.at(&time);
    }
    let unsigned_id = key.unsigned_id.as_ref().and_then(label).map(Cow::Borrowed);
    if let Some(id) = unsigned_id.or(signed.id.filter(|id| is_attribute(id))).or(path(&key.id)?) {
        event.id = id.into_owned();
    } else if event_type.is_outside {
        event.id = content.digest_as(&event_type.text);
    }
    event.delivery = key.delivery.as_ref().and_then(label).map(str::to_owned);
    let attributes = key.attributes.iter().filter_map(|(name, header)| Some((name, label(header)?)));
    event.extensions.0.extend(attributes.map(|(name, value)| (name.clone().into(), value.to_owned())));
    if converted.is_some() {
        event.raw = Some(content.text()?.to_owned());
    }
    Ok(Accepted::Event(Box::new(event)))
}

/// The type of an event.
struct EventTypeOf<'p> {
    text: Cow<'p, str>,
    /// True if it, or a part of it, comes from outside of the verified content: from a header.
    is_outside: bool,
}

impl<'p> EventTypeOf<'p> {
    fn read(key: &Credentials, request: &'p Request, payload: &Payload<'p>) -> Result<Self, Reject> {
        let (headers, family) = (request.headers(), key.scheme.family(request));
        let replaced = key.type_override.as_ref().and_then(|(name, values)| {
            header::label(headers, family.name(name).as_str())
                .filter(|value| values.iter().any(|one| one == value))
        });
        if let Some(replaced) = replaced {
            return Ok(Self { text: Cow::Borrowed(replaced), is_outside: true });
        }
        let text = key.event_type.read(payload, headers, family, key.type_default.as_deref())?;
        Ok(Self { text, is_outside: key.event_type.headers().next().is_some() })
    }
}
