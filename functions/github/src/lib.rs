//! GitHub webhooks: `X-Hub-Signature-256` over the raw body, JSON or form.
//!
//! Sources, read 2026-11-26: <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries> and
//! <https://docs.github.com/en/webhooks/webhook-events-and-payloads>.
#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[cfg(feature = "sender")]
mod platform;

use std::time::Duration;

use letterbox_codec::{
    Ambient, Event, Provider, Received, Reject, Rejected, Reply, Request, Source, Timestamp, Verified,
    header::label,
    provider::Refused,
    signature::{self, Algorithm, Description, Scheme, VerifiedRequest},
    stage::first_accepted,
};
use serde::Deserialize;

/// GitHub.
pub struct GitHub {
    sha256: Scheme,
    /// The legacy signature, for entries that allow it.
    sha1: Scheme,
}

/// One entry of the credentials.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    #[serde(deserialize_with = "signature::Key::from_text")]
    secret: signature::Key,
    /// Accept `X-Hub-Signature` (SHA-1) if there is no `X-Hub-Signature-256`.
    #[serde(default)]
    allow_sha1: bool,
    /// What identifies an event.
    #[serde(default)]
    id: Identity,
}

/// What identifies an event. GitHub signs no id.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Identity {
    /// The digest of its name and its body: two events of equal content are one.
    #[default]
    Content,
    /// The GUID of the delivery, which is not signed: a copy of a delivery under another GUID is another event.
    Delivery,
}

/// Headers that become extension attributes of the event. They are not signed.
const EXTENSIONS: [(&str, &str); 5] = [
    ("x-github-hook-id", "hookid"),
    ("x-github-hook-installation-target-type", "targettype"),
    ("x-github-hook-installation-target-id", "targetid"),
    ("x-github-enterprise-host", "enterprisehost"),
    ("x-github-enterprise-version", "enterpriseversion"),
];

/// The fields with the subject of an event, in order of precedence.
const SUBJECT: [&str; 4] =
    ["repository.full_name", "organization.login", "enterprise.slug", "installation.account.login"];

impl Provider for GitHub {
    const NAME: &'static str = "github";
    /// GitHub waits 10 s:
    /// <https://docs.github.com/en/webhooks/using-webhooks/best-practices-for-using-webhooks> (read 2026-11-26).
    const DEADLINE: Duration = Duration::from_secs(8);
    type Credentials = Credentials;

    fn new(_: &[u8]) -> Result<Self, String> {
        let scheme = |header: &str, prefix: &str, algorithm| {
            let description = Description {
                header: header.into(),
                prefix: prefix.into(),
                algorithm,
                ..Description::default()
            };
            Scheme::new(description).map_err(|error| error.to_string())
        };
        Ok(Self {
            sha256: scheme("x-hub-signature-256", "sha256=", Algorithm::Sha256)?,
            sha1: scheme("x-hub-signature", "sha1=", Algorithm::Sha1)?,
        })
    }

    fn receive(
        &self,
        source: &Source<'_, Credentials>,
        request: &Request,
        ambient: &Ambient,
    ) -> Result<Received, Refused> {
        let headers = request.headers();
        let delivery = label(headers, "x-github-delivery").map(str::to_owned);
        let received = self.open(source, request, ambient, delivery.clone());
        received.map_err(|refused| Refused { delivery, ..refused })
    }
}

impl GitHub {
    fn open(
        &self,
        source: &Source<'_, Credentials>,
        request: &Request,
        ambient: &Ambient,
        delivery: Option<String>,
    ) -> Result<Received, Refused> {
        let (position, signed) = first_accepted(source.keys, |key| self.verify(key, request, ambient.now))?;
        let identity = source.keys.get(position).map(|key| key.id).unwrap_or_default();
        let event = event(source, request, &signed.content, ambient, delivery, identity);
        let event = event.map_err(|reject| Refused::payload(reject, position))?;
        let reply = Reply::json(202, &serde_json::json!({ "status": "accepted" }));
        Ok(Received::event(event, reply, position))
    }

    fn verify<'r>(
        &self,
        key: &Credentials,
        request: &'r Request,
        now: Timestamp,
    ) -> Result<VerifiedRequest<'r>, Rejected> {
        // If `X-Hub-Signature-256` is present, SHA-1 is never used.
        let legacy = key.allow_sha1 && !request.headers().contains_key("x-hub-signature-256");
        let scheme = if legacy { &self.sha1 } else { &self.sha256 };
        scheme.verify(&key.secret, request, now)
    }
}

