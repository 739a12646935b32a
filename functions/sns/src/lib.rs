//! Amazon SNS over HTTPS: messages signed by the region's certificate, which the shell fetches or the entry pins.
//!
//! Sources, read 2026-11-26:
//! - the messages: <https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>
//! - the signed text:
//!   <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html>
//! - raw delivery: <https://docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html>
//!
//! The `x-amz-sns-*` headers are not signed. What they repeat is read from the signed message alone.
#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod credentials;
mod message;
#[cfg(feature = "sender")]
mod platform;
mod urls;

use std::time::Duration;

use letterbox_codec::{
    Ambient, Event, Provider, Received, Reject, Rejected, Reply, Request, Source, Stage, Timestamp,
    fetch::Fetched, header::label, json::is_attribute, provider::Refused, signature::Certificate,
    verified::Verified,
};

pub use crate::credentials::Credentials;
use crate::message::{Kind, Message};

/// Amazon SNS.
pub struct Sns;

/// Headers that become extension attributes of the event. They are not signed.
const EXTENSIONS: [(&str, &str); 1] = [("x-amz-sns-subscription-arn", "subscriptionarn")];

/// The remark in the log about a subscription that is not confirmed because its URL is not SNS's, or is for another topic.
const UNTRUSTED_SUBSCRIBE_URL: &str = "untrusted_subscribe_url";

impl Provider for Sns {
    const NAME: &'static str = "sns";
    /// SNS waits 15 s: <https://docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.prepare.html> (read 2026-11-26).
    const DEADLINE: Duration = Duration::from_secs(12);
    /// A message of SNS has at most 256 KiB
    /// (<https://docs.aws.amazon.com/general/latest/gr/sns.html>, read 2026-11-26); as a JSON string, up to six times that.
    const MAX_BODY: usize = 2 * 1024 * 1024;
    const FETCHES: bool = true;
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
        let delivery = label(request.headers(), "x-amz-sns-message-id").map(str::to_owned);
        let received = Self::accept(source, request, ambient);
        received.map_err(|refused| Refused { delivery, ..refused })
    }
}

impl Sns {
    fn accept(
        source: &Source<'_, Credentials>,
        request: &Request,
        ambient: &Ambient,
    ) -> Result<Received, Refused> {
        let message = Message::read(request)?;
        let (position, content) =
            verify(source.keys, &message, request, ambient.now).map_err(|rejected| {
                let needs_certificate = rejected.reject == Reject::CertificateUnavailable;
                let wanted = needs_certificate.then(|| message.certificate.clone());
                Refused { wanted, ..rejected.into() }
            })?;
        let event = event(source, &message, &content, request, ambient);
        let event = event.map_err(|reject| Refused::payload(reject, position))?;
        let mut received = Received::event(event, Reply::empty(200), position);
        let confirms = source.keys.get(position).is_some_and(|key| key.confirm);
        if let Some((url, token)) =
            message.confirmation.filter(|_| confirms && message.kind == Kind::Subscription)
        {
            received.visit = urls::confirmation(&url, &message.topic, &token);
            received.remark = received.visit.is_none().then_some(UNTRUSTED_SUBSCRIBE_URL);
        }
        Ok(received)
    }
}

/// Verifies a message with the entries that have its topic, and returns the position of the one that does: with the
/// certificate that the entry pins, or else with the fetched one.
///
/// If no entry has the topic, nothing is accepted, and no certificate is asked for. Whoever has an AWS account can make SNS
/// sign messages of a topic.
fn verify<'r>(
    keys: &[Credentials],
    message: &Message,
    request: &'r Request,
    now: Timestamp,
) -> Result<(usize, Verified<'r>), Rejected> {
    let check = |pinned: Option<&Certificate>| {
        let certificate = match (pinned, Fetched::of(request, &message.certificate)) {
            (Some(pinned), _) => pinned.clone(),
            (None, Some(pem)) => Certificate::from_pem(pem).map_err(|_| Reject::CertificateInvalid)?,
            (None, None) => return Err(Reject::CertificateUnavailable),
        };
        if !certificate.is_valid_at(now) {
            return Err(Reject::CertificateInvalid);
        }
        certificate.verify(message.hash, message.signed_text.as_bytes(), &message.signature, request.body())
    };
    let own = keys.iter().enumerate().filter(|(_, key)| key.has_topic(&message.topic));
    let mut refused = None;
    for (position, key) in own {
        match check(key.pinned(&message.certificate)) {
            Ok(content) => return Ok((position, content)),
            // What a certificate may change counts more than what it cannot.
            Err(reject) if refused.is_none() || reject == Reject::CertificateUnavailable => {
                refused = Some(reject);
            }
            Err(_) => {}
        }
    }
    if let Some(reject) = refused {
        return Err(reject.at(Stage::Key));
    }
    let pinned = keys.iter().find_map(|key| key.pinned(&message.certificate));
    Err(match check(pinned) {
        Ok(_) => Reject::OwnerKeyMismatch.at(Stage::Address),
        Err(Reject::CertificateUnavailable) => Reject::OwnerKeyMismatch.at(Stage::Form),
        Err(reject) => reject.at(Stage::Key),
    })
}

/// The event of a verified message: the whole of it as `data`, as a queue that is subscribed to the topic gets it.
fn event(
    source: &Source<'_, Credentials>,
    message: &Message,
    content: &Verified<'_>,
    request: &Request,
    ambient: &Ambient,
) -> Result<Event, Reject> {
    let payload = content.json()?;
    payload.require("MessageId")?;
    let mut event = Event::new(source, message.kind.name(), content, &payload, ambient);
    event.id.clone_from(&message.id);
    event.subject = Some(message.topic.clone()).filter(|topic| is_attribute(topic));
    event.at(&message.time);
    let headers = request.headers();
    for (header, name) in EXTENSIONS {
        event.extensions.0.extend(label(headers, header).map(|value| (name.into(), value.to_owned())));
    }
    Ok(event)
}

#[cfg(test)]
mod tests;
