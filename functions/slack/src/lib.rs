//! Slack: the Events API (JSON), interactions and slash commands (forms), signed with `X-Slack-Signature`.
//!
//! Sources, read 2026-11-26: <https://docs.slack.dev/authentication/verifying-requests-from-slack>,
//! <https://docs.slack.dev/apis/events-api/>, <https://docs.slack.dev/interactivity/handling-user-interaction> and
//! <https://docs.slack.dev/interactivity/implementing-slash-commands>.
#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod credentials;
#[cfg(feature = "sender")]
mod platform;

use std::{borrow::Cow, time::Duration};

use http::{HeaderValue, header::X_CONTENT_TYPE_OPTIONS};
use letterbox_codec::{
    Ambient, Event, Provider, Received, Reject, Reply, Request, Source, Verified, form, header::label,
    provider::Refused, stage::first_accepted, verified::Payload,
};

pub use self::credentials::Credentials;
use self::credentials::SIGNATURE;

/// Headers that become extension attributes of the event: which retry it is, and why Slack retries. They are not signed.
const EXTENSIONS: [(&str, &str); 2] =
    [("x-slack-retry-num", "retrynum"), ("x-slack-retry-reason", "retryreason")];

/// The largest challenge that is returned, in bytes. Slack's have 52.
const LONGEST_CHALLENGE: usize = 4096;

/// Slack.
pub struct Slack;

/// What one kind of request is, and where its facts are.
struct Kind {
    /// The fields with the subject, in order of precedence: the workspace, or the organization of an app that is installed
    /// on all of its workspaces.
    subject: &'static [&'static str],
    /// The fields with the time, in order of precedence.
    time: &'static [&'static str],
    /// The field with the id.
    id: Option<&'static str>,
}

/// The Events API: an event, or a message about the delivery of events, such as `app_rate_limited`.
const EVENT: Kind = Kind {
    subject: &["team_id", "enterprise_id"],
    time: &["event_time", "minute_rate_limited"],
    id: Some("event_id"),
};

/// An interaction: a button, a shortcut, a modal.
const INTERACTION: Kind =
    Kind { subject: &["team.id", "enterprise.id", "user.team_id"], time: &[], id: None };

const COMMAND: Kind = Kind { subject: &["team_id", "enterprise_id"], time: &[], id: None };

/// What a verified request is.
enum Opened {
    Event(Box<Event>),
    Handshake(Reply),
}

impl Provider for Slack {
    const NAME: &'static str = "slack";
    /// Slack waits 3 s: <https://docs.slack.dev/apis/events-api/> and
    /// <https://docs.slack.dev/interactivity/handling-user-interaction> (read 2026-11-26).
    const DEADLINE: Duration = Duration::from_millis(2500);
    /// A message has at most 40,000 characters: <https://docs.slack.dev/reference/methods/chat.postMessage> (read
    /// 2026-11-26).
    const MAX_BODY: usize = 1024 * 1024;
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
        // Slack does not sign it: <https://github.com/slackapi/bolt-js/issues/1397> (read 2026-11-26). The response says
        // nothing that depends on the request or the credentials.
        if !request.headers().contains_key(SIGNATURE) && is_certificate_check(request.body()) {
            return Ok(Received::handshake(Reply::empty(200), 0));
        }
        let (position, signed) = first_accepted(source.keys, |key: &Credentials| {
            key.scheme.verify(&key.secret, request, ambient.now)
        })?;
        let opened = open(source, request, &signed.content, ambient);
        Ok(match opened.map_err(|reject| Refused::payload(reject, position))? {
            // Any body would be shown in the channel, or change a modal.
            Opened::Event(event) => Received::event(*event, Reply::empty(200), position),
            Opened::Handshake(reply) => Received::handshake(reply, position),
        })
    }
}

/// The event or the handshake in verified content.
fn open(
    source: &Source<'_, Credentials>,
    request: &Request,
    content: &Verified<'_>,
    ambient: &Ambient,
) -> Result<Opened, Reject> {
    if is_certificate_check(content.bytes()) {
        return Ok(Opened::Handshake(Reply::empty(200)));
    }
    let event = match body(content)? {
        Body::Json => {
            let payload = content.json()?;
            let event_type = match &*payload.require("type")? {
                "url_verification" => return challenge(&payload).map(Opened::Handshake),
                "event_callback" => payload.require("event.type")?,
                other => Cow::Owned(other.to_owned()),
            };
            event(source, &event_type, content, &payload, &EVENT, ambient)?
        }
        Body::Interaction(inner) => {
            let payload = inner.json()?;
            event(source, &payload.require("type")?, content, &payload, &INTERACTION, ambient)?
        }
        Body::Fields(fields) => {
            let payload = fields.json()?;
            let event_type = format!("command:{}", payload.require("command")?);
            let mut event = event(source, &event_type, content, &payload, &COMMAND, ambient)?;
            event.raw = Some(content.text()?.to_owned());
            event
        }
    };
    Ok(Opened::Event(Box::new(with_headers(event, request))))
}