/// The event of a verified body.
fn event(
    source: &Source<'_, Credentials>,
    request: &Request,
    content: &Verified<'_>,
    ambient: &Ambient,
    delivery: Option<String>,
    identity: Identity,
) -> Result<Event, Reject> {
    let headers = request.headers();
    let inner = form(content)?;
    let payload = inner.as_ref().unwrap_or(content).json()?;

    let event_type =
        label(headers, "x-github-event").ok_or(Reject::malformed("X-GitHub-Event", "one event name"))?;
    let mut event = Event::new(source, event_type, content, &payload, ambient);
    event.subject = payload.first_label(&SUBJECT)?.map(Into::into);
    event.action = payload.label("action")?.map(Into::into);
    // The name is not signed, and GitHub sends one body under several names.
    event.id = match (identity, &delivery) {
        (Identity::Delivery, Some(delivery)) => delivery.clone(),
        _ => content.digest_as(event_type),
    };
    event.delivery = delivery;
    for (header, name) in EXTENSIONS {
        event.extensions.0.extend(label(headers, header).map(|value| (name.into(), value.to_owned())));
    }
    Ok(event)
}

/// The payload inside a form; `None` if the body is JSON. The content type is not signed, so it does not count.
fn form(content: &Verified<'_>) -> Result<Option<Verified<'static>>, Reject> {
    if is_form(content.bytes()) { content.form_member("payload").map(Some) } else { Ok(None) }
}

fn is_form(body: &[u8]) -> bool {
    body.starts_with(b"payload=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_delivery_and_the_key_that_verified_it() {
        let credentials = r#"{"secret":"secret"}"#;
        let keys = [serde_json::from_str(credentials).unwrap()];
        let source = Source { provider: GitHub::NAME, name: "default", keys: &keys };
        let ambient = Ambient { now: Timestamp(0), entropy: [0; Ambient::ENTROPY] };
        let provider = GitHub::new(&[]).unwrap();
        for (body, key) in [("{}", None), ("[]", Some(0))] {
            let mut request = Request::new(body.into());
            request.headers_mut().insert("x-github-delivery", "d1".parse().unwrap());
            if key.is_some() {
                let [Credentials { secret, .. }] = &keys;
                provider.sha256.sign(secret, &mut request, ambient.now, "").unwrap();
            }
            let refused = provider.receive(&source, &request, &ambient).unwrap_err();
            assert_eq!((refused.delivery.as_deref(), refused.key), (Some("d1"), key), "{body}");
        }
    }

    #[test]
    fn an_entry_changes_neither_the_deadline_nor_the_methods() {
        let key = serde_json::from_str(r#"{"secret":"secret"}"#).unwrap();
        assert_eq!(GitHub::deadline(&key), None);
        assert!(GitHub::handshake_methods(&key).is_empty());
    }

    #[test]
    fn an_event_is_identified_as_the_entry_says() {
        let ambient = Ambient { now: Timestamp(0), entropy: [0; Ambient::ENTROPY] };
        let provider = GitHub::new(&[]).unwrap();
        let id = |entry: &str, delivery: Option<&str>| {
            let keys = [serde_json::from_str(entry).unwrap()];
            let source = Source { provider: GitHub::NAME, name: "default", keys: &keys };
            let mut request = Request::new("{}".into());
            request.headers_mut().insert("x-github-event", "push".parse().unwrap());
            if let Some(delivery) = delivery {
                request.headers_mut().insert("x-github-delivery", delivery.parse().unwrap());
            }
            let [Credentials { secret, .. }] = &keys;
            provider.sha256.sign(secret, &mut request, ambient.now, "").unwrap();
            let received = provider.receive(&source, &request, &ambient).unwrap();
            received.queued_event().unwrap().id.clone()
        };
        let digest = id(r#"{"secret":"secret"}"#, None);
        assert_eq!(digest.len(), 64);
        for (entry, delivery, expected) in [
            (r#"{"secret":"secret"}"#, Some("d1"), &*digest),
            (r#"{"secret":"secret","id":"content"}"#, Some("d1"), &digest),
            (r#"{"secret":"secret","id":"delivery"}"#, Some("d1"), "d1"),
            (r#"{"secret":"secret","id":"delivery"}"#, None, &digest),
        ] {
            assert_eq!(id(entry, delivery), expected, "{entry} {delivery:?}");
        }
    }
}
