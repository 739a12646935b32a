//! WeChat Pay's side: encrypted and signed notifications. The signatures are those of a demo key.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode, header as http_header};
use include_dir::{Dir, include_dir};
use letterbox_codec::{
    Ambient, Reject, Rejected, Request, Stage, Timestamp,
    base64::{Engine, STANDARD},
    json::Object,
    platform::{
        AnswerForm, Bilingual, DeliveryPolicy, DeliveryReference, Field, Mark, Opened, Reference, Sample,
        Sender, Setup, SignatureScheme, Step, read_acknowledgement, samples_in,
    },
    signature::sign_rsa_sha256,
    stage::at,
    timestamp::Unit,
};
use ring::rand::SystemRandom;
use serde_json::{Value, json};

use crate::{
    Credentials, RESOURCE, WeChatPay,
    header::{NONCE, RSA, SERIAL, SIGNATURE, SIGNATURE_TYPE, TIMESTAMP},
    open,
    resource::{ALGORITHM, Sealed},
};

/// Sources, read 2026-11-26:
/// - retries: <https://pay.weixin.qq.com/docs/partner/apis/partner-native-payment/payment-notice.html>. A few products have
///   a table of their own.
/// - five seconds: <https://developers.weixin.qq.com/community/pay/article/doc/00022627378ec8489540ad79f65c13>
const DELIVERY_POLICY: DeliveryPolicy = DeliveryPolicy {
    timeout: Some(Duration::from_secs(5)),
    accepted: 200..=204,
    retry_delays: &[
        Duration::from_secs(15),
        Duration::from_secs(15),
        Duration::from_secs(30),
        Duration::from_mins(3),
        Duration::from_mins(10),
        Duration::from_mins(20),
        Duration::from_mins(30),
        Duration::from_mins(30),
        Duration::from_mins(30),
        Duration::from_hours(1),
        Duration::from_hours(3),
        Duration::from_hours(3),
        Duration::from_hours(3),
        Duration::from_hours(6),
        Duration::from_hours(6),
    ],
    afterwards: "WeChat Pay does not send the notification again; query the order by its API",
    checks: "status 200 or 204",
};

static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples");

/// The private half of the demo key, which anyone can sign with; the public half is in the demo credentials.
const DEMO_KEY: &str = include_str!("../demo/private_key.pem");

