//! The platform's side of a protocol: what it sends, how it delivers, and how it reads the response.
//!
//! It serves sample deliveries, debugging and tests. Each provider implements it under the feature `sender`, so that the
//! Lambda binaries do not contain it.

mod bilingual;
mod fields;

use std::{ops::RangeInclusive, time::Duration};

use bytes::Bytes;
use http::StatusCode;

pub use self::bilingual::Bilingual;
pub use self::fields::{AnswerForm, Choice, Field, Need, Setup, Variant};

use crate::{Ambient, Provider, Rejected, Request, Stage, Timestamp};

/// A decoded payload as the platform would send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The name on the command line.
    pub name: String,
    /// The payload, verbatim.
    pub payload: Vec<u8>,
}

/// How a platform delivers, according to its documentation.
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
    /// What [`Sender::read_response`] checks, for a person to read.
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

/// The platform's part of the reference pages, in Markdown.
#[derive(Debug)]
pub struct Reference {
    /// What the provider receives, and how it is protected: a cell of the README's table.
    pub receives: Bilingual<&'static str>,
    /// Its response to an accepted delivery: a cell of the same table.
    pub responds: Bilingual<&'static str>,
    /// What to enter in the platform's console.
    pub console: Bilingual<&'static str>,
    /// How the platform delivers; `None` if that depends on the entry.
    pub delivery: Option<DeliveryReference>,
}

/// What the reference pages add to a [`DeliveryPolicy`], in Markdown.
#[derive(Debug)]
pub struct DeliveryReference {
    /// Which response the platform accepts.
    pub accepted: Bilingual<&'static str>,
    /// When the platform retries.
    pub retries: Bilingual<&'static str>,
    /// The title of the page that the facts are from.
    pub title: Bilingual<&'static str>,
    /// Its URL.
    pub source: &'static str,
    /// The date on which it was last read, as `2026-01-31`; `None` if that was not recorded.
    pub read: Option<&'static str>,
}

/// A single decoded message, for display.
#[derive(Debug)]
pub struct Opened {
    /// The payload.
    pub content: Vec<u8>,
    /// The checks that passed, and those that were not possible.
    pub notes: Vec<String>,
}

/// What one stage checks, for display. A provider has no step for a stage at which it refuses nothing.
#[derive(Debug)]
pub struct Step {
    /// The stage.
    pub stage: Stage,
    /// What is checked, in English.
    pub en: &'static str,
    /// The same in Chinese.
    pub zh: &'static str,
}

impl Step {
    /// The first step of every delivery.
    pub const ROUTE: Self =
        Self { stage: Stage::Route, en: "Method, source and size", zh: "请求方法、来源与大小" };

    /// The second step of every delivery that is signed in a header.
    pub const SIGNATURE_HEADER: Self =
        Self { stage: Stage::Form, en: "Signature header", zh: "签名请求头" };
}

/// How deliveries of a platform can be recognised without credentials.
#[derive(Debug)]
pub struct Mark {
    /// What they have, as a sentence.
    pub about: &'static str,
    /// True if a request has it.
    pub is_on: fn(&Request) -> bool,
}

/// The HMAC scheme that a platform signs its deliveries with.
#[derive(Debug)]
pub enum SignatureScheme {
    /// The deliveries are not signed with an HMAC.
    NotHmac,
    /// Each entry of the credentials describes its own.
    InEntry,
    /// It is the same for every source.
    Fixed {
        /// The fields of a described sender's entry that mean the same scheme, without the secret.
        fields: &'static [(&'static str, &'static str)],
        /// What a sender must do to conform, for a person to read.
        remedy: &'static str,
        /// An older signature that the platform sends in a header of its own, if it does.
        older: Option<OlderSignature>,
    },
}

/// A signature that an entry can accept in place of the scheme's own, where a sender has no other.
#[derive(Debug)]
pub struct OlderSignature {
    /// The header that holds it.
    pub header: &'static str,
    /// The field that accepts it if it is `true`.
    pub field: &'static str,
    /// What a delivery has that is signed in this way only, as a sentence.
    pub about: &'static str,
    /// What to do, for a person to read.
    pub remedy: &'static str,
}

