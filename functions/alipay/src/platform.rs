//! Alipay's side: signed forms. The signatures are those of a demo key.

use std::time::Duration;

use bytes::Bytes;
use form_urlencoded::byte_serialize;
use http::{Method, header};
use include_dir::{Dir, include_dir};
use letterbox_codec::{
    Ambient, Rejected, Request, Stage, Timestamp,
    base64::{Engine, STANDARD},
    json::Object,
    platform::{
        AnswerForm, Bilingual, Choice, DeliveryPolicy, DeliveryReference, Field, Mark, Need, Opened,
        Reference, Sample, Sender, Setup, Step, samples_in,
    },
    signature::{fields::Form, sign_rsa_sha256},
    stage::at,
};
use ring::rand::SystemRandom;

use crate::{
    Alipay, Credentials, LEFT_OUT, RSA2, SIGN_TYPE, SIGNATURE, credentials::Region, json, open, signature,
};

const AFTERWARDS: &str = "Alipay does not send the notification again; query the trade by its API";
const CHECKS: &str = "status 200 and the exact acknowledgement";

/// <https://opendocs.alipay.com/open/270/105902> (read 2026-11-26, in a copy of others). No timeout is published.
const DELIVERY_POLICY: DeliveryPolicy = DeliveryPolicy {
    timeout: None,
    accepted: 200..=200,
    retry_delays: &[
        Duration::from_mins(4),
        Duration::from_mins(10),
        Duration::from_mins(10),
        Duration::from_hours(1),
        Duration::from_hours(2),
        Duration::from_hours(6),
        Duration::from_hours(15),
    ],
    afterwards: AFTERWARDS,
    checks: CHECKS,
};

/// <https://docs.antom.com/ac/web/async> (read 2026-11-26). No timeout is published.
const INTERNATIONAL: DeliveryPolicy = DeliveryPolicy {
    timeout: None,
    accepted: 200..=200,
    retry_delays: &[
        Duration::from_mins(2),
        Duration::from_mins(10),
        Duration::from_mins(10),
        Duration::from_hours(1),
        Duration::from_hours(2),
        Duration::from_hours(6),
        Duration::from_hours(15),
    ],
    afterwards: AFTERWARDS,
    checks: CHECKS,
};

static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples");

/// The private half of the demo key, which anyone can sign with; the public half is in the demo credentials.
const DEMO_KEY: &str = include_str!("../demo/private_key.pem");