impl Sender for WeChatPay {
    const TITLE: &'static str = "WeChat Pay";
    const STEPS: &'static [Step] = &[
        Step::ROUTE,
        Step {
            stage: Stage::Form,
            en: "Headers: Wechatpay-Signature, -Timestamp, -Nonce, -Serial and the signature type",
            zh: "请求头：Wechatpay-Signature、-Timestamp、-Nonce、-Serial 与签名类型",
        },
        Step {
            stage: Stage::Key,
            en: "Signature: RSA with SHA-256 over timestamp, nonce and body, by the key that Wechatpay-Serial names",
            zh: "签名：用 Wechatpay-Serial 指定的公钥，对时间戳、随机串和请求体验签（RSA-SHA256）",
        },
        Step {
            stage: Stage::Seal,
            en: "Decryption: AES-256-GCM of the resource with api_v3_key",
            zh: "解密：使用 api_v3_key 对 resource 做 AES-256-GCM 解密",
        },
        Step {
            stage: Stage::Address,
            en: "Age of the timestamp: at most five minutes, or the tolerance",
            zh: "时间戳：与接收时间相差不超过五分钟，或不超过 tolerance",
        },
        Step {
            stage: Stage::Payload,
            en: "Event: JSON with id, event_type and resource",
            zh: "事件：含 id、event_type 和 resource 的 JSON",
        },
    ];

    const DEMO: &'static str = include_str!("../../../events/wechatpay/credentials.json");
    const FIRST_SAMPLE: &'static str = "TRANSACTION.SUCCESS";
    const MARK: Option<Mark> = Some(Mark {
        about: "It has the header Wechatpay-Signature.",
        is_on: |request| request.headers().contains_key(SIGNATURE),
    });
    const SEALS: Option<&'static str> = Some("a notification's body, with its resource encrypted");
    const SCHEME: SignatureScheme = SignatureScheme::Fixed {
        fields: &[
            ("header", SIGNATURE),
            ("encoding", "base64"),
            ("algorithm", "rsa-sha256"),
            ("template", "{timestamp}\n{header:wechatpay-nonce}\n{body}\n"),
            ("timestamp_header", TIMESTAMP),
            ("type", "event_type"),
        ],
        remedy: "Compare `keys` with the platform's certificates and public keys in the merchant console, and pass the headers and the raw body to the function unchanged.",
        older: None,
    };
    const KEY_HEADER: Option<&'static str> = Some(SERIAL);
    const SETUP: Setup = Setup {
        console: "https://pay.weixin.qq.com/",
        fields: &[
            Field::hidden(
                "api_v3_key",
                Bilingual { en: "APIv3 key", zh: "APIv3 密钥" },
                Bilingual {
                    en: "merchant console, account center (账户中心), API security (API安全): 32 characters",
                    zh: "商户平台的“账户中心”>“API安全”：32 个字符",
                },
            ),
            Field::shown(
                "keys",
                Bilingual {
                    en: "WeChat Pay public key or platform certificate",
                    zh: "微信支付公钥或平台证书",
                },
                Bilingual {
                    en: "the same page: the downloaded PEM file, under its PUB_KEY_ID_… or serial number",
                    zh: "同一页面：下载的 PEM 文件，以及 PUB_KEY_ID_… 或证书序列号",
                },
            )
            .with_form(AnswerForm::Table {
                name: Bilingual {
                    en: "Public key id (PUB_KEY_ID_…) or certificate serial number",
                    zh: "公钥 ID（PUB_KEY_ID_…）或证书序列号",
                },
                of_files: true,
            }),
        ],
        source: "https://pay.weixin.qq.com/docs/partner/apis/partner-native-payment/payment-notice.html",
        read: Some("2026-11-26"),
    };
    const REFERENCE: Reference = Reference {
        receives: Bilingual {
            en: "WeChat Pay APIv3 notifications: RSA-SHA-256 by public key or certificate, resource in AES-256-GCM",
            zh: "微信支付 APIv3 回调通知：用公钥或证书验签（RSA-SHA-256），resource 以 AES-256-GCM 加密",
        },
        responds: Bilingual { en: "`200`", zh: "`200`" },
        console: Bilingual {
            en: "merchant console (pay.weixin.qq.com), account center, API security: set the APIv3 key, and download the WeChat Pay public key with its id, or the platform certificate. The URL is the `notify_url` of each API call",
            zh: "商户平台（pay.weixin.qq.com）> 账户中心 > API 安全：设置 APIv3 密钥，下载微信支付公钥（及公钥 ID）或平台证书。URL 填在各接口调用的 `notify_url` 中",
        },
        delivery: Some(DeliveryReference {
            accepted: Bilingual { en: "200 or 204", zh: "200 或 204" },
            retries: Bilingual {
                en: "after 15 s, 15 s, 30 s, 3 min, 10 min, 20 min, three times 30 min, 60 min, three times 3 h, twice 6 h",
                zh: "间隔 15 秒、15 秒、30 秒、3 分钟、10 分钟、20 分钟、30 分钟（3 次）、60 分钟、3 小时（3 次）、6 小时（2 次）",
            },
            title: Bilingual { en: "支付通知", zh: "支付通知" },
            source: "https://pay.weixin.qq.com/docs/partner/apis/partner-native-payment/payment-notice.html",
            read: Some("2026-11-26"),
        }),
    };

    fn samples() -> Vec<Sample> {
        samples_in(SAMPLES.files().map(|file| (file.path(), file.contents())))
    }

    fn delivery_policy(_: &Credentials) -> DeliveryPolicy {
        DELIVERY_POLICY
    }

    fn headers(_: &Credentials) -> Vec<&str> {
        vec![SIGNATURE, TIMESTAMP, NONCE, SERIAL]
    }

    /// Encrypts the sample, which is a resource, and signs its notification with the demo key. The sample's name is the event
    /// type. A sample that is a whole notification keeps all but its resource.
    fn build_request(
        key: &Credentials,
        sample: &Sample,
        url: &str,
        ambient: &Ambient,
    ) -> Result<Request, String> {
        let (nonce, _) = ambient.split::<16, 0>();
        let body = sealed_body(key, &sample.name, &sample.payload, ambient)?;
        let request = http::Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(http_header::CONTENT_TYPE, "application/json")
            .header(NONCE, hex::encode(nonce))
            .header(SIGNATURE_TYPE, RSA);
        let mut request = request.body(body.into()).map_err(|error| error.to_string())?;
        let random = SystemRandom::new();
        let sign = |text: &[u8]| sign_rsa_sha256(DEMO_KEY, text, &random);
        key.scheme.sign_with(sign, &mut request, ambient.now, "").map_err(|error| error.to_string())?;
        for name in key.names() {
            let name = name.parse().map_err(|_| "keys: expected names that can stand in a header")?;
            request.headers_mut().insert(SERIAL, name);
            if key.verify(&request, ambient.now).is_ok() {
                return Ok(request);
            }
        }
        Err("`keys` has none of the demo credentials' keys, and for any other key only WeChat Pay can sign; send with the demo \
             credentials, or replay a notification that came"
            .to_owned())
    }

    fn read_response(_: &Credentials, _: &Request, reply: &http::Response<Bytes>) -> Result<String, String> {
        match reply.status() {
            StatusCode::OK | StatusCode::NO_CONTENT => read_acknowledgement(&DELIVERY_POLICY, reply),
            status => Err(format!("expected status 200 or 204, got {status}")),
        }
    }

    fn open(key: &Credentials, message: &Request, now: Timestamp) -> Result<Opened, Rejected> {
        if message.headers().contains_key(SIGNATURE) {
            let opened = open(key, message, now)?.map_err(at(Stage::Payload))?;
            let notes = ["signature valid", "resource decrypted"].map(str::to_owned).to_vec();
            return Ok(Opened { content: opened.resource.bytes().to_vec(), notes });
        }
        let body = std::str::from_utf8(message.body()).map_err(|_| Reject::NotUtf8.at(Stage::Payload))?;
        let notification = Object::parse(body).map_err(at(Stage::Payload))?;
        let sealed = Sealed::read(&notification).map_err(at(Stage::Payload))?;
        let resource = sealed.open(&key.api_v3_key).map_err(at(Stage::Seal))?;
        let notes = ["signature not checked: it is in the headers, which are missing", "resource decrypted"];
        Ok(Opened { content: resource.bytes().to_vec(), notes: notes.map(str::to_owned).to_vec() })
    }

    fn seal(key: &Credentials, payload: &[u8], ambient: &Ambient) -> Option<Result<String, String>> {
        let body = sealed_body(key, Self::FIRST_SAMPLE, payload, ambient);
        Some(body.and_then(|body| {
            String::from_utf8(body).map_err(|_| "expected a notification in UTF-8".to_owned())
        }))
    }
}

