//! GitHub's side: signed deliveries.

use bytes::Bytes;
use http::{Method, header};
use include_dir::{Dir, include_dir};
use letterbox_codec::{
    Ambient, Provider, Request,
    platform::{Platform, Sample, read_acknowledgement, samples_in},
};

use crate::{Credentials, GitHub};

static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples");

impl Platform for GitHub {
    fn samples() -> Vec<Sample> {
        samples_in(SAMPLES.files().map(|file| (file.path(), file.contents())))
    }

    /// The sample's name, up to a dot, is the event type.
    fn letter(key: &Credentials, sample: &Sample, url: &str, ambient: &Ambient) -> Result<Request, String> {
        let scheme = Self::new(&[])?.sha256;
        let event_type = sample.name.split('.').next().unwrap_or_default();
        let mut request = http::Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, "GitHub-Hookshot/letterbox")
            .header("x-github-event", event_type)
            .header("x-github-delivery", guid(ambient))
            .header("x-github-hook-id", "327865514")
            .header("x-github-hook-installation-target-type", "repository")
            .header("x-github-hook-installation-target-id", "357383239");
        for (name, value) in scheme.sign(&key.secret, "POST", url, &sample.payload, ambient.now, "") {
            request = request.header(name, value);
        }
        request.body(sample.payload.clone().into()).map_err(|error| error.to_string())
    }

    fn read_reply(_: &Credentials, _: &Request, reply: &http::Response<Bytes>) -> Result<String, String> {
        read_acknowledgement(reply)
    }
}

/// A random GUID, as `X-GitHub-Delivery` holds one.
fn guid(ambient: &Ambient) -> String {
    let (bytes, _) = ambient.split::<16, 0>();
    let mut guid = hex::encode(bytes);
    for hyphen in [20, 16, 12, 8] {
        guid.insert(hyphen, '-');
    }
    guid
}