impl Sender for Alipay {
    const TITLE: &'static str = "Alipay";
    const STEPS: &'static [Step] = &[
        Step::ROUTE,
        Step {
            stage: Stage::Form,
            en: "Form: sign, sign_type, and each name only once",
            zh: "表单：sign、sign_type，且每个参数名只出现一次",
        },
        Step {
            stage: Stage::Key,
            en: "Signature: RSA with SHA-256 over the sorted fields",
            zh: "签名：对排序后的参数验签（RSA-SHA256）",
        },
        Step { stage: Stage::Address, en: "App: app_id", zh: "应用：app_id" },
        Step {
            stage: Stage::Payload,
            en: "Event: its type and the form's character encoding",
            zh: "事件：类型与表单的字符编码",
        },
    ];

    const DEMO: &'static str = include_str!("../../../events/alipay/credentials.json");
    const FIRST_SAMPLE: &'static str = "trade_status_sync";
    const MARK: Option<Mark> = Some(Mark {
        about: "Its body is a form with `sign` and `notify_id`.",
        is_on: |request| {
            Form::parse(request.body())
                .is_ok_and(|form| form.get(SIGNATURE).is_some() && form.get("notify_id").is_some())
        },
    });
    const SETUP: Setup = Setup {
        console: "https://open.alipay.com/",
        fields: &[
            Field::shown(
                "public_key",
                Bilingual {
                    en: "Alipay public key (支付宝公钥), not the app's own",
                    zh: "支付宝公钥（不是应用公钥）",
                },
                Bilingual {
                    en: "the app, development settings (开发设置), interface signing method (接口加签方式): base64 of one line, or a PEM or certificate file",
                    zh: "应用的“开发设置”>“接口加签方式”：一行 base64，或 PEM、证书文件",
                },
            )
            .with_form(AnswerForm::LineOrFile),
            Field::shown(
                "app_id",
                Bilingual { en: "App id (APPID)", zh: "APPID" },
                Bilingual {
                    en: "the app's page; without it, notifications of every app that the key signs for are accepted",
                    zh: "应用页面；不填则接受该公钥签名的所有应用的通知",
                },
            )
            .with_form(AnswerForm::List)
            .with_need(Need::Optional),
            Field::shown(
                "region",
                Bilingual { en: "Region", zh: "地区" },
                Bilingual { en: "which Alipay sends the notifications", zh: "由哪个支付宝发送通知" },
            )
            .with_form(AnswerForm::Choice(&[
                Choice { value: "cn", about: Bilingual { en: "mainland China", zh: "中国内地" } },
                Choice { value: "intl", about: Bilingual { en: "international", zh: "国际" } },
            ]))
            .with_need(Need::Optional),
        ],
        source: "https://opendocs.alipay.com/open/270/105902",
        read: Some("2026-11-26"),
    };
    const REFERENCE: Reference = Reference {
        receives: Bilingual {
            en: "Alipay notifications and gateway messages: RSA2 over the sorted fields of a form",
            zh: "支付宝异步通知和应用网关消息：对排序后的表单参数验签（RSA2）",
        },
        responds: Bilingual { en: "`success` or `SUCCESS`", zh: "`success` 或 `SUCCESS`" },
        console: Bilingual {
            en: "open.alipay.com, your app, development settings: choose public key or certificate as the interface signing method, and copy Alipay's public key. The URL is the `notify_url` of each API call, and for messages the application gateway",
            zh: "open.alipay.com > 应用 > 开发设置：接口加签方式选择公钥或证书，复制支付宝公钥。URL 填在各接口调用的 `notify_url` 中；消息则填在应用网关中",
        },
        delivery: Some(DeliveryReference {
            accepted: Bilingual {
                en: "status 200 and exactly `success` (`SUCCESS` for `intl`)",
                zh: "状态码 200，响应体恰为 `success`（`intl` 为 `SUCCESS`）",
            },
            retries: Bilingual {
                en: "after 4 min (`intl`: 2 min), 10 min, 10 min, 1 h, 2 h, 6 h, 15 h",
                zh: "间隔 4 分钟（`intl` 为 2 分钟）、10 分钟、10 分钟、1 小时、2 小时、6 小时、15 小时",
            },
            title: Bilingual { en: "异步通知说明", zh: "异步通知说明" },
            source: "https://opendocs.alipay.com/open/270/105902",
            read: Some("2026-11-26"),
        }),
    };

    fn samples() -> Vec<Sample> {
        samples_in(SAMPLES.files().map(|file| (file.path(), file.contents())))
    }

    fn delivery_policy(key: &Credentials) -> DeliveryPolicy {
        match key.region {
            Region::Cn => DELIVERY_POLICY,
            Region::Intl => INTERNATIONAL,
        }
    }

    fn id_members(_: &Credentials) -> Vec<&str> {
        vec!["notify_id"]
    }

    /// Signs a form with the demo key. The sample is the JSON object of its fields, or the form itself.
    fn build_request(key: &Credentials, sample: &Sample, url: &str, _: &Ambient) -> Result<Request, String> {
        let mut body = form_of(&sample.payload).unwrap_or_else(|| sample.payload.clone());
        let form = Form::parse(&body).map_err(|_| "expected a form in which each name appears only once")?;
        let [notification, message] = LEFT_OUT;
        let left_out = if form.get("msg_method").is_some() { message } else { notification };
        let sign_type = [SIGN_TYPE.as_bytes(), b"=", RSA2.as_bytes()].concat();
        if form.get(SIGN_TYPE).is_none() {
            body = [body, sign_type].join(&b'&');
        }
        let text = Form::parse(&body).map_err(|reject| reject.message())?.signed_text(left_out);
        let signature = sign_rsa_sha256(DEMO_KEY, &text, &SystemRandom::new());
        let signature = STANDARD.encode(signature.ok_or("the demo key does not sign")?);
        let signature = format!("{SIGNATURE}={}", byte_serialize(signature.as_bytes()).collect::<String>());
        body = [body, signature.into_bytes()].join(&b'&');

        let form = Form::parse(&body).map_err(|reject| reject.message())?;
        let signed = signature_of(key, &form);
        signed.map_err(|_| {
            "the `public_key` is not that of the demo credentials, and for any other key only Alipay can sign; send with the \
             demo credentials, or replay a notification that came"
        })?;
        http::Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
            .body(body.into())
            .map_err(|error| error.to_string())
    }

    fn read_response(
        key: &Credentials,
        _: &Request,
        reply: &http::Response<Bytes>,
    ) -> Result<String, String> {
        DELIVERY_POLICY.acknowledged(reply.status())?;
        let expected = key.region.acknowledgement();
        if reply.body() == expected {
            Ok(expected.to_owned())
        } else {
            Err(format!("expected exactly `{expected}` as the body"))
        }
    }

    fn open(key: &Credentials, message: &Request, _: Timestamp) -> Result<Opened, Rejected> {
        let form = Form::parse(message.body()).map_err(at(Stage::Form))?;
        let signature = signature(&form).map_err(at(Stage::Form))?;
        let signed = open(key, &form, signature.as_deref())?;
        let content = json(&signed).map_err(at(Stage::Payload))?.bytes().to_vec();
        Ok(Opened { content, notes: vec!["signature valid".to_owned()] })
    }
}

/// Whether the key of an entry verifies a form, whatever app it is for.
fn signature_of(key: &Credentials, form: &Form<'_>) -> Result<(), Rejected> {
    let signature = signature(form).map_err(at(Stage::Form))?;
    match open(key, form, signature.as_deref()) {
        Err(rejected) if rejected.stage <= Stage::Key => Err(rejected),
        _ => Ok(()),
    }
}

/// The form of a JSON object: texts, and the JSON of all else. `None` if it is no object.
fn form_of(json: &[u8]) -> Option<Vec<u8>> {
    let object = Object::parse(std::str::from_utf8(json).ok()?).ok()?;
    let pairs = object.members().ok()?.into_iter().map(|(name, value)| {
        let value = serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned());
        let [name, value] = [name, value].map(|text| byte_serialize(text.as_bytes()).collect::<String>());
        format!("{name}={value}")
    });
    Some(pairs.collect::<Vec<_>>().join("&").into_bytes())
}
