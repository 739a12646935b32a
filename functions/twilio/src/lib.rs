//! Twilio: messages, calls and their states as forms, and Event Streams as JSON, signed with `X-Twilio-Signature`.
//!
//! Sources, read 2026-11-26: <https://www.twilio.com/docs/usage/webhooks/webhooks-security>,
//! <https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides>,
//! <https://www.twilio.com/docs/messaging/guides/webhook-request>, <https://www.twilio.com/docs/voice/twiml> and
//! <https://www.twilio.com/docs/events/webhook-quickstart>.
//!
//! The signature of a form covers its names and values one after the other, sorted, and not where one ends and the next
//! begins. Anyone who has captured a delivery can therefore send its characters divided into other fields, under the same
//! signature. No receiver can distinguish them.
#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod credentials;
#[cfg(feature = "sender")]
mod platform;

use std::{borrow::Cow, time::Duration};

use letterbox_codec::{
    Ambient, Event, Provider, Received, Reject, Reply, Request, Source, Verified, header::label,
    provider::Refused, signature::VerifiedRequest, stage::first_accepted, verified::Payload,
};

pub use self::credentials::Credentials;

/// The header that is the same in every retry of a request. It is not signed.
const DELIVERY: &str = "i-twilio-idempotency-token";

/// The markup that does nothing: no reply to a message, and the end of a call.
const TWIML: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response></Response>"#;

/// Twilio.
pub struct Twilio;

/// How the fields of a form show what it is about.
struct Kind {
    /// The field that makes the form one of this kind.
    field: &'static str,
    /// The event type; `None`: the value of the field.
    event_type: Option<&'static str>,
    /// The field with what happened.
    action: Option<&'static str>,
    /// True if the value of the field identifies the event, and not only what it is about.
    is_id: bool,
}

const fn state(field: &'static str, event_type: &'static str, action: &'static str) -> Kind {
    Kind { field, event_type: Some(event_type), action: Some(action), is_id: false }
}

const fn named(field: &'static str) -> Kind {
    Kind { field, event_type: None, action: None, is_id: false }
}

/// The kinds, in order of precedence. Twilio names no event types in most forms.
const KINDS: [Kind; 10] = [
    state("MessageStatus", "message.status", "MessageStatus"),
    named("StatusCallbackEvent"),
    named("EventType"),
    state("RecordingStatus", "recording.status", "RecordingStatus"),
    state("TranscriptionStatus", "transcription.status", "TranscriptionStatus"),
    // These two come only with states of calls.
    state("CallbackSource", "call.status", "CallStatus"),
    state("CallDuration", "call.status", "CallStatus"),
    Kind { field: "MessageSid", event_type: Some("message"), action: None, is_id: true },
    Kind { field: "SmsSid", event_type: Some("message"), action: None, is_id: true },
    Kind { field: "CallSid", event_type: Some("call"), action: Some("CallStatus"), is_id: true },
];

/// The type of an event that shows none.
const NO_TYPE: &str = "event";

/// The type of a list of several events.
const SEVERAL: &str = "events";

impl Provider for Twilio {
    const NAME: &'static str = "twilio";
    /// Event Streams waits 5 s: <https://www.twilio.com/docs/events/webhook-quickstart> (read 2026-11-26). The other products
    /// wait 15 s.
    const DEADLINE: Duration = Duration::from_millis(4500);
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
        let delivery = label(request.headers(), DELIVERY).map(str::to_owned);
        let verified = first_accepted(source.keys, |key: &Credentials| verify(key, request, ambient));
        let (position, signed) =
            verified.map_err(|rejected| Refused { delivery: delivery.clone(), ..rejected.into() })?;
        let accepted = accept(source, &signed, ambient);
        let (mut event, reply) = accepted
            .map_err(|reject| Refused { delivery: delivery.clone(), ..Refused::payload(reject, position) })?;
        event.delivery = delivery;
        Ok(Received::event(event, reply, position))
    }
}

