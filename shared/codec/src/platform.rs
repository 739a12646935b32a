//! The other side of a protocol: what a platform sends, and what it makes of the answer.
//!
//! For sample deliveries and tests. It lives beside each provider behind the feature `platform`, so that the Lambda
//! binaries do not carry it.

use bytes::Bytes;

use crate::{Ambient, Provider, Request};

/// A decoded payload as the platform would send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its name on the command line.
    pub name: String,
    /// The payload, verbatim.
    pub payload: Vec<u8>,
}

/// A platform that can send to its [`Provider`].
pub trait Platform: Provider {
    /// The payloads that come with Letterbox, sorted by name.
    fn samples() -> Vec<Sample>;

    /// Seals or signs a payload freshly, as a POST to `url` (which may have a query of its own).
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

/// The answer that only acknowledges: `202 {"status":"accepted"}`.
pub fn read_acknowledgement(reply: &http::Response<Bytes>) -> Result<String, String> {
    if reply.status() == http::StatusCode::ACCEPTED {
        Ok(String::from_utf8_lossy(reply.body()).into_owned())
    } else {
        Err(format!("expected status 202, got {}", reply.status()))
    }
}
