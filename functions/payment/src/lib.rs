//! Payment notices, and whatever else is signed with an HMAC: the scheme is configured per source.
#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod credentials;
#[cfg(feature = "platform")]
mod manners;
#[cfg(feature = "platform")]
mod platform;

use std::{borrow::Cow, time::Duration};

use letterbox_codec::{
    Ambient, Event, Provider, Received, Reject, Reply, Request, Source, header, json::is_attribute,
    mac::Signed, provider::Refused, reject::first_that_opens, verified::Payload,
};

pub use crate::credentials::{Credentials, describe, presets};

/// A payment service, or any sender of signed JSON.
pub struct Payment;

impl Provider for Payment {
    const NAME: &'static str = "payment";
    const DEADLINE: Duration = Duration::from_secs(5);
    type Credentials = Credentials;

    fn new(_: &[u8]) -> Result<Self, String> {
        Ok(Self)
    }

    fn receive(
        &self,
        source: &Source<'_, Credentials>,
        request: &Request,
        ambient: &Ambient,
    ) -> Result<Received, Refused> {
        let (position, signed) = first_that_opens(source.keys, |key: &Credentials| {
            key.scheme.verify(&key.secret, request, ambient.now)
        })?;
        let key = source.keys.get(position).ok_or(Reject::SignatureMismatch)?;
        let event = event(source, key, request, signed, ambient);
        let event = event.map_err(|reject| Refused::payload(reject, position))?;
        let reply = Reply::json(key.status, &serde_json::json!({ "status": "accepted" }));
        Ok(Received::event(event, reply, position))
    }
}

/// The event of a verified notice.
fn event(
    source: &Source<'_, Credentials>,
    key: &Credentials,
    request: &Request,
    signed: Signed<'_>,
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
    let Some(name) = &key.type_header else { return payload.require(&key.kind) };
    let event_type = header::label(request.headers(), name.as_str());
    event_type.map(Cow::Borrowed).ok_or_else(|| Reject::malformed(name.to_string(), "one event type"))
}
