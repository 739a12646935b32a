//! Discord's side: signed interactions and webhook events, and the check of the response.

use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};
use http::{Method, StatusCode, header};
use include_dir::{Dir, include_dir};
use letterbox_codec::{
    Ambient, Provider, Reject, Rejected, Request, Stage, Timestamp,
    json::Object,
    platform::{
        Bilingual, DeliveryPolicy, DeliveryReference, Field, Mark, Opened, Reference, Sample, Sender, Setup,
        SignatureScheme, Step, samples_in,
    },
    timestamp::Unit,
};

use crate::{Credentials, Discord, EVENT, PING, SIGNATURE, TIMESTAMP, WEBHOOK_PING};

/// Sources, read 2026-11-26: <https://discord.com/developers/docs/interactions/receiving-and-responding> (3 s) and
/// <https://discord.com/developers/docs/events/webhook-events> (3 s, retries with growing delays for up to 10 minutes).
const DELIVERY_POLICY: DeliveryPolicy = DeliveryPolicy {
    timeout: Some(Duration::from_secs(3)),
    accepted: 200..=204,
    retry_delays: &[],
    afterwards: "Discord retries no interaction: the user sees that it failed. It retries a webhook event for up to 10 minutes with delays that it does not publish, and disables a URL that fails too often",
    checks: "a response that fits the interaction, as application/json; 204 for a webhook event",
};

/// The private key of the demo entry, in hex. It protects nothing: everyone has it.
const DEMO_KEY: &str = include_str!("../demo.key");

static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples");

/// The `type` of the responses that Discord takes for each `type` of an interaction.
const RESPONSES: [(&str, &[&str]); 5] = [
    (PING, &["1"]),
    ("2", &["4", "5", "9", "12"]),
    ("3", &["4", "5", "6", "7", "9", "12"]),
    ("4", &["8"]),
    ("5", &["4", "5", "6", "7", "12"]),
];

