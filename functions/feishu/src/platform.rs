//! Feishu's side: events, cards and challenges.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, header};
use include_dir::{Dir, include_dir};
use letterbox_codec::{
    Ambient, Rejected, Request, Stage, Timestamp,
    feishu::{self, Content, Delivery, NONCE, SIGNATURE, TIMESTAMP},
    json::Object,
    platform::{
        Bilingual, DeliveryPolicy, DeliveryReference, Field, Mark, Need, Opened, Reference, Sample, Sender,
        Setup, Step, samples_in,
    },
    timestamp::Unit,
};

use crate::{Credentials, Feishu, SCHEMA_1, SCHEMA_2};

/// Source: open.feishu.cn, "Event subscription overview": 3 s, then after 15 s, 5 min, 1 h and 6 h. Read on 2026-11-26.
const DELIVERY_POLICY: DeliveryPolicy = DeliveryPolicy {
    timeout: Some(Duration::from_secs(3)),
    accepted: 200..=200,
    retry_delays: &[
        Duration::from_secs(15),
        Duration::from_mins(5),
        Duration::from_hours(1),
        Duration::from_hours(6),
    ],
    afterwards: "Feishu gives the event up after the fourth retry; it retries no card callback: the user sees an error",
    checks: "status 200, JSON, and the value of a challenge",
};

static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples");

