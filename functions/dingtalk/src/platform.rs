//! DingTalk's side: sealed callbacks, and the check of the acknowledgement.

use bytes::Bytes;
use http::{Method, header};
use include_dir::{Dir, include_dir};
use letterbox_codec::{
    Ambient, Request, Timestamp,
    platform::{Platform, Sample, samples_in},
    sealed::{self, Envelope},
};
use serde::Deserialize;

use crate::{Credentials, DingTalk};

static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples");

impl Platform for DingTalk {
    fn samples() -> Vec<Sample> {
        samples_in(SAMPLES.files().map(|file| (file.path(), file.contents())))
    }

    fn letter(key: &Credentials, sample: &Sample, url: &str, ambient: &Ambient) -> Result<Request, String> {
        let (random, nonce) = ambient.split::<16, 8>();
        let Timestamp(now) = ambient.now;
        let (timestamp, nonce) = (now.to_string(), hex::encode(nonce));
        let owner_key = key.owner_key.first().ok_or("owner_key: expected at least one")?;
        let encrypt = sealed::seal(&key.aes_key, random, &sample.payload, owner_key)
            .ok_or("the payload is too long to seal")?;
        let signature = sealed::signature(key.token.expose(), &timestamp, &nonce, &encrypt);
        let separator = if url.contains('?') { '&' } else { '?' };
        http::Request::builder()
            .method(Method::POST)
            .uri(format!(
                "{url}{separator}signature={signature}&msg_signature={signature}&timestamp={timestamp}&nonce={nonce}"
            ))
            .header(header::CONTENT_TYPE, "application/json")
            .body(serde_json::json!({ "encrypt": encrypt }).to_string().into())
            .map_err(|error| error.to_string())
    }

    fn read_reply(
        key: &Credentials,
        _letter: &Request,
        reply: &http::Response<Bytes>,
    ) -> Result<String, String> {
        #[derive(Deserialize)]
        struct Acknowledgement {
            msg_signature: String,
            #[serde(rename = "timeStamp")]
            timestamp: String,
            nonce: String,
            encrypt: String,
        }

        if reply.status() != http::StatusCode::OK {
            return Err(format!("expected status 200, got {}", reply.status()));
        }
        let parts: Acknowledgement = serde_json::from_slice(reply.body())
            .map_err(|_| "expected JSON with msg_signature, timeStamp, nonce and encrypt".to_owned())?;
        let envelope = Envelope {
            signature: &parts.msg_signature,
            timestamp: &parts.timestamp,
            nonce: &parts.nonce,
            encrypt: &parts.encrypt,
        };
        let opened = envelope.verify(&key.token).and_then(|signed| signed.open(&key.aes_key));
        let (message, _) = opened
            .and_then(|opened| opened.addressed_to(&key.owner_key))
            .map_err(|reject| format!("the acknowledgement does not open: {}", reject.code()))?;
        message.text().map(str::to_owned).map_err(|_| "the acknowledgement is not UTF-8".to_owned())
    }
}
