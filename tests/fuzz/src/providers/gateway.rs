//! Any payload of an invocation.

use std::{collections::BTreeMap, sync::OnceLock};

use letterbox_codec::{Stage, Timestamp, headers};
use letterbox_intake::{
    gateway::{self, Payload},
    replay::Marker,
};
use letterbox_registry::{Keys, PROVIDERS, Platform};
use serde_json::value::RawValue;

use super::check;
use crate::input::ambient;

/// The demo keys of all providers, parsed once.
fn keys(provider: &dyn Platform) -> &'static dyn Keys {
    static KEYS: OnceLock<BTreeMap<&str, Box<dyn Keys>>> = OnceLock::new();
    let of = |provider: &&'static dyn Platform| (provider.name(), super::demo(*provider));
    let keys = KEYS.get_or_init(|| PROVIDERS.iter().map(of).collect());
    &*keys[provider.name()]
}

/// An event is a request, or it is refused; only a member of the payload itself marks a replay.
pub(super) fn property(input: &[u8]) -> bool {
    let Ok(payload) = serde_json::from_slice::<&RawValue>(input) else { return false };
    let read = Payload::read(payload);
    let whole: Option<serde_json::Value> = serde_json::from_slice(input).ok();
    if let (Some(marker), Some(whole)) = (&read.marker, &whole) {
        assert!(whole.get("letterbox").is_some(), "a marker that is not there");
        let now = ambient().now;
        assert!(Marker::read(marker, now).map_or(true, |marker| marker.received <= now));
    }
    let event = match read.event {
        Ok(event) => event,
        Err(reject) => {
            check(&reject.at(Stage::Route).into());
            return false;
        }
    };
    assert!(event.headers.len() <= headers::MOST);
    assert!(gateway::received(&event).is_none_or(|Timestamp(time)| time > 0));
    let path = event.raw_path.clone().unwrap_or_default();
    let provider = PROVIDERS.iter().find(|provider| path.contains(provider.name())).unwrap_or(&PROVIDERS[0]);
    let body = event.body.clone().filter(|_| !event.is_base64_encoded);
    if let Ok((source, request)) = gateway::request(provider.name(), event) {
        assert!(request.uri().scheme().is_some() && request.uri().authority().is_some());
        assert!(body.is_none_or(|body| request.body() == body.as_bytes()));
        let keys = keys(*provider);
        if let Err(refused) = keys.receive(&source, &request, &ambient()) {
            check(&refused);
        }
    }
    true
}
