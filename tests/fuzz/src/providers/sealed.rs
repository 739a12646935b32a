//! Any payload that the platform signs or encrypts: it is an event or no event, and a changed delivery is not accepted.

use std::sync::OnceLock;

use letterbox_codec::{Reject, Request, Stage, platform::Sample, provider::Refused};
use letterbox_intake::{Message, queue::LARGEST_MESSAGE};
use letterbox_registry::{Entry, Keys, Platform};
use serde_json::Value;

use super::{check, demo, source_of};
use crate::input::{self, ambient};

/// The providers whose deliveries open to the payload that was sealed, byte for byte.
const VERBATIM: [&str; 5] = ["dingtalk", "wecom", "opencard", "discord", "payment"];

/// The providers that sign the fields of a form, whatever its escapes and its order.
const FIELDS: [&str; 2] = ["twilio", "alipay"];

/// The property of one provider.
pub(super) fn property(provider: &'static dyn Platform) -> impl Fn(&[u8]) -> bool + Send + Sync + use<> {
    let keys = OnceLock::new();
    move |data| {
        let keys = keys.get_or_init(|| demo(provider));
        let Some(mut given) = input::request(data) else { return false };
        let change = input::change(&mut given);
        let name = input::take(&mut given, "x-sample").unwrap_or_default();
        let source = source_of(provider, &given);
        let Ok(entry) = keys.first(&source) else { return false };
        let sample = Sample { name, payload: given.body().to_vec() };
        let url = given.uri().to_string();
        let Ok(mut sealed) = entry.build_request(&sample, &url, &ambient()) else { return false };
        let accepted = accept(provider, &**keys, &source, &sealed);
        if accepted.is_ok() && VERBATIM.contains(&provider.name()) {
            let opened = entry.open(&sealed, ambient().now).expect("what was accepted");
            assert_eq!(opened.content, sample.payload);
        }
        if let Some(body) = input::flipped(sealed.body(), change)
            && signs_body(provider, &*entry, &source)
        {
            let mut changed = sealed.clone();
            *changed.body_mut() = body.into();
            let other = keys.receive(&source, &changed, &ambient());
            assert_same(provider, accepted.as_ref().ok(), other);
        }
        // Headers that are not signed reach what comes after the signature.
        input::add_missing(&mut sealed, given.headers());
        if let Err(refused) = keys.receive(&source, &sealed, &ambient()) {
            check(&refused);
        }
        accepted.is_ok()
    }
}

/// What becomes of a delivery that is sealed with the right key: its queue message, if it is an event.
fn accept(
    provider: &dyn Platform,
    keys: &dyn Keys,
    source: &str,
    sealed: &Request,
) -> Result<Option<String>, Refused> {
    match keys.receive(source, sealed, &ambient()) {
        Ok(received) => {
            let message = received.queued_event().map(|event| Message::of(event, LARGEST_MESSAGE));
            let message = message.transpose().expect("the size was checked");
            if let Some(message) = &message {
                let event: Value = serde_json::from_str(&message.body).expect("JSON");
                let kind = event["type"].as_str().expect("a type");
                assert!(kind.starts_with(provider.name()), "{kind}");
                assert!(!event["id"].as_str().expect("an id").is_empty());
            }
            Ok(message.map(|message| message.body))
        }
        Err(refused) => {
            check(&refused);
            // Feishu signs all but its challenges: what is none of either is not signed.
            let is_unsigned = refused.reject == Reject::MissingSignature;
            assert!(
                is_unsigned || !matches!(refused.stage, Stage::Key | Stage::Seal),
                "the right key does not open it: {refused:?}"
            );
            Err(refused)
        }
    }
}

/// True if no byte of the body can be changed without the key.
fn signs_body(provider: &dyn Platform, entry: &dyn Entry, source: &str) -> bool {
    let sends_secret = !entry.secret_headers().is_empty() || !entry.secret_parameters().is_empty();
    // Feishu's deliveries in clear have a token in the body.
    !sends_secret && (provider.name(), source) != ("feishu", "clear")
}

/// A changed delivery is refused, or means the same as before.
fn assert_same(
    provider: &dyn Platform,
    accepted: Option<&Option<String>>,
    other: Result<letterbox_codec::Received, Refused>,
) {
    let Ok(received) = other else { return };
    let message = received.queued_event().map(|event| Message::of(event, LARGEST_MESSAGE).expect("a size"));
    let message = message.map(|message| message.body);
    let data = |message: &Option<String>| {
        let event: Value = message.as_deref().map(|text| serde_json::from_str(text).expect("JSON"))?;
        Some(event["data"].clone())
    };
    let is_same = match accepted {
        Some(accepted) if FIELDS.contains(&provider.name()) => data(accepted) == data(&message),
        Some(accepted) => *accepted == message,
        None => false,
    };
    assert!(is_same, "accepted a changed delivery: {message:?} for {accepted:?}");
}