/// The body of a notification, with its resource encrypted. `payload` is the resource, or a whole notification, which is
/// known by its fields. What is encrypted already, or no JSON object, stays as it is.
fn sealed_body(key: &Credentials, name: &str, payload: &[u8], ambient: &Ambient) -> Result<Vec<u8>, String> {
    let Some(object) = std::str::from_utf8(payload).ok().and_then(|text| Object::parse(text).ok()) else {
        return Ok(payload.to_vec());
    };
    let has = |path: &str| !matches!(object.get(path), Ok(None));
    if has("resource.ciphertext") {
        return Ok(payload.to_vec());
    }
    if !has("event_type") && !has(RESOURCE) {
        let (id, _) = ambient.split::<10, 0>();
        let notification = json!({
            "id": format!("EV-{}", hex::encode(id)),
            "create_time": ambient.now.to_rfc3339(Unit::Seconds),
            "resource_type": "encrypt-resource",
            "event_type": name,
            RESOURCE: sealed(key, name, object.raw().get(), ambient)?,
        });
        return Ok(notification.to_string().into_bytes());
    }
    let Ok(Some(resource)) = object.get(RESOURCE) else { return Ok(payload.to_vec()) };
    let event_type = object.label("event_type").ok().flatten().unwrap_or_default();
    let sealed = sealed(key, &event_type, resource.get(), ambient)?;
    let body = object.with(RESOURCE, &sealed.to_string()).map_err(|reject| reject.message().into_owned())?;
    body.map(String::into_bytes).ok_or_else(|| "resource: expected one value".to_owned())
}

/// An encrypted resource.
fn sealed(key: &Credentials, event_type: &str, resource: &str, ambient: &Ambient) -> Result<Value, String> {
    let (_, nonce) = ambient.split::<16, 6>();
    // As in the platform's own notifications, the nonce is of letters and digits.
    let nonce: [u8; 12] = hex::encode(nonce).into_bytes().try_into().map_err(|_| "a nonce of 12 bytes")?;
    let original_type = event_type.split('.').next().unwrap_or_default().to_lowercase();
    let ciphertext = key
        .api_v3_key
        .seal(nonce, original_type.as_bytes(), resource.as_bytes())
        .ok_or("the resource is too long to encrypt")?;
    Ok(json!({
        "original_type": original_type,
        "algorithm": ALGORITHM,
        "ciphertext": STANDARD.encode(ciphertext),
        "associated_data": original_type,
        "nonce": String::from_utf8_lossy(&nonce),
    }))
}
