//! The payment service's side: signed notices.

use bytes::Bytes;
use http::{Method, header};
use include_dir::{Dir, include_dir};
use letterbox_codec::{
    Ambient, Request,
    platform::{Platform, Sample, read_acknowledgement, samples_in},
};

use crate::{Credentials, Payment};

static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples");

impl Platform for Payment {
    fn samples() -> Vec<Sample> {
        samples_in(SAMPLES.files().map(|file| (file.path(), file.contents())))
    }

    /// Where the type is in a header, the sample's name is the type.
    fn letter(key: &Credentials, sample: &Sample, url: &str, ambient: &Ambient) -> Result<Request, String> {
        let (id, _) = ambient.split::<12, 0>();
        let id = format!("msg_{}", hex::encode(id));
        let mut request = http::Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(header::CONTENT_TYPE, "application/json");
        for (name, value) in key.scheme.sign(&key.secret, "POST", url, &sample.payload, ambient.now, &id) {
            request = request.header(name, value);
        }
        if let Some(name) = &key.type_header {
            request = request.header(name, &sample.name);
        }
        request.body(sample.payload.clone().into()).map_err(|error| error.to_string())
    }

    fn read_reply(_: &Credentials, _: &Request, reply: &http::Response<Bytes>) -> Result<String, String> {
        read_acknowledgement(reply)
    }
}
