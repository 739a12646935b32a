//! The payment service's side: signed notices.

use bytes::Bytes;
use http::{Method, header};
use include_dir::{Dir, include_dir};
use letterbox_codec::{
    Ambient, Reject, Request, Timestamp,
    platform::{DeliveryPolicy, Opened, Platform, Sample, Step, read_acknowledgement, samples_in},
};

use crate::{Credentials, Payment, manners};

static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples");

impl Platform for Payment {
    const STEPS: &'static [Step] = &[
        Step::ROUTE,
        Step::SIGNATURE_HEADER,
        Step {
            name: "signature",
            en: "Signature: HMAC of the signed text",
            zh: "签名：对被签名的文本计算 HMAC",
            codes: &["signature_mismatch"],
        },
        Step {
            name: "timestamp",
            en: "Age of the signed timestamp, where there is one",
            zh: "签名中的时间戳是否过期（如果有）",
            codes: &["malformed_timestamp", "timestamp_out_of_range"],
        },
        Step { name: "event", en: "Event: its type and JSON", zh: "事件：类型与 JSON", codes: &[] },
    ];

    fn samples() -> Vec<Sample> {
        samples_in(SAMPLES.files().map(|file| (file.path(), file.contents())))
    }

    fn delivery_policy(key: &Credentials) -> DeliveryPolicy {
        manners::of(key.preset.as_deref())
    }

    fn id_members(key: &Credentials) -> Vec<&str> {
        key.id.as_deref().into_iter().collect()
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
            if sample.name.is_empty() {
                return Err(format!("{name}: expected an event type"));
            }
            request = request.header(name, &sample.name);
        }
        request.body(sample.payload.clone().into()).map_err(|error| error.to_string())
    }

    fn read_reply(key: &Credentials, _: &Request, reply: &http::Response<Bytes>) -> Result<String, String> {
        read_acknowledgement(&Self::delivery_policy(key), reply)
    }

    fn open(key: &Credentials, message: &Request, now: Timestamp) -> Result<Opened, Reject> {
        let signed = key.scheme.verify(&key.secret, message, now)?;
        let mut told = vec!["signature holds".to_owned()];
        told.extend(signed.id.map(|id| format!("signed id {id}")));
        Ok(Opened { content: signed.content.bytes().to_vec(), told })
    }
}