impl Sender for Discord {
    const TITLE: &'static str = "Discord";
    const STEPS: &'static [Step] = &[
        Step::ROUTE,
        Step {
            stage: Stage::Form,
            en: "Headers: X-Signature-Ed25519 and X-Signature-Timestamp",
            zh: "请求头：X-Signature-Ed25519 和 X-Signature-Timestamp",
        },
        Step {
            stage: Stage::Key,
            en: "Signature: Ed25519 of timestamp and raw body, with public_key",
            zh: "签名：使用 public_key 对时间戳和原始请求体进行 Ed25519 验签",
        },
        Step {
            stage: Stage::Payload,
            en: "Event: JSON with a type; an interaction has an id",
            zh: "事件：含 type 的 JSON；交互还有 id",
        },
    ];

    const DEMO: &'static str = include_str!("../../../events/discord/credentials.json");
    const FIRST_SAMPLE: &'static str = "application_command";
    const PROBE: Option<&'static str> = Some("ping");
    const MARK: Option<Mark> = Some(Mark {
        about: "It has the header X-Signature-Ed25519.",
        is_on: |request| request.headers().contains_key(SIGNATURE),
    });
    const SCHEME: SignatureScheme = SignatureScheme::Fixed {
        fields: &[
            ("header", SIGNATURE),
            ("algorithm", "ed25519"),
            ("template", "{header:x-signature-timestamp}{body}"),
            ("type", "type"),
        ],
        remedy: "Discord signs timestamp and raw body with Ed25519, in hex in X-Signature-Ed25519. For a sender that signs otherwise there is the provider signed.",
        older: None,
    };
    const SETUP: Setup = Setup {
        console: "https://discord.com/developers/applications",
        fields: &[Field::shown(
            "public_key",
            Bilingual { en: "Public Key", zh: "Public Key" },
            Bilingual {
                en: "the application, General Information: 64 hex digits",
                zh: "应用的 General Information：64 位十六进制",
            },
        )],
        source: "https://discord.com/developers/docs/interactions/overview",
        read: Some("2026-11-26"),
    };
    const REFERENCE: Reference = Reference {
        receives: Bilingual {
            en: "Discord interactions and webhook events: Ed25519 over timestamp and body",
            zh: "Discord 交互与 Webhook 事件：对时间戳和请求体的 Ed25519 签名",
        },
        responds: Bilingual { en: "deferred response, PONG, or `204`", zh: "延后回复、PONG 或 `204`" },
        console: Bilingual {
            en: "the application in the Developer Portal: copy Public Key from General Information; paste the URL as Interactions Endpoint URL there, and as Endpoint URL under Webhooks",
            zh: "开发者后台中的应用：从 General Information 复制 Public Key；将 URL 填入同一页的 Interactions Endpoint URL，以及 Webhooks 页的 Endpoint URL",
        },
        delivery: Some(DeliveryReference {
            accepted: Bilingual {
                en: "an interaction: JSON that fits it; a webhook event: 204",
                zh: "交互：与之相符的 JSON；Webhook 事件：204",
            },
            retries: Bilingual {
                en: "interactions none; webhook events for up to 10 min",
                zh: "交互不重试；Webhook 事件最多重试 10 分钟",
            },
            title: Bilingual { en: "webhook events", zh: "Webhook 事件" },
            source: "https://discord.com/developers/docs/events/webhook-events",
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
        vec!["id"]
    }

    fn headers(_: &Credentials) -> Vec<&str> {
        vec![SIGNATURE, TIMESTAMP]
    }

    /// Builds a delivery that is signed with the demo's private key, where the entry has its public key.
    fn build_request(
        key: &Credentials,
        sample: &Sample,
        url: &str,
        ambient: &Ambient,
    ) -> Result<Request, String> {
        let request = http::Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, "Discord-Interactions/1.0 (+https://discord.com)")
            .header(TIMESTAMP, ambient.now.write(Unit::Seconds));
        let mut request = request.body(sample.payload.clone().into()).map_err(|error| error.to_string())?;
        let provider = Self::new(&[])?;
        let private_key = demo_key()?;
        let sign = |text: &[u8]| Some(private_key.sign(text).to_bytes().to_vec());
        let signed = provider.scheme.sign_with(sign, &mut request, ambient.now, "");
        signed.map_err(|error| error.to_string())?;
        match provider.verify(key, &request, ambient.now) {
            Ok(_) => Ok(request),
            Err(_) => Err("public_key: only Discord has its private key; take the key of the demo entry, or send a delivery again that Discord has sent".to_owned()),
        }
    }

    fn read_response(
        _: &Credentials,
        request: &Request,
        response: &http::Response<Bytes>,
    ) -> Result<String, String> {
        DELIVERY_POLICY.acknowledged(response.status())?;
        let text = |body: &Bytes| String::from_utf8_lossy(body).into_owned();
        let sent = text(request.body());
        let sent = Object::parse(&sent).map_err(|_| "the request is no JSON object")?;
        let number = sent.scalar("type").ok().flatten().unwrap_or_default();
        let is_webhook = *number == *WEBHOOK_PING || matches!(sent.get(EVENT), Ok(Some(_)));
        let body = text(response.body());
        let (status, is_empty) = (response.status(), body.is_empty());
        if is_webhook {
            let is_accepted = status == StatusCode::NO_CONTENT && is_empty;
            return if is_accepted { Ok(body) } else { Err("expected status 204 without a body".to_owned()) };
        }
        // The response to an interaction, but not to a test, may come by the API.
        if status == StatusCode::ACCEPTED && is_empty && *number != *PING {
            return Ok(body);
        }
        let media_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if media_type.is_none_or(|value| !value.starts_with("application/json")) {
            return Err("expected the content type application/json".to_owned());
        }
        let given = Object::parse(&body).map_err(|_| "expected a JSON object")?;
        let given = given.scalar("type").ok().flatten().unwrap_or_default();
        let taken = RESPONSES.iter().find(|(of, _)| *of == number).map_or(&[][..], |(_, taken)| taken);
        if taken.contains(&&*given) {
            Ok(body)
        } else {
            Err(format!("expected a response with the type {}", taken.join(", ")))
        }
    }

    fn open(key: &Credentials, message: &Request, now: Timestamp) -> Result<Opened, Rejected> {
        // Creating Discord's own scheme cannot fail.
        let provider = Self::new(&[]).map_err(|_| Reject::MalformedSignature.at(Stage::Form))?;
        let content = provider.verify(key, message, now)?;
        Ok(Opened { content: content.bytes().to_vec(), notes: vec!["signature valid".to_owned()] })
    }
}

fn demo_key() -> Result<SigningKey, String> {
    let bytes = hex::decode(DEMO_KEY.trim()).map_err(|error| error.to_string())?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| "the demo's private key: expected 32 bytes")?;
    Ok(SigningKey::from_bytes(&bytes))
}
