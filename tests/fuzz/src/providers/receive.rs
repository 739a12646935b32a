//! Any request to a function whose keys nobody has: it is refused.

use std::sync::OnceLock;

use letterbox_registry::Platform;

use super::{check, other_keys, source_of};
use crate::{
    input::{self, ambient},
    random::Random,
};

/// The property of one provider.
pub(super) fn property(
    provider: &'static dyn Platform,
    random: &Random,
) -> impl Fn(&[u8]) -> bool + Send + Sync + use<> {
    let (random, keys) = (random.clone(), OnceLock::new());
    let read = move || {
        let credentials = other_keys::of(provider, &random);
        provider.keys(&credentials).unwrap_or_else(|error| panic!("{}: {error}", provider.name()))
    };
    move |data| {
        let keys = keys.get_or_init(&read);
        let Some(request) = input::request(data) else { return false };
        match keys.receive(&source_of(provider, &request), &request, &ambient()) {
            // Slack's test of a certificate is not signed: it is answered, with nothing that depends on it.
            Ok(received) if provider.name() == "slack" && received.queued_event().is_none() => {
                assert!(request.body().windows(9).any(|window| window == b"ssl_check"), "{received:?}");
            }
            Ok(received) => panic!("accepted without the key: {received:?}"),
            Err(refused) => check(&refused),
        }
        true
    }
}
