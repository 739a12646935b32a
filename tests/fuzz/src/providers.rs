//! The targets of the providers: whole deliveries, credentials, and what else reaches a function.

mod catalogue;
mod credentials;
mod gateway;
mod other_keys;
mod receive;
mod sealed;

use letterbox_codec::{Request, provider::Refused};
use letterbox_intake::gateway::{DEFAULT_SOURCE, source};
use letterbox_registry::{Keys, PROVIDERS, Platform};

use crate::{Target, random::Random};

/// The targets of this module.
pub fn targets(random: &Random) -> Vec<Target> {
    let mut targets = vec![
        Target::new("catalogue", catalogue::property),
        Target::new("credentials", credentials::property),
        Target::new("description", credentials::description),
        Target::new("gateway", gateway::property),
    ];
    for provider in PROVIDERS.iter().copied() {
        targets
            .push(Target::new(format!("receive-{}", provider.name()), receive::property(provider, random)));
        targets.push(Target::new(format!("sealed-{}", provider.name()), sealed::property(provider)));
    }
    targets
}

/// The keys that anyone can sign with.
fn demo(provider: &dyn Platform) -> Box<dyn Keys> {
    provider.keys(provider.facts().demo).unwrap_or_else(|error| panic!("the demo credentials: {error}"))
}

/// The source that a request names.
fn source_of(provider: &dyn Platform, request: &Request) -> String {
    source(provider.name(), request.uri().path()).unwrap_or(DEFAULT_SOURCE).to_owned()
}

/// Checks what a refusal says to the sender.
fn check(refused: &Refused) {
    let (reject, status) = (&refused.reject, refused.reject.status());
    assert!((400..500).contains(&status), "{status}");
    assert!(reject.message().len() < 1024, "{}", reject.message());
    assert!(!reject.code().is_empty());
}
