//! SNS's side: messages that are signed with the key of the demo certificate.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, header};
use include_dir::{Dir, include_dir};
use letterbox_codec::{
    Ambient, Rejected, Request, Stage, Timestamp,
    base64::{Engine, STANDARD},
    json::Object,
    platform::{
        AnswerForm, Bilingual, DeliveryPolicy, DeliveryReference, Field, Mark, Need, Opened, Reference,
        Sample, Sender, Setup, Step, read_acknowledgement, samples_in,
    },
    timestamp::Unit,
};
use ring::{
    rand::SystemRandom,
    signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::Value;

use crate::{
    Credentials, Sns,
    message::{Kind, Members, Message},
    verify,
};

/// Sources, read 2026-11-26:
/// - 15 s: <https://docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.prepare.html>
/// - three retries, 20 s apart, unless the subscription has a policy of its own:
///   <https://docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.retry.html>
/// - what is not retried, and dead-letter queues:
///   <https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html>
const DELIVERY_POLICY: DeliveryPolicy = DeliveryPolicy {
    timeout: Some(Duration::from_secs(15)),
    accepted: 200..=299,
    retry_delays: &[Duration::from_secs(20), Duration::from_secs(20), Duration::from_secs(20)],
    afterwards: "SNS then discards the message, or moves it to the subscription's dead-letter queue; it retries no 4xx but 429",
    checks: "status 2xx",
};

static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples");

/// The private key of the demo certificates, PKCS #8. It is public, and signs nothing that anyone trusts.
const DEMO_KEY: &[u8] = include_bytes!("demo/key.der");

/// The members that say how a message is signed.
const OF_SIGNATURE: [&str; 3] = ["SignatureVersion", "SigningCertURL", "Signature"];

impl Sender for Sns {
    const TITLE: &'static str = "Amazon SNS";
    const STEPS: &'static [Step] = &[
        Step::ROUTE,
        Step {
            stage: Stage::Form,
            en: "Message: its signed fields, and the URL of the certificate",
            zh: "消息：被签名的字段，以及证书的 URL",
        },
        Step {
            stage: Stage::Key,
            en: "Certificate and signature: RSA over the signed fields",
            zh: "证书与签名：对被签名字段的 RSA 签名",
        },
        Step { stage: Stage::Address, en: "Topic: one of the entry's", zh: "主题：条目中的某一个" },
        Step { stage: Stage::Payload, en: "Event: the message's JSON", zh: "事件：消息的 JSON" },
    ];

    const DEMO: &'static str = include_str!("../../../events/sns/credentials.json");
    const FIRST_SAMPLE: &'static str = "notification";
    const MARK: Option<Mark> = Some(Mark {
        about: "It has the header x-amz-sns-message-type.",
        is_on: |request| request.headers().contains_key("x-amz-sns-message-type"),
    });
    const SETUP: Setup = Setup {
        console: "https://console.aws.amazon.com/sns/v3/home",
        fields: &[
            Field::shown(
                "topic_arn",
                Bilingual { en: "Topic ARN", zh: "主题 ARN" },
                Bilingual { en: "SNS, Topics, the topic's ARN", zh: "SNS > 主题：主题的 ARN" },
            )
            .with_form(AnswerForm::List),
            Field::shown(
                "confirm",
                Bilingual {
                    en: "Confirm subscriptions of this topic automatically",
                    zh: "自动确认该主题的订阅",
                },
                Bilingual {
                    en: "if not, your consumer opens the SubscribeURL of the queued confirmation",
                    zh: "否则由消费者访问队列中确认消息的 SubscribeURL",
                },
            )
            .with_form(AnswerForm::Flag)
            .with_need(Need::Optional),
        ],
        source: "https://docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.prepare.html",
        read: Some("2026-11-26"),
    };
    const REFERENCE: Reference = Reference {
        receives: Bilingual {
            en: "Amazon SNS over HTTPS: RSA signatures, with certificates fetched from SNS or pinned",
            zh: "通过 HTTPS 的 Amazon SNS：RSA 签名，证书从 SNS 获取或预先固定",
        },
        responds: Bilingual { en: "`200`", zh: "`200`" },
        console: Bilingual {
            en: "SNS, Subscriptions, Create subscription: choose your topic and the protocol HTTPS, enter the URL as the endpoint, and leave raw message delivery off",
            zh: "SNS > 订阅 > 创建订阅：选择主题，协议选 HTTPS，终端节点填写 URL，不要启用原始消息传输",
        },
        delivery: Some(DeliveryReference {
            accepted: Bilingual { en: "2xx", zh: "2xx" },
            retries: Bilingual {
                en: "3, 20 s apart, after 5xx, 429 and timeouts; a delivery policy of the subscription can change that",
                zh: "响应 5xx、429 或超时后重试 3 次，间隔 20 秒；可用订阅的传输策略修改",
            },
            title: Bilingual { en: "message delivery retries", zh: "消息传输重试" },
            source: "https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html",
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
        vec!["MessageId"]
    }

    /// Builds a signed delivery. A payload with a `Type` of SNS is a message: it gets the fields that it lacks, and a signature
    /// of its own. Any other is the `Message` of a notification.
    fn build_request(
        key: &Credentials,
        sample: &Sample,
        url: &str,
        ambient: &Ambient,
    ) -> Result<Request, String> {
        let pair = RsaKeyPair::from_pkcs8(DEMO_KEY).map_err(|error| error.to_string())?;
        let public = pair.public_key().as_ref();
        let pinned = key.certificates.iter().find(|(_, pinned)| pinned.0.key() == public);
        let (certificate, _) = pinned.ok_or(
            "certificates: only SNS has the private key of its certificates; pin the demo certificate of events/sns/credentials.json in order to send",
        )?;
        let Ok(message) = String::from_utf8(sample.payload.clone()) else {
            // No message of SNS, which is text; so nothing can be signed.
            return post(url, Kind::Notification, ("", ""), sample.payload.clone());
        };
        let (kind, envelope) = kind_of(&message).map_or_else(
            || {
                let members = serde_json::json!({ "Type": Kind::Notification.name(), "Message": message });
                (Kind::Notification, members.to_string())
            },
            |kind| (kind, message.clone()),
        );
        let own = [
            ("MessageId", uuid(ambient)),
            ("TopicArn", key.topic_arn.first().cloned().unwrap_or_default()),
            ("Timestamp", ambient.now.write(Unit::Rfc3339)),
        ];
        let unsigned = with_members(&envelope, &own)?;
        let members = members(&unsigned)?;
        let text = members.signed_text(kind).map_err(|reject| reject.message().into_owned())?;
        let mut signature = vec![0; pair.public().modulus_len()];
        // The signature does not depend on the random bytes, which only hide the key from others on this machine.
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|error| error.to_string())?;
        let values = ["2".to_owned(), certificate.clone(), STANDARD.encode(signature)];
        let signed: Vec<_> = OF_SIGNATURE.into_iter().zip(values).collect();
        let signed = with_members(&unsigned, &signed)?;
        let text_of = |name| members.optional(name).ok().flatten().unwrap_or_default();
        post(url, kind, (&text_of("MessageId"), &text_of("TopicArn")), signed.into_bytes())
    }

    fn read_response(_: &Credentials, _: &Request, reply: &http::Response<Bytes>) -> Result<String, String> {
        read_acknowledgement(&DELIVERY_POLICY, reply)
    }

    fn open(key: &Credentials, message: &Request, now: Timestamp) -> Result<Opened, Rejected> {
        let read = Message::read(message)?;
        let (_, content) = verify(std::slice::from_ref(key), &read, message, now)?;
        let notes = vec!["signature valid".to_owned(), format!("topic {}", read.topic)];
        Ok(Opened { content: content.bytes().to_vec(), notes })
    }
}

/// The request with which SNS posts a message of a kind, with its id and its topic.
fn post(url: &str, kind: Kind, (id, topic): (&str, &str), body: Vec<u8>) -> Result<Request, String> {
    let request = http::Request::builder()
        .method(Method::POST)
        .uri(url)
        .header(header::CONTENT_TYPE, "text/plain; charset=UTF-8")
        .header(header::USER_AGENT, "Amazon Simple Notification Service Agent")
        .header("x-amz-sns-message-type", kind.name())
        .header("x-amz-sns-message-id", id)
        .header("x-amz-sns-topic-arn", topic);
    let request = match kind {
        Kind::Notification => request
            .header("x-amz-sns-subscription-arn", format!("{topic}:2bcfbf39-05c3-41de-beaa-fcfcc21c8f55")),
        Kind::Subscription | Kind::Unsubscription => request,
    };
    request.body(body.into()).map_err(|error| error.to_string())
}

/// The kind of a payload that is a message.
fn kind_of(text: &str) -> Option<Kind> {
    Kind::of(&members(text).ok()?.optional("Type").ok()??)
}

fn members(text: &str) -> Result<Members<'_>, String> {
    let members = Object::parse(text).and_then(|object| object.members());
    members.map(Members).map_err(|reject| reject.message().into_owned())
}

