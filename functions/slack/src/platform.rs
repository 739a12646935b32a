//! Slack's side: signed events, interactions and commands.

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

use crate::{Body, Credentials, Slack, body, credentials::SIGNATURE};

/// Source, read 2026-11-26: <https://docs.slack.dev/apis/events-api/>. Interactions and commands are not retried.
const DELIVERY_POLICY: DeliveryPolicy = DeliveryPolicy {
    timeout: Some(Duration::from_secs(3)),
    accepted: 200..=299,
    retry_delays: &[Duration::ZERO, Duration::from_mins(1), Duration::from_mins(5)],
    afterwards: "Slack retries events only; it shows an error to the user whose interaction or command got no response, and \
                 turns the app's events off if most of them fail for an hour",
    checks: "status 2xx; for url_verification the challenge, for a command an empty body",
};

static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples");

const FORM: &str = "application/x-www-form-urlencoded";

/// The types of the Events API's own messages. Any other payload without an `event` is an interaction.
const JSON_TYPES: [&str; 3] = ["event_callback", "url_verification", "app_rate_limited"];

impl Sender for Slack {
    const TITLE: &'static str = "Slack";
    const STEPS: &'static [Step] = &[
        Step::ROUTE,
        Step {
            stage: Stage::Form,
            en: "Headers: X-Slack-Signature with `v0=`, X-Slack-Request-Timestamp",
            zh: "请求头：以 `v0=` 开头的 X-Slack-Signature、X-Slack-Request-Timestamp",
        },
        Step {
            stage: Stage::Key,
            en: "Signature: HMAC of version, timestamp and raw body",
            zh: "签名：对版本号、时间戳和原始请求体计算 HMAC",
        },
        Step { stage: Stage::Address, en: "Age of the timestamp", zh: "时间戳是否过期" },
        Step {
            stage: Stage::Payload,
            en: "Event: the type of the JSON, of the form's `payload`, or the command",
            zh: "事件：JSON 的类型、表单 `payload` 的类型，或命令",
        },
    ];

    const DEMO: &'static str = include_str!("../../../events/slack/credentials.json");
    const FIRST_SAMPLE: &'static str = "message";
    const PROBE: Option<&'static str> = Some("url_verification");
    const MARK: Option<Mark> = Some(Mark {
        about: "It has the header X-Slack-Signature.",
        is_on: |request| request.headers().contains_key(SIGNATURE),
    });
    const SCHEME: SignatureScheme = SignatureScheme::Fixed {
        fields: &[
            ("header", SIGNATURE),
            ("prefix", "v0="),
            ("template", "v0:{timestamp}:{body}"),
            ("timestamp_header", "x-slack-request-timestamp"),
            ("type_default", "event"),
        ],
        remedy: "Let the sender sign as Slack does: HMAC-SHA-256 of `v0:timestamp:body` in lower-case hex, behind `v0=`, in X-Slack-Signature. For a sender that signs otherwise there is the provider signed.",
        older: None,
    };
    const SETUP: Setup = Setup {
        console: "https://api.slack.com/apps",
        fields: &[Field::secret(
            Bilingual { en: "Signing Secret", zh: "Signing Secret" },
            Bilingual {
                en: "the app, Basic Information, App Credentials",
                zh: "应用的 Basic Information > App Credentials",
            },
        )],
        source: "https://docs.slack.dev/authentication/verifying-requests-from-slack",
        read: Some("2026-11-26"),
    };
    const REFERENCE: Reference = Reference {
        receives: Bilingual {
            en: "Slack events, interactions and slash commands: HMAC-SHA-256 of version, timestamp and body, JSON or form",
            zh: "Slack 事件、交互与 slash command：对版本号、时间戳和请求体计算的 HMAC-SHA-256，JSON 或表单",
        },
        responds: Bilingual { en: "empty `200`", zh: "空的 `200`" },
        console: Bilingual {
            en: "the app's settings at api.slack.com/apps: paste the URL under Event Subscriptions, Interactivity & Shortcuts, and in each slash command; copy the Signing Secret from Basic Information",
            zh: "api.slack.com/apps 中该应用的设置：在 Event Subscriptions、Interactivity & Shortcuts 以及每个 slash command 中粘贴 URL；从 Basic Information 复制 Signing Secret",
        },
        delivery: Some(DeliveryReference {
            accepted: Bilingual {
                en: "2xx; for `url_verification` the challenge",
                zh: "2xx；`url_verification` 须返回 challenge",
            },
            retries: Bilingual {
                en: "events: at once, after 1 min, after 5 min; interactions and commands: none",
                zh: "事件：立即、1 分钟后、5 分钟后；交互与命令：不重试",
            },
            title: Bilingual { en: "the Events API", zh: "Events API" },
            source: "https://docs.slack.dev/apis/events-api/",
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
        vec!["event_id"]
    }

    /// Builds a signed delivery: JSON for the Events API, a form with `payload` for an interaction, and a form of the
    /// payload's fields for a command. A payload that is no JSON object is sent as it is.
    fn build_request(
        key: &Credentials,
        sample: &Sample,
        url: &str,
        ambient: &Ambient,
    ) -> Result<Request, String> {
        let (media_type, body) = written(&sample.payload);
        let request = http::Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(header::CONTENT_TYPE, media_type)
            .header(header::USER_AGENT, "Slackbot 1.0 (letterbox)");
        let mut request = request.body(body.into()).map_err(|error| error.to_string())?;
        let signed = key.scheme.sign(&key.secret, &mut request, ambient.now, "");
        signed.map_err(|error| error.to_string())?;
        Ok(request)
    }

    fn read_response(
        _: &Credentials,
        request: &Request,
        reply: &http::Response<Bytes>,
    ) -> Result<String, String> {
        let text = read_acknowledgement(&DELIVERY_POLICY, reply)?;
        let sent: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        if sent.get("type").is_some_and(|event_type| event_type == "url_verification") {
            let returned: Value = serde_json::from_str(&text).unwrap_or_default();
            let challenge = sent.get("challenge").and_then(Value::as_str);
            let returned = returned.get("challenge").and_then(Value::as_str);
            return if challenge == returned.or(Some(&*text)) {
                Ok(text)
            } else {
                Err("expected the challenge of the request, as JSON or as text".to_owned())
            };
        }
        let is_form = request.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == FORM);
        if is_form && !text.is_empty() {
            return Err("expected an empty body: Slack shows a text to the user".to_owned());
        }
        Ok(text)
    }

    fn open(key: &Credentials, message: &Request, now: Timestamp) -> Result<Opened, Rejected> {
        let content = key.scheme.verify(&key.secret, message, now)?.content;
        let content = match body(&content).map_err(at(Stage::Payload))? {
            Body::Json => content.bytes().to_vec(),
            Body::Interaction(inner) | Body::Fields(inner) => inner.bytes().to_vec(),
        };
        Ok(Opened { content, notes: vec!["signature valid".to_owned(), "timestamp recent".to_owned()] })
    }
}

/// The content type and the body that a payload is sent with.
fn written(payload: &[u8]) -> (&'static str, Vec<u8>) {
    let parsed: Option<Map<String, Value>> = serde_json::from_slice(payload).ok();
    let text = |name: &str| parsed.as_ref()?.get(name)?.as_str();
    let is_form = parsed.is_none() && payload.contains(&b'=') && !payload.trim_ascii().starts_with(b"{");
    match &parsed {
        Some(fields) if text("command").is_some() || text("ssl_check").is_some() => {
            let pairs = fields
                .iter()
                .map(|(name, value)| (name, value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
            let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            (FORM, form.into_bytes())
        }
        Some(fields)
            if !fields.contains_key("event")
                && text("type").is_some_and(|event_type| !JSON_TYPES.contains(&event_type)) =>
        {
            let payload = String::from_utf8_lossy(payload);
            let mut form = form_urlencoded::Serializer::new(String::new());
            (FORM, form.append_pair("payload", payload.trim()).finish().into_bytes())
        }
        _ if is_form => (FORM, payload.to_vec()),
        _ => ("application/json", payload.to_vec()),
    }
}
