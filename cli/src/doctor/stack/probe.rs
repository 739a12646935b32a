//! Probes: deliveries that a deployed function answers without an event on the queue.

use letterbox_codec::{Ambient, Request, Stage, platform::Sample};
use letterbox_registry::{Keys, Platform};
use serde::Serialize;

/// Payloads that no platform sends. The first is not JSON; the second is not text.
const UNUSABLE: [&[u8]; 2] = [b"letterbox doctor", b"\xff letterbox doctor"];

/// What a probe shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A signed test that the platform sends as well, answered without an event.
    Test,
    /// A signed delivery whose payload is unusable: the function refuses it once it has verified the signature.
    Signed,
    /// Only the platform can sign. A delivery without a signature is refused once the function has loaded.
    Unsigned,
}

impl Kind {
    /// What is sent, for a person to read.
    pub fn about(self) -> &'static str {
        match self {
            Self::Test => "a signed test of the platform",
            Self::Signed => "a signed delivery with an unusable payload",
            Self::Unsigned => "a delivery without a signature, because only the platform can sign",
        }
    }
}

/// The response that the function gives with the credentials of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// One that the platform accepts.
    Accepted,
    /// A refusal with this status.
    Refused(u16),
}

/// A request to a deployed function.
#[derive(Debug)]
pub struct Probe {
    /// What it shows.
    pub kind: Kind,
    /// The request.
    pub request: Request,
    /// The response to it.
    pub expected: Expected,
}

impl Probe {
    /// Builds the probe of a source. Each candidate is tried on this machine first, with the function's own code: one that
    /// would put an event on the queue is never sent.
    pub fn new(
        platform: &dyn Platform,
        keys: &dyn Keys,
        source: &str,
        url: &str,
        ambient: &Ambient,
    ) -> Result<Self, String> {
        let facts = platform.facts();
        let entry = keys.first(source)?;
        let test = facts.probe.and_then(|name| platform.sample(name));
        let unusable = UNUSABLE.iter().map(|payload| (Kind::Signed, sample(facts.first_sample, payload)));
        let candidates = test.map(|sample| (Kind::Test, sample)).into_iter().chain(unusable);
        for (kind, sample) in candidates {
            let Ok(request) = entry.build_request(&sample, url, ambient) else { continue };
            let expected = match keys.receive(source, &request, ambient) {
                Ok(received) if received.queued_event().is_none() => Expected::Accepted,
                Err(refused) if refused.stage == Stage::Payload => Expected::Refused(refused.reject.status()),
                _ => continue,
            };
            return Ok(Self { kind, request, expected });
        }
        let unsigned = http::Request::post(url)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body("{}".into())
            .map_err(|error| error.to_string())?;
        match keys.receive(source, &unsigned, ambient) {
            Err(refused) => Ok(Self {
                kind: Kind::Unsigned,
                request: unsigned,
                expected: Expected::Refused(refused.reject.status()),
            }),
            Ok(_) => Err("every delivery that could be built would put an event on the queue".to_owned()),
        }
    }
}

fn sample(name: &str, payload: &[u8]) -> Sample {
    Sample { name: name.to_owned(), payload: payload.to_vec() }
}

#[cfg(test)]
mod tests {
    use letterbox_codec::Timestamp;
    use letterbox_registry::PROVIDERS;

    use super::*;

    #[test]
    fn no_probe_of_a_demo_source_puts_an_event_on_the_queue() {
        let ambient = Ambient { now: Timestamp(1_763_719_200_000), entropy: [7; Ambient::ENTROPY] };
        for platform in PROVIDERS {
            let keys = platform.keys(platform.facts().demo).unwrap();
            for source in keys.sources() {
                let name = format!("{}/{source}", platform.name());
                let url = format!("https://hooks.example.com/{name}");
                let probe = Probe::new(*platform, &*keys, source, &url, &ambient).unwrap();
                match (keys.receive(source, &probe.request, &ambient), probe.expected) {
                    (Ok(received), Expected::Accepted) => {
                        assert!(received.queued_event().is_none(), "{name}");
                    }
                    (Err(refused), Expected::Refused(status)) => {
                        assert_eq!(refused.reject.status(), status, "{name}");
                        assert_eq!(refused.stage == Stage::Payload, probe.kind == Kind::Signed, "{name}");
                    }
                    (received, expected) => panic!("{name}: {expected:?}, but {:?}", received.is_ok()),
                }
            }
        }
    }

    #[test]
    fn a_test_that_a_provider_names_is_answered_without_an_event() {
        let ambient = Ambient { now: Timestamp(1_763_719_200_000), entropy: [7; Ambient::ENTROPY] };
        for platform in PROVIDERS.iter().filter(|platform| platform.facts().probe.is_some()) {
            let keys = platform.keys(platform.facts().demo).unwrap();
            let source = keys.sources()[0].to_owned();
            let url = format!("https://hooks.example.com/{}/{source}", platform.name());
            let probe = Probe::new(*platform, &*keys, &source, &url, &ambient).unwrap();
            assert_eq!((probe.kind, probe.expected), (Kind::Test, Expected::Accepted), "{}", platform.name());
        }
    }
}