impl Sender for Feishu {
    const TITLE: &'static str = "Feishu";
    const STEPS: &'static [Step] = &[
        Step::ROUTE,
        Step {
            stage: Stage::Form,
            en: "Headers and body: X-Lark-Signature with its timestamp and nonce; JSON, encrypted or in clear",
            zh: "请求头与请求体：X-Lark-Signature 及其时间戳、nonce；JSON，加密或明文",
        },
        Step {
            stage: Stage::Key,
            en: "Signature: SHA-256 with encrypt_key, of old cards SHA-1 with verification_token; in clear, the token",
            zh: "签名：使用 encrypt_key 的 SHA-256，旧版卡片为使用 verification_token 的 SHA-1；明文时校验 token",
        },
        Step {
            stage: Stage::Seal,
            en: "Decryption: AES-256-CBC with encrypt_key; what is not signed must be a challenge",
            zh: "解密：使用 encrypt_key 的 AES-256-CBC；没有签名的只能是 challenge",
        },
        Step {
            stage: Stage::Address,
            en: "Age of the timestamp; verification_token",
            zh: "时间戳是否过期；verification_token",
        },
        Step {
            stage: Stage::Payload, en: "Event: JSON with an event type", zh: "事件：含事件类型的 JSON"
        },
    ];

    const DEMO: &'static str = include_str!("../../../events/feishu/credentials.json");
    const FIRST_SAMPLE: &'static str = "im.message.receive_v1";
    const PROBE: Option<&'static str> = Some("url_verification");
    const MARK: Option<Mark> = Some(Mark {
        about: "It has the header X-Lark-Signature.",
        is_on: |request| request.headers().contains_key(SIGNATURE),
    });
    const SEALS: Option<&'static str> = Some("a body: encrypt");
    const SETUP: Setup = Setup {
        console: "https://open.feishu.cn/app",
        fields: &[
            Field::hidden(
                "verification_token",
                Bilingual { en: "Verification Token", zh: "Verification Token" },
                Bilingual {
                    en: "the app, Events & callbacks (事件与回调), Encryption strategy (加密策略)",
                    zh: "应用的“事件与回调”>“加密策略”",
                },
            ),
            Field::hidden(
                "encrypt_key",
                Bilingual { en: "Encrypt Key", zh: "Encrypt Key" },
                Bilingual {
                    en: "the same page; without it, events come in clear and only the token proves their origin",
                    zh: "同一页面；不设置时事件为明文，来源仅由 token 证明",
                },
            )
            .with_need(Need::Optional),
        ],
        source: "https://open.feishu.cn/document/server-docs/event-subscription-guide/overview",
        read: Some("2026-11-26"),
    };
    const REFERENCE: Reference = Reference {
        receives: Bilingual {
            en: "events and cards of Feishu and Lark: SHA-256 or SHA-1 signature, AES-256-CBC, or in clear with a token",
            zh: "飞书和 Lark 的事件与卡片：SHA-256 或 SHA-1 签名，AES-256-CBC 加密，或明文加 token",
        },
        responds: Bilingual { en: "`{}`, or the challenge", zh: "`{}`，或 challenge" },
        console: Bilingual {
            en: "the app's Events & callbacks: choose to send to a developer's server, and paste the URL for events and for callbacks; copy Encrypt Key and Verification Token from Encryption strategy",
            zh: "应用的“事件与回调”：订阅方式选择“将事件发送至开发者服务器”，事件与回调的请求地址都填 URL；从“加密策略”复制 Encrypt Key 和 Verification Token",
        },
        delivery: Some(DeliveryReference {
            accepted: Bilingual { en: "status 200, and JSON", zh: "状态码 200 和 JSON" },
            retries: Bilingual {
                en: "events after 15 s, 5 min, 1 h and 6 h; cards none",
                zh: "事件在 15 秒、5 分钟、1 小时、6 小时后重试；卡片不重试",
            },
            title: Bilingual { en: "event subscription", zh: "事件订阅概述" },
            source: "https://open.feishu.cn/document/server-docs/event-subscription-guide/overview",
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
        vec![SCHEMA_2.id, SCHEMA_1.id]
    }

    fn headers(_: &Credentials) -> Vec<&str> {
        vec![SIGNATURE, TIMESTAMP, NONCE]
    }

    /// Builds a delivery as the payload demands: a challenge is not signed, and an old card is signed with SHA-1. The
    /// payload's own verification token becomes that of the entry.
    fn build_request(
        key: &Credentials,
        sample: &Sample,
        url: &str,
        ambient: &Ambient,
    ) -> Result<Request, String> {
        let (iv, nonce) = ambient.split::<16, 8>();
        let (timestamp, nonce) = (ambient.now.write(Unit::Seconds), hex::encode(nonce));
        let payload = with_token(key, &sample.payload);
        let body = match &key.encrypt_key {
            Some(encrypt_key) => encrypted(&encrypt_key.seal(iv, &payload)),
            None => payload.clone(),
        };
        let signature = signature(key, Kind::of(&payload), &timestamp, &nonce, &body);
        let mut request = http::Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8");
        if let Some(signature) = signature {
            request = request.header(TIMESTAMP, timestamp).header(NONCE, nonce).header(SIGNATURE, signature);
        }
        request.body(body.into()).map_err(|error| error.to_string())
    }

    fn read_response(
        key: &Credentials,
        request: &Request,
        response: &http::Response<Bytes>,
    ) -> Result<String, String> {
        DELIVERY_POLICY.acknowledged(response.status())?;
        let text = std::str::from_utf8(response.body()).map_err(|_| "expected JSON, got no UTF-8")?;
        let body = Object::parse(text).map_err(|_| "expected a JSON object")?;
        // At the time of its own timestamp the request is fresh.
        let sent = request.headers().get(TIMESTAMP).and_then(|value| value.to_str().ok());
        let sent = sent.and_then(|text| Timestamp::parse(text, Unit::Seconds)).unwrap_or(Timestamp(0));
        let challenge = match Delivery::read(request.headers(), request.body()) {
            Ok(delivery) => match key.open(&delivery, sent) {
                Ok(Content::Challenge { challenge, .. }) => Some(challenge),
                _ => None,
            },
            Err(_) => None,
        };
        let answered = body.get("challenge").ok().flatten();
        let answered = answered.and_then(|value| serde_json::from_str::<String>(value.get()).ok());
        match challenge {
            Some(challenge) if answered.as_ref() != Some(&challenge) => {
                Err(format!("expected {{\"challenge\": {challenge:?}}}"))
            }
            Some(challenge) => Ok(challenge),
            None => Ok(text.to_owned()),
        }
    }

    fn open(key: &Credentials, message: &Request, now: Timestamp) -> Result<Opened, Rejected> {
        let opened = open(key, message.headers(), message.body(), now);
        if opened.is_ok() || !message.headers().is_empty() {
            return opened;
        }
        // A body alone, whose signature is not known, is signed again, since only a signed one can be decrypted.
        let signed = [Kind::Event, Kind::Card].into_iter().find_map(|kind| {
            let headers = signed_again(key, kind, message.body(), now)?;
            open(key, &headers, message.body(), now).ok()
        });
        let unchecked = "signature not checked: it is in headers, which are missing".to_owned();
        signed.map_or(opened, |signed| Ok(Opened { notes: vec![unchecked], ..signed }))
    }

    fn seal(key: &Credentials, payload: &[u8], ambient: &Ambient) -> Option<Result<String, String>> {
        let (iv, _) = ambient.split::<16, 0>();
        Some(match &key.encrypt_key {
            Some(encrypt_key) => {
                Ok(String::from_utf8_lossy(&encrypted(&encrypt_key.seal(iv, payload))).into_owned())
            }
            None => Err("encrypt_key: the entry has none, so there is nothing to encrypt with".to_owned()),
        })
    }
}

/// Verifies and decrypts a delivery.
fn open(key: &Credentials, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Opened, Rejected> {
    const TOKEN: &str = "the verification token matches";
    let delivery = Delivery::read(headers, body)?;
    let (content, note) = match key.open(&delivery, now)? {
        Content::Challenge { content, .. } => (content.into_owned(), TOKEN),
        Content::Event(content) => (content.bytes().to_vec(), TOKEN),
        Content::Card(content) => (content.bytes().to_vec(), "the signature of an old card is valid"),
    };
    Ok(Opened { content, notes: vec![note.to_owned()] })
}

/// The signature of a body with that content; `None` if the platform does not sign it.
fn signature(key: &Credentials, kind: Kind, timestamp: &str, nonce: &str, body: &[u8]) -> Option<String> {
    match (kind, &key.encrypt_key) {
        (Kind::Challenge, _) | (Kind::Event, None) => None,
        (Kind::Event, Some(encrypt_key)) => Some(encrypt_key.signature(timestamp, nonce, body)),
        (Kind::Card, _) => Some(feishu::card_signature(&key.verification_token, timestamp, nonce, body)),
    }
}

/// The headers of a signature that is made now.
fn signed_again(key: &Credentials, kind: Kind, body: &[u8], now: Timestamp) -> Option<HeaderMap> {
    let (timestamp, nonce) = (now.write(Unit::Seconds), "letterbox");
    let signature = signature(key, kind, &timestamp, nonce, body)?;
    let headers = [(SIGNATURE, signature), (TIMESTAMP, timestamp), (NONCE, nonce.to_owned())];
    headers
        .into_iter()
        .map(|(name, value)| Some((HeaderName::from_static(name), value.parse().ok()?)))
        .collect()
}

/// A body with an encrypted message.
fn encrypted(encrypt: &str) -> Vec<u8> {
    serde_json::json!({ "encrypt": encrypt }).to_string().into_bytes()
}

/// What a payload is, which decides how it is signed.
#[derive(PartialEq, Eq)]
enum Kind {
    Challenge,
    Event,
    Card,
}

impl Kind {
    fn of(payload: &[u8]) -> Self {
        let object = std::str::from_utf8(payload).ok().and_then(|text| Object::parse(text).ok());
        let Some(object) = object else { return Self::Event };
        let has = |field: &str| matches!(object.get(field), Ok(Some(_)));
        match object.label("type") {
            Ok(Some(kind)) if kind == feishu::CHALLENGE && !has("schema") => Self::Challenge,
            _ if has("schema") || has("type") => Self::Event,
            _ => Self::Card,
        }
    }
}

/// The payload with the entry's verification token in place of its own, and everything else unchanged.
fn with_token(key: &Credentials, payload: &[u8]) -> Vec<u8> {
    let replaced = || {
        let text = std::str::from_utf8(payload).ok()?;
        let object = Object::parse(text).ok()?;
        let field = match Kind::of(payload) {
            Kind::Card => return None,
            _ if matches!(object.get("schema"), Ok(Some(_))) => "header.token",
            _ => "token",
        };
        let given = object.get(field).ok().flatten()?.get();
        // `given` is a part of `text`: its place is the distance of the two.
        let start = given.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
        let (before, rest) = text.split_at_checked(start)?;
        let after = rest.strip_prefix(given)?;
        let token = serde_json::Value::from(key.verification_token.expose());
        Some(format!("{before}{token}{after}").into_bytes())
    };
    replaced().unwrap_or_else(|| payload.to_vec())
}
