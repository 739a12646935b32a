//! Twilio's side: signed forms, and JSON whose hash is in the URL.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, header};
use include_dir::{Dir, include_dir};
use letterbox_codec::{
    Ambient, Rejected, Request, Stage, Timestamp,
    platform::{
        Bilingual, DeliveryPolicy, DeliveryReference, Field, Mark, Opened, Reference, Sample, Sender, Setup,
        SignatureScheme, Step, read_acknowledgement, samples_in,
    },
    stage::at,
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::{
    Credentials, DELIVERY, Twilio,
    credentials::{BODY_HASH, SIGNATURE},
    verify,
};

/// Source, read 2026-11-26: <https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides>. Event Streams waits
/// 5 s and retries for four hours: <https://www.twilio.com/docs/events/event-delivery-and-duplication>.
const DELIVERY_POLICY: DeliveryPolicy = DeliveryPolicy {
    timeout: Some(Duration::from_secs(15)),
    accepted: 200..=299,
    retry_delays: &[],
    afterwards: "Twilio requests the fallback URL, if there is one; it retries a response with an error only if the URL ends \
                 with overrides such as #rc=3&rp=all. Event Streams retries for four hours, but not after a 4xx",
    checks: "status 2xx; a body that is TwiML, as text/xml",
};

static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples");

impl Sender for Twilio {
    const TITLE: &'static str = "Twilio";
    const STEPS: &'static [Step] = &[
        Step::ROUTE,
        Step {
            stage: Stage::Form,
            en: "Header X-Twilio-Signature; a form, or JSON with bodySHA256 in the query string",
            zh: "请求头 X-Twilio-Signature；表单，或查询字符串中带 bodySHA256 的 JSON",
        },
        Step {
            stage: Stage::Key,
            en: "Signature: HMAC-SHA-1 of the URL and the form's sorted fields; hash of a JSON body",
            zh: "签名：对 URL 和排序后的表单字段计算 HMAC-SHA-1；JSON 请求体的哈希",
        },
        Step { stage: Stage::Payload, en: "Event: fields or JSON", zh: "事件：字段或 JSON" },
    ];

    const DEMO: &'static str = include_str!("../../../events/twilio/credentials.json");
    const FIRST_SAMPLE: &'static str = "message";
    const MARK: Option<Mark> = Some(Mark {
        about: "It has the header X-Twilio-Signature.",
        is_on: |request| request.headers().contains_key(SIGNATURE),
    });
    const SCHEME: SignatureScheme = SignatureScheme::Fixed {
        fields: &[
            ("header", SIGNATURE),
            ("algorithm", "sha1"),
            ("encoding", "base64"),
            ("template", "{url}{form}"),
            ("type_default", "event"),
        ],
        remedy: "Let the sender sign as Twilio does: HMAC-SHA-1 of the URL and the sorted form fields, as base64, in X-Twilio-Signature. For a sender that signs otherwise there is the provider signed.",
        older: None,
    };
    const SETUP: Setup = Setup {
        console: "https://console.twilio.com/",
        fields: &[Field::secret(
            Bilingual { en: "Auth token", zh: "Auth token" },
            Bilingual {
                en: "the account's dashboard, or API keys & tokens",
                zh: "账号首页，或 API keys & tokens",
            },
        )],
        source: "https://www.twilio.com/docs/usage/webhooks/webhooks-security",
        read: Some("2026-11-26"),
    };
    const REFERENCE: Reference = Reference {
        receives: Bilingual {
            en: "Twilio messages, calls and Event Streams: HMAC-SHA-1 of the URL and the sorted form fields, or JSON with its hash",
            zh: "Twilio 消息、来电与 Event Streams：对 URL 和排序后的表单字段计算的 HMAC-SHA-1，或带哈希的 JSON",
        },
        responds: Bilingual { en: "empty TwiML", zh: "空的 TwiML" },
        console: Bilingual {
            en: "the phone number or messaging service: paste the URL as webhook with HTTP POST; copy the auth token from the account's API keys & tokens",
            zh: "电话号码或 messaging service：将 URL 粘贴为 webhook，方法选 HTTP POST；从账号的 API keys & tokens 复制 auth token",
        },
        delivery: Some(DeliveryReference {
            accepted: Bilingual { en: "2xx; TwiML or an empty body", zh: "2xx；TwiML 或空响应体" },
            retries: Bilingual {
                en: "none after an error, unless the URL ends with `#rc=…&rp=…`; Event Streams for four hours",
                zh: "出错后不重试，除非 URL 以 `#rc=…&rp=…` 结尾；Event Streams 重试四小时",
            },
            title: Bilingual { en: "connection overrides", zh: "Connection overrides" },
            source: "https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides",
            read: Some("2026-11-26"),
        }),
    };

    fn samples() -> Vec<Sample> {
        samples_in(SAMPLES.files().map(|file| (file.path(), file.contents())))
    }

    fn delivery_policy(_: &Credentials) -> DeliveryPolicy {
        DELIVERY_POLICY
    }

    fn id_members(_: &Credentials) -> Vec<&str> {
        vec!["MessageSid", "SmsSid", "CallSid", "id"]
    }

    /// Builds a signed delivery: a form of the payload's fields if it is a JSON object of strings, else JSON with its hash in
    /// the URL. A payload that begins like a form, such as `To=`, is sent as one, as it is.
    fn build_request(
        key: &Credentials,
        sample: &Sample,
        url: &str,
        ambient: &Ambient,
    ) -> Result<Request, String> {
        let (media_type, body) = written(&sample.payload);
        let url = if media_type == FORM {
            url.to_owned()
        } else {
            let separator = if url.contains('?') { '&' } else { '?' };
            format!("{url}{separator}{BODY_HASH}={}", hex::encode(Sha256::digest(&body)))
        };
        let (token, _) = ambient.split::<16, 0>();
        let request = http::Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(header::CONTENT_TYPE, media_type)
            .header(header::USER_AGENT, "TwilioProxy/1.1 (letterbox)")
            .header(DELIVERY, hex::encode(token));
        let mut request = request.body(body.into()).map_err(|error| error.to_string())?;
        let url = key.urls(&request).into_iter().next().unwrap_or_default();
        let signed = key.scheme.with_url(url).sign(&key.secret, &mut request, ambient.now, "");
        signed.map_err(|error| error.to_string())?;
        Ok(request)
    }

    fn read_response(_: &Credentials, _: &Request, reply: &http::Response<Bytes>) -> Result<String, String> {
        let text = read_acknowledgement(&DELIVERY_POLICY, reply)?;
        let media_type = reply.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_xml = media_type
            .is_some_and(|value| value.starts_with("text/xml") || value.starts_with("application/xml"));
        if text.is_empty() || (is_xml && text.contains("<Response")) {
            Ok(text)
        } else {
            Err("expected TwiML with the content type text/xml, or an empty body".to_owned())
        }
    }

    fn open(key: &Credentials, message: &Request, now: Timestamp) -> Result<Opened, Rejected> {
        let signed = verify(key, message, &Ambient { now, entropy: [0; Ambient::ENTROPY] })?;
        signed.content.text().map_err(at(Stage::Payload))?;
        let content = if signed.has_body_hash {
            signed.content.bytes().to_vec()
        } else {
            signed.content.form().map_err(at(Stage::Payload))?.bytes().to_vec()
        };
        Ok(Opened { content, notes: vec!["signature valid".to_owned()] })
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

/// The content type and the body that a payload is sent with.
fn written(payload: &[u8]) -> (&'static str, Vec<u8>) {
    let fields: Option<Map<String, Value>> = serde_json::from_slice(payload).ok();
    match fields.as_ref().map(pairs) {
        Some(Some(pairs)) => {
            let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            (FORM, form.into_bytes())
        }
        None if begins_like_a_form(payload) => (FORM, payload.to_vec()),
        _ => ("application/json", payload.to_vec()),
    }
}

/// True if a payload begins with a name as Twilio's fields have them: a capital letter, at least one more letter or digit, and
/// `=`.
fn begins_like_a_form(payload: &[u8]) -> bool {
    let name = payload.split(|byte| *byte == b'=').next().unwrap_or_default();
    name.len() > 1
        && name.len() < payload.len()
        && name.first().is_some_and(u8::is_ascii_uppercase)
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The fields of an object of strings and of lists of strings; `None` for any other object.
fn pairs(fields: &Map<String, Value>) -> Option<Vec<(&str, &str)>> {
    let each = fields.iter().map(|(name, value)| {
        let values = match value {
            Value::Array(values) => values.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?,
            value => vec![value.as_str()?],
        };
        Some(values.into_iter().map(|value| (name.as_str(), value)).collect::<Vec<_>>())
    });
    each.collect::<Option<Vec<_>>>().map(|each| each.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_sent_as_what_it_is() {
        for (payload, media_type, body) in [
            (r#"{"To":"+1","Media":["a","b"]}"#, FORM, "To=%2B1&Media=a&Media=b"),
            (r#"{"count":1}"#, "application/json", r#"{"count":1}"#),
            (r#"{"Media":["a",1]}"#, "application/json", r#"{"Media":["a",1]}"#),
            ("[]", "application/json", "[]"),
            ("To=%2B1", FORM, "To=%2B1"),
            ("To2_A=", FORM, "To2_A="),
            ("T=1", "application/json", "T=1"),
            ("to=1", "application/json", "to=1"),
            ("T-o=1", "application/json", "T-o=1"),
            ("To", "application/json", "To"),
            ("", "application/json", ""),
        ] {
            assert_eq!(written(payload.as_bytes()), (media_type, body.as_bytes().to_vec()), "{payload}");
        }
    }

    #[test]
    fn a_form_is_opened_as_json_and_anything_else_as_it_is() {
        let entry = r#"{"secret":"12345678901234567890123456789012","url":"https://localhost/twilio"}"#;
        let key: Credentials = serde_json::from_str(entry).unwrap();
        let ambient = Ambient { now: Timestamp(0), entropy: [0; Ambient::ENTROPY] };
        for (payload, expected) in
            [("To=%2B1", r#"{"To":"+1"}"#), (r#"{"count":1}"#, r#"{"count":1}"#), ("text", "text")]
        {
            let sample = Sample { name: "sample".into(), payload: payload.into() };
            let request = Twilio::build_request(&key, &sample, "https://localhost/twilio", &ambient).unwrap();
            let opened = Twilio::open(&key, &request, ambient.now).unwrap();
            assert_eq!(String::from_utf8(opened.content).unwrap(), expected);
        }
    }
}
