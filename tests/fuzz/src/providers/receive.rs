//! Any request to a function whose keys nobody has: it is refused.

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
    let credentials = other_keys::of(provider, random);
    let keys = provider.keys(&credentials).unwrap_or_else(|error| panic!("{}: {error}", provider.name()));
    move |data| {
        let Some(request) = input::request(data) else { return false };
        match keys.receive(&source_of(provider, &request), &request, &ambient()) {
            Ok(received) => panic!("accepted without the key: {received:?}"),
            Err(refused) => check(&refused),
        }
        true
    }
}
