//! The other side of a protocol: what a platform sends, how it delivers, and what it makes of the answer.
//!
//! For sample deliveries, debugging and tests. It lives beside each provider behind the feature `platform`, so that the Lambda
//! binaries do not carry it.

use std::{ops::RangeInclusive, time::Duration};

use bytes::Bytes;
use http::StatusCode;

use crate::{Ambient, Provider, Reject, Request, Timestamp};

/// A decoded payload as the platform would send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its name on the command line.
    pub name: String,
    /// The payload, verbatim.
    pub payload: Vec<u8>,
}

/// How a platform delivers, as far as its documents say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryPolicy {
    /// How long the platform waits for the whole response; `None` if it publishes no limit.
    pub timeout: Option<Duration>,
    /// The response statuses that acknowledge a delivery.
    pub accepted: RangeInclusive<u16>,
    /// The delay before each retry of a delivery that was not acknowledged. Empty if the platform does not retry
    /// automatically, or publishes no schedule.
    pub retry_delays: &'static [Duration],
    /// What the platform does with a delivery that was never acknowledged, for a person to read.
    pub afterwards: &'static str,
    /// What [`Platform::read_reply`] checks, for a person to read.
    pub checks: &'static str,
}

impl DeliveryPolicy {
    /// Checks that a response status acknowledges a delivery. The error names the statuses that do.
    pub fn acknowledged(&self, status: StatusCode) -> Result<(), String> {
        let (first, last) = (self.accepted.start(), self.accepted.end());
        match (self.accepted.contains(&status.as_u16()), first == last) {
            (true, _) => Ok(()),
            (false, true) => Err(format!("expected status {first}, got {status}")),
            (false, false) => Err(format!("expected a status from {first} to {last}, got {status}")),
        }
    }
}

/// A single message in clear, for a person.
#[derive(Debug)]
pub struct Opened {
    /// The payload.
    pub content: Vec<u8>,
    /// What was found to hold, and what could not be checked.
    pub told: Vec<String>,
}

/// A step of opening a delivery, for a person.
#[derive(Debug)]
pub struct Step {
    /// A stable word for it; `signature` and `key` have a meaning, see [`Step::finds_key`].
    pub name: &'static str,
    /// What is looked at, in English.
    pub en: &'static str,
    /// The same in Chinese.
    pub zh: &'static str,
    /// [`Reject::code`]s that mean it failed. Of the last step these are all that no other names.
    pub codes: &'static [&'static str],
}

impl Step {
    /// What every delivery meets first.
    pub const ROUTE: Self = Self {
        name: "route",
        en: "Method, source and size",
        zh: "请求方法、来源与大小",
        codes: &["method_not_allowed", "unknown_source", "too_large"],
    };

    /// What every delivery that is signed in a header meets next.
    pub const SIGNATURE_HEADER: Self = Self {
        name: "header",
        en: "Signature header",
        zh: "签名请求头",
        codes: &["missing_signature", "malformed_signature"],
    };

    /// Whether it is here that one of the source's keys turns out to fit.
    pub fn finds_key(&self) -> bool {
        matches!(self.name, "signature" | "key")
    }

    /// Which of the steps failed, by position. `was_opened` says that all keys held.
    pub fn failed(steps: &[Self], code: &str, was_opened: bool) -> usize {
        // Said of the request as of the payload inside.
        const OF_BOTH: [&str; 4] = ["missing_field", "malformed_field", "invalid_json", "too_large"];
        let last = steps.len().saturating_sub(1);
        let named = steps.iter().position(|step| step.codes.contains(&code));
        named.filter(|_| !(was_opened && OF_BOTH.contains(&code))).unwrap_or(last)
    }
}

/// A platform that can send to its [`Provider`].
pub trait Platform: Provider {
    /// The steps of opening a delivery, in their order; the last makes the event.
    const STEPS: &'static [Step];

    /// The payloads that come with Letterbox, sorted by name.
    fn samples() -> Vec<Sample>;

    /// How the platform delivers. For a provider that serves several platforms, the entry says which one.
    fn delivery_policy(key: &Self::Credentials) -> DeliveryPolicy;

    /// The members of a payload that say which event it is, as paths. None where its content alone does.
    fn id_members(_key: &Self::Credentials) -> Vec<&str> {
        Vec::new()
    }

    /// Seals or signs a payload freshly, as a POST to `url` (which may have a query of its own). Whatever identifies
    /// the delivery is drawn from the entropy, so that an attempt with the same entropy is one at the same delivery.
    /// The error says what of the key, the sample or the URL does not do.
    fn letter(
        key: &Self::Credentials,
        sample: &Sample,
        url: &str,
        ambient: &Ambient,
    ) -> Result<Request, String>;

    /// Verifies and opens the answer as the platform would, and says in clear what it was told.
    /// The error says what the platform would find wrong with it.
    fn read_reply(
        key: &Self::Credentials,
        letter: &Request,
        reply: &http::Response<Bytes>,
    ) -> Result<String, String>;

    /// Opens one message outside of any delivery: a letter (its body, and as much of its headers and URL as there is),
    /// or the body of an answer. `now` is the time that a signed timestamp is held to.
    fn open(key: &Self::Credentials, message: &Request, now: Timestamp) -> Result<Opened, Reject>;

    /// Seals one message outside of any delivery; `None` of a platform that only signs.
    fn seal(_key: &Self::Credentials, _payload: &[u8], _ambient: &Ambient) -> Option<Result<String, String>> {
        None
    }
}

/// Finds the sample of that name; `<name>.legacy` stands in where there is no newer shape.
pub fn sample<P: Platform>(name: &str) -> Option<Sample> {
    let legacy = format!("{name}.legacy");
    let mut samples = P::samples();
    let position = |name: &str| samples.iter().position(|sample| sample.name == name);
    let found = position(name).or_else(|| position(&legacy))?;
    Some(samples.swap_remove(found))
}

/// The samples in a folder of `<name>.json` files.
pub fn samples_in<'a>(files: impl Iterator<Item = (&'a std::path::Path, &'a [u8])>) -> Vec<Sample> {
    let mut samples: Vec<_> = files
        .filter_map(|(path, payload)| {
            let name = path.file_name()?.to_str()?.strip_suffix(".json")?.to_owned();
            Some(Sample { name, payload: payload.to_vec() })
        })
        .collect();
    samples.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    samples
}

/// Returns the body of a response whose status acknowledges a delivery. The error names the statuses that do.
pub fn read_acknowledgement(
    policy: &DeliveryPolicy,
    reply: &http::Response<Bytes>,
) -> Result<String, String> {
    policy.acknowledged(reply.status())?;
    Ok(String::from_utf8_lossy(reply.body()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_acknowledges_or_the_error_says_which_would() {
        let policy = |accepted| DeliveryPolicy {
            timeout: None,
            accepted,
            retry_delays: &[],
            afterwards: "",
            checks: "",
        };
        let (exactly, any) = (policy(200..=200), policy(200..=299));
        assert_eq!(exactly.acknowledged(StatusCode::OK), Ok(()));
        assert_eq!(any.acknowledged(StatusCode::NO_CONTENT), Ok(()));
        for (policy, expected) in [
            (exactly, "expected status 200, got 302 Found"),
            (any, "expected a status from 200 to 299, got 302 Found"),
        ] {
            assert_eq!(policy.acknowledged(StatusCode::FOUND), Err(expected.to_owned()));
        }
    }
}