/// What the signature is of, if it is that of any of the URLs.
fn verify<'r>(
    key: &Credentials,
    request: &'r Request,
    ambient: &Ambient,
) -> Result<VerifiedRequest<'r>, letterbox_codec::Rejected> {
    let urls = key.urls(request);
    let verified = first_accepted(&urls, |url| {
        key.scheme.with_url(url.as_str()).verify(&key.secret, request, ambient.now)
    });
    verified.map(|(_, signed)| signed)
}

/// The event, and the response to it.
///
/// The body is read as what was signed: as JSON if its hash was, else as a form. The content type is not signed, and the URL
/// that was called need not be the signed one.
fn accept(
    source: &Source<'_, Credentials>,
    signed: &VerifiedRequest<'_>,
    ambient: &Ambient,
) -> Result<(Event, Reply), Reject> {
    let content = &signed.content;
    let text = content.text()?;
    if signed.has_body_hash {
        let payload = content.any_json()?;
        return Ok((json_event(source, content, &payload, ambient)?, Reply::empty(200)));
    }
    let fields = content.form()?;
    let payload = fields.json()?;
    let mut event = form_event(source, content, &payload, ambient)?;
    event.raw = Some(text.to_owned());
    Ok((event, Reply::new(200, "text/xml", TWIML.to_owned())))
}

/// The event in a form.
fn form_event(
    source: &Source<'_, Credentials>,
    content: &Verified<'_>,
    payload: &Payload<'_>,
    ambient: &Ambient,
) -> Result<Event, Reject> {
    let mut found = None;
    for kind in &KINDS {
        if let Some(value) = payload.label(kind.field)? {
            found = Some((kind, value));
            break;
        }
    }
    let event_type = match &found {
        Some((Kind { event_type: Some(event_type), .. }, _)) => *event_type,
        Some((_, value)) => &**value,
        None => NO_TYPE,
    };
    let mut event = Event::new(source, event_type, content, payload, ambient);
    // A call has one id and several requests: only the first is identified by it.
    let call = payload.label("CallStatus")?;
    event.id = match &found {
        Some((Kind { is_id: true, .. }, sid)) if call.is_none() || call.as_deref() == Some("ringing") => {
            sid.clone().into_owned()
        }
        _ => content.form_digest()?,
    };
    let action = found.and_then(|(kind, _)| kind.action).map_or(Ok(None), |path| payload.label(path))?;
    event.action = action.map(Cow::into_owned);
    event.subject = payload.label("AccountSid")?.map(Cow::into_owned);
    if let Some(time) = payload.first_label(&["TimestampMs", "Timestamp"])? {
        event.at(&time);
    }
    Ok(event)
}

/// The event in JSON: one `CloudEvents` object, or a list of them.
fn json_event(
    source: &Source<'_, Credentials>,
    content: &Verified<'_>,
    payload: &Payload<'_>,
    ambient: &Ambient,
) -> Result<Event, Reject> {
    let is_list = payload.raw().get().starts_with('[');
    let first = if is_list { payload.get("0")? } else { Some(payload.raw()) };
    if !first.is_some_and(|event| event.get().starts_with('{')) {
        return Err(Reject::malformed("payload", "a JSON object, or a list of them"));
    }
    let is_several = is_list && payload.get("1")?.is_some();
    let place = |name: &str| if is_list { format!("0.{name}") } else { name.to_owned() };
    let fact = |name: &str| if is_several { Ok(None) } else { payload.label(&place(name)) };
    let event_type = fact("type")?.unwrap_or(Cow::Borrowed(if is_several { SEVERAL } else { NO_TYPE }));
    let mut event = Event::new(source, &event_type, content, payload, ambient);
    if let Some(id) = fact("id")? {
        event.id = id.into_owned();
    }
    let paths = ["AccountSid", "data.accountSid", "subject"].map(place);
    event.subject = payload.first_label(&paths.each_ref().map(String::as_str))?.map(Cow::into_owned);
    if let Some(time) = fact("time")? {
        event.at(&time);
    }
    Ok(event)
}
