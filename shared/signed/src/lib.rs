//! The engine of described senders: senders of JSON that is signed, each by its own scheme.
//!
//! The scheme is data: an entry of the credentials names a [preset](presets) or writes the scheme out. Functions are
//! thin over this crate: each is a [`Branch`], which gives the engine its name.
#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod credentials;
mod entry;
pub mod presets;
#[cfg(feature = "sender")]
pub mod sender;

use std::{borrow::Cow, marker::PhantomData, time::Duration};

use letterbox_codec::{
    Ambient, Event, Provider, Received, Reject, Reply, Request, Source, header, json::is_attribute,
    provider::Refused, signature, stage::first_that_opens, verified::Payload,
};

pub use crate::{
    credentials::{Credentials, describe},
    entry::EntryError,
};

/// What distinguishes one function from others that use the same engine.
pub trait Branch: Send + Sync + 'static {
    /// [`Provider::NAME`]: the route, and the prefix of every event type.
    const NAME: &'static str;
    /// [`Provider::DEADLINE`]. An entry with a preset may have an earlier one.
    const DEADLINE: Duration;
}

/// The provider of a branch.
pub struct Signed<B>(PhantomData<fn() -> B>);

impl<B: Branch> Provider for Signed<B> {
    const NAME: &'static str = B::NAME;
    const DEADLINE: Duration = B::DEADLINE;
    type Credentials = Credentials;

    fn new(_: &[u8]) -> Result<Self, String> {
        Ok(Self(PhantomData))
    }

    fn deadline(key: &Credentials) -> Option<Duration> {
        key.preset?.deadline()
    }

    fn receive(
        &self,
        source: &Source<'_, Credentials>,
        request: &Request,
        ambient: &Ambient,
    ) -> Result<Received, Refused> {
        let (position, (key, signed)) = first_that_opens(source.keys, |key: &Credentials| {
            Ok((key, key.scheme.verify(&key.key, request, ambient.now)?))
        })?;
        let event = event(source, key, request, signed, ambient);
        let event = event.map_err(|reject| Refused::payload(reject, position))?;
        let reply = Reply::json(key.status, &serde_json::json!({ "status": "accepted" }));
        Ok(Received::event(event, reply, position))
    }
}

/// The event of a verified delivery.
fn event(
    source: &Source<'_, Credentials>,
    key: &Credentials,
    request: &Request,
    signed: signature::Signed<'_>,
    ambient: &Ambient,
) -> Result<Event, Reject> {
    let content = signed.content;
    let payload = content.json()?;

    let event_type = event_type(key, request, &payload)?;
    if key.accept.as_ref().is_some_and(|accepted| !accepted.iter().any(|one| *one == event_type)) {
        return Err(Reject::UnhandledEventType);
    }
    let label = |path: &Option<String>| path.as_deref().map_or(Ok(None), |path| payload.label(path));
    let mut event = Event::new(source, &event_type, &content, &payload, ambient);
    event.subject = payload.label(&key.subject)?.map(Cow::into_owned);
    if let Some(time) = label(&key.time)? {
        event.at(&time);
    }
    if let Some(id) = signed.id.filter(|id| is_attribute(id)).or(label(&key.id)?) {
        event.id = id.into_owned();
    }
    Ok(event)
}

/// The event's type, from the payload or (not signed) from a header.
fn event_type<'p>(
    key: &Credentials,
    request: &'p Request,
    payload: &Payload<'p>,
) -> Result<Cow<'p, str>, Reject> {
    let Some(name) = &key.type_header else { return payload.require(&key.type_path) };
    let event_type = header::label(request.headers(), name.as_str());
    event_type.map(Cow::Borrowed).ok_or_else(|| Reject::malformed(name.to_string(), "one event type"))
}