/// The platform's side of a [`Provider`]: it builds deliveries and reads the responses.
pub trait Sender: Provider {
    /// The platform's name as people write it: the label of its parameter in the template, and part of descriptions there.
    const TITLE: &'static str = Self::NAME;
    /// True if whoever sets up the webhook chooses its only secret, so that the stack can generate it. False if the
    /// platform issues the secret, or its entry has other required fields than `secret`.
    const CHOSEN_SECRET: bool = false;
    /// True if the template has it on, with a generated secret, unless its parameter says otherwise.
    const ON_BY_DEFAULT: bool = false;
    /// The steps of verifying and decoding a delivery, in the order of their stages.
    const STEPS: &'static [Step];
    /// The demo credentials JSON, which anyone can sign with.
    const DEMO: &'static str;
    /// The name of the sample to try first.
    const FIRST_SAMPLE: &'static str;
    /// The name of the sample with which the platform tests a URL, if the function answers it without an event.
    const PROBE: Option<&'static str> = None;
    /// How its deliveries can be recognised without credentials, if that is possible.
    const MARK: Option<Mark> = None;
    /// What [`Sender::seal`] returns, for a person to read; `None` if the platform only signs.
    const SEALS: Option<&'static str> = None;
    /// How its deliveries are signed.
    const SCHEME: SignatureScheme = SignatureScheme::NotHmac;
    /// The header that names, among the entry's `keys`, the public key that verifies a delivery, if there is one.
    const KEY_HEADER: Option<&'static str> = None;

    /// What to ask whoever sets up the webhook.
    const SETUP: Setup;
    /// The platform's part of the reference pages.
    const REFERENCE: Reference;

    /// The sample payloads, sorted by name.
    fn samples() -> Vec<Sample>;

    /// The senders that it serves under presets, sorted by name.
    fn variants() -> Vec<Variant> {
        Vec::new()
    }

    /// How the platform delivers. For a provider that serves several platforms, the entry says which one.
    fn delivery_policy(key: &Self::Credentials) -> DeliveryPolicy;

    /// The paths of the payload's fields that identify the event. Empty if only its content does.
    fn id_members(_key: &Self::Credentials) -> Vec<&str> {
        Vec::new()
    }

    /// The headers with signatures and signed values, as far as an entry names them.
    fn headers(_key: &Self::Credentials) -> Vec<&str> {
        Vec::new()
    }

    /// Builds a signed (where the protocol encrypts, encrypted) POST to `url`, which may have a query string. The delivery
    /// id comes from `ambient.entropy`: a retry with the same entropy keeps the id. The error says what is wrong with the
    /// key, the sample or the URL.
    fn build_request(
        key: &Self::Credentials,
        sample: &Sample,
        url: &str,
        ambient: &Ambient,
    ) -> Result<Request, String>;

    /// Verifies and decodes the response as the platform would, and returns its content. The error says why the platform
    /// would not accept it.
    fn read_response(
        key: &Self::Credentials,
        request: &Request,
        response: &http::Response<Bytes>,
    ) -> Result<String, String>;

    /// Decodes one message outside of a delivery: a request (its body, and the headers and the URL that are known), or the
    /// body of a response. A signed timestamp is compared with `now`.
    fn open(key: &Self::Credentials, message: &Request, now: Timestamp) -> Result<Opened, Rejected>;

    /// Encrypts one message outside of a delivery; `None` if the platform only signs.
    fn seal(_key: &Self::Credentials, _payload: &[u8], _ambient: &Ambient) -> Option<Result<String, String>> {
        None
    }
}

/// The samples in a folder, sorted by name: that of the file without its extension.
pub fn samples_in<'a>(files: impl Iterator<Item = (&'a std::path::Path, &'a [u8])>) -> Vec<Sample> {
    let mut samples: Vec<_> = files
        .filter_map(|(path, payload)| {
            let name = path.file_stem()?.to_str()?.to_owned();
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