/// The JSON object without the members of a signature, and with those at its end that it lacks. Values stay as they are.
fn with_members(text: &str, more: &[(&'static str, String)]) -> Result<String, String> {
    let known = members(text)?.0.into_iter().filter(|(name, _)| !OF_SIGNATURE.contains(&name.as_str()));
    let mut written: Vec<_> =
        known.map(|(name, value)| (Value::from(name).to_string(), value.get().to_owned())).collect();
    for (name, value) in more {
        let name = Value::from(*name).to_string();
        if !written.iter().any(|(known, _)| *known == name) {
            written.push((name, Value::from(value.as_str()).to_string()));
        }
    }
    let written: Vec<_> = written.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    Ok(format!("{{{}}}", written.join(",")))
}

/// A random UUID (version 4).
fn uuid(ambient: &Ambient) -> String {
    let (mut bytes, _) = ambient.split::<16, 0>();
    for (at, keep, version) in [(6, 0x0f, 0x40), (8, 0x3f, 0x80)] {
        if let Some(byte) = bytes.get_mut(at) {
            *byte = *byte & keep | version;
        }
    }
    let mut uuid = hex::encode(bytes);
    for hyphen in [20, 16, 12, 8] {
        uuid.insert(hyphen, '-');
    }
    uuid
}