/// A verified body by its form. The content type is not signed, so it does not count.
enum Body {
    /// JSON, in the body itself.
    Json,
    /// The JSON in the field `payload` of a form.
    Interaction(Verified<'static>),
    /// The fields of another form, as JSON.
    Fields(Verified<'static>),
}

fn body(content: &Verified<'_>) -> Result<Body, Reject> {
    let text = content.text()?;
    if text.trim_start().starts_with('{') || !text.contains('=') {
        return Ok(Body::Json);
    }
    match content.form_member("payload") {
        Ok(inner) => Ok(Body::Interaction(inner)),
        Err(Reject::Missing { .. }) => content.form().map(Body::Fields),
        Err(reject) => Err(reject),
    }
}

/// The form with which Slack checks the certificate of a command's URL: `ssl_check=1`, and no command or interaction.
fn is_certificate_check(body: &[u8]) -> bool {
    let is_absent = |name| matches!(form::one(body, name), Ok(None));
    let value = form::one(body, "ssl_check").ok().flatten();
    value.as_deref() == Some("1") && is_absent("payload") && is_absent("command")
}

/// The response that proves to Slack that the URL is the app's.
fn challenge(payload: &Payload<'_>) -> Result<Reply, Reject> {
    let challenge = payload.scalar("challenge")?.ok_or(Reject::missing("challenge"))?;
    if challenge.len() > LONGEST_CHALLENGE {
        return Err(Reject::malformed("challenge", "at most 4096 bytes"));
    }
    let reply = Reply::json(200, &serde_json::json!({ "challenge": challenge }));
    Ok(reply.with_header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
}

fn event(
    source: &Source<'_, Credentials>,
    event_type: &str,
    content: &Verified<'_>,
    payload: &Payload<'_>,
    kind: &Kind,
    ambient: &Ambient,
) -> Result<Event, Reject> {
    let mut event = Event::new(source, event_type, content, payload, ambient);
    event.subject = payload.first_label(kind.subject)?.map(Cow::into_owned);
    if let Some(time) = payload.first_label(kind.time)? {
        event.at(&time);
    }
    if let Some(id) = kind.id.map_or(Ok(None), |path| payload.label(path))? {
        event.id = id.into_owned();
    }
    Ok(event)
}

fn with_headers(mut event: Event, request: &Request) -> Event {
    for (header, name) in EXTENSIONS {
        let value = label(request.headers(), header);
        event.extensions.0.extend(value.map(|value| (name.into(), value.to_owned())));
    }
    event
}

#[cfg(test)]
mod tests {
    use letterbox_codec::Timestamp;

    use super::*;

    #[test]
    fn a_challenge_is_answered_up_to_4096_bytes() {
        let keys = [serde_json::from_str::<Credentials>(r#"{"secret":"k"}"#).unwrap()];
        let source = Source { provider: Slack::NAME, name: "default", keys: &keys };
        let ambient = Ambient { now: Timestamp(1_795_255_200_000), entropy: [0; Ambient::ENTROPY] };
        for (length, is_answered) in [(0, true), (4096, true), (4097, false)] {
            let challenge = "c".repeat(length);
            let body = format!(r#"{{"type":"url_verification","challenge":"{challenge}"}}"#);
            let mut request = Request::new(body.into());
            let [Credentials { secret, scheme }] = &keys;
            scheme.sign(secret, &mut request, ambient.now, "").unwrap();
            let received = Slack.receive(&source, &request, &ambient);
            let refusal = received.as_ref().err().map(|refused| refused.reject.clone());
            let expected = (!is_answered).then(|| Reject::malformed("challenge", "at most 4096 bytes"));
            assert_eq!(refusal, expected, "{length}");
            assert!(received.is_err() || received.is_ok_and(|received| received.queued_event().is_none()));
        }
    }
}
