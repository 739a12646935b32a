//! The sender's side: how each preset's sender delivers and is set up, and signed samples.
//!
//! For the local program and tests; the Lambda binaries do not carry it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Method, header};
use letterbox_codec::{
    Ambient, Rejected, Request, Stage, Timestamp,
    platform::{
        self, AnswerForm, Bilingual, DeliveryPolicy, Field, Opened, Reference, Sample, Setup,
        SignatureScheme, Step, Variant, read_acknowledgement,
    },
};

use crate::{Branch, Credentials, Described, presets::Preset};

/// One sender: what its file says besides the scheme.
#[derive(Debug)]
pub struct Sender {
    /// The preset's name.
    pub name: &'static str,
    /// What the sender is called.
    pub title: &'static str,
    /// The URL of the documentation that these facts are from.
    pub source: &'static str,
    /// The date on which it was last read, as `2026-01-31`.
    pub read: &'static str,
    /// How the sender delivers.
    pub policy: DeliveryPolicy,
    /// What the sender does with a delivery that was never acknowledged.
    pub afterwards: Bilingual<&'static str>,
    /// What to do in the sender's console.
    pub setup: Bilingual<&'static [&'static str]>,
    /// Facts that the sender's documentation does not confirm.
    pub uncertain: Bilingual<&'static [&'static str]>,
    /// A signed request.
    pub proof: Proof,
}

/// A request that was signed outside of this project, and what its event is.
#[derive(Debug)]
pub struct Proof {
    /// What made the signature.
    pub from: &'static str,
    /// True if only this project's own signer made it.
    pub is_own: bool,
    /// The field of an entry that holds the key: `secret` or `public_key`.
    pub key_field: &'static str,
    /// The key, as it stands in an entry.
    pub key: &'static str,
    /// The signed timestamp in Unix milliseconds; `None` if the scheme has none.
    pub signed_at: Option<i64>,
    /// The URL that was called, if the scheme signs it.
    pub url: Option<&'static str>,
    /// The headers that count.
    pub headers: &'static [(&'static str, &'static str)],
    /// The body.
    pub body: &'static str,
    /// The facts of the event; `None` if the body is not one.
    pub event: Option<ProofEvent>,
}

/// The facts of a proof's event. What is `None` is not in the payload.
#[derive(Debug)]
pub struct ProofEvent {
    /// The sender's own type, without the provider's prefix.
    pub event_type: &'static str,
    /// What the event is about.
    pub subject: Option<&'static str>,
    /// The sender's id of the event.
    pub id: Option<&'static str>,
    /// The sender's time of the event, in RFC 3339.
    pub time: Option<&'static str>,
}

const SECRET: Field = Field::secret(
    Bilingual { en: "Signing secret", zh: "签名密钥" },
    Bilingual {
        en: "the sender's notification settings: the secret, whole, as it is shown there",
        zh: "发送方的通知设置：完整的密钥，与页面显示一致",
    },
);

const PUBLIC_KEY: Field = Field::shown(
    "public_key",
    Bilingual { en: "Public key of the sender", zh: "发送方的公钥" },
    Bilingual {
        en: "the sender's notification settings or documentation: on one line, or as a PEM file",
        zh: "发送方的通知设置或文档：一行文本，或 PEM 文件",
    },
)
.with_form(AnswerForm::LineOrFile);

const VERIFY_TOKEN: Field = Field::hidden(
    "verify_token",
    Bilingual { en: "Verify token", zh: "验证 token" },
    Bilingual {
        en: "a text that you choose and enter beside the URL; the sender repeats it when it tests the URL",
        zh: "自行选择并与 URL 一起填写的文本；发送方验证 URL 时会带上它",
    },
);

impl Sender {
    fn variant(&self) -> Variant {
        let has_token = Preset::find(self.name).is_some_and(Preset::has_token);
        let key = if self.proof.key_field == PUBLIC_KEY.name { PUBLIC_KEY } else { SECRET };
        let mut example: serde_json::Map<_, _> =
            [("preset", self.name), (self.proof.key_field, self.proof.key)]
                .map(|(field, value)| (field.to_owned(), value.into()))
                .into_iter()
                .collect();
        if has_token {
            example.insert(VERIFY_TOKEN.name.to_owned(), "example".into());
        }
        Variant {
            name: self.name,
            title: self.title,
            steps: self.setup,
            fields: std::iter::once(key).chain(has_token.then_some(VERIFY_TOKEN)).collect(),
            example: serde_json::Value::Object(example).to_string(),
            source: self.source,
            read: self.read,
        }
    }
}

/// Every preset's sender, sorted by name.
#[allow(clippy::pedantic, reason = "generated")]
pub static SENDERS: &[Sender] = include!(concat!(env!("OUT_DIR"), "/senders.rs"));

/// The preset whose delivery policy stands for a sender that is not known: the specification's advice to all senders.
pub const ANY: &str = "standard-webhooks";

/// A sender of which nothing is known but that any 2xx acknowledges.
const UNKNOWN: DeliveryPolicy = DeliveryPolicy {
    timeout: None,
    accepted: 200..=299,
    retry_delays: &[],
    afterwards: "no retry schedule of this sender is known",
    checks: "status 2xx",
};

/// The branch's samples.
pub trait Samples: Branch {
    /// [`platform::Sender::TITLE`].
    const TITLE: &'static str;
    /// [`Reference::receives`].
    const RECEIVES: Bilingual<&'static str>;
    /// [`platform::Sender::DEMO`].
    const DEMO: &'static str;
    /// [`platform::Sender::FIRST_SAMPLE`].
    const FIRST_SAMPLE: &'static str;

    /// [`platform::Sender::samples`].
    fn samples() -> Vec<Sample>;
}

impl<B: Samples> platform::Sender for Described<B> {
    const TITLE: &'static str = B::TITLE;
    const CHOSEN_SECRET: bool = true;
    const STEPS: &'static [Step] = &[
        Step::ROUTE,
        Step::SIGNATURE_HEADER,
        Step {
            stage: Stage::Key,
            en: "Signature: of the signed text, or the secret itself",
            zh: "签名：对被签名的文本，或密钥本身",
        },
        Step {
            stage: Stage::Address,
            en: "Age of the signed timestamp, where there is one",
            zh: "签名中的时间戳是否过期（如果有）",
        },
        Step { stage: Stage::Payload, en: "Event: its type and JSON", zh: "事件：类型与 JSON" },
    ];

    const DEMO: &'static str = B::DEMO;
    const FIRST_SAMPLE: &'static str = B::FIRST_SAMPLE;
    const SCHEME: SignatureScheme = SignatureScheme::InEntry;
    const SETUP: Setup = Setup {
        console: "",
        fields: &[SECRET],
        source: "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
        read: Some("2026-11-26"),
    };
    const REFERENCE: Reference = Reference {
        receives: B::RECEIVES,
        responds: Bilingual { en: "`202`", zh: "`202`" },
        console: Bilingual {
            en: "the notification settings: paste the URL; copy the signing secret",
            zh: "通知设置：粘贴 URL；复制签名密钥",
        },
        delivery: None,
    };

    fn samples() -> Vec<Sample> {
        B::samples()
    }

    fn variants() -> Vec<Variant> {
        SENDERS.iter().map(Sender::variant).collect()
    }

    fn delivery_policy(key: &Credentials) -> DeliveryPolicy {
        let name = key.preset.map_or(ANY, |preset| preset.name);
        let sender = SENDERS.iter().find(|sender| sender.name == name);
        sender.map_or(UNKNOWN, |sender| sender.policy.clone())
    }

    fn id_members(key: &Credentials) -> Vec<&str> {
        key.id.as_deref().into_iter().collect()
    }

    fn headers(key: &Credentials) -> Vec<&str> {
        key.scheme.headers().chain(key.event_headers()).map(HeaderName::as_str).collect()
    }

    /// Where the type is in a header, the sample's name is the type, without the folder of its preset.
    fn build_request(
        key: &Credentials,
        sample: &Sample,
        url: &str,
        ambient: &Ambient,
    ) -> Result<Request, String> {
        let (id, _) = ambient.split::<12, 0>();
        let id = format!("msg_{}", hex::encode(id));
        let mut request = http::Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(header::CONTENT_TYPE, key.payload.media_type());
        for name in key.event_type.headers() {
            let event_type = event_type_of(key, sample);
            if event_type.is_empty() {
                return Err(format!("{name}: expected an event type"));
            }
            request = request.header(name, event_type);
        }
        if let Some(name) = &key.delivery {
            request = request.header(name, &id);
        }
        let mut request = request.body(sample.payload.clone().into()).map_err(|error| error.to_string())?;
        let signed = key.scheme.sign(&key.key, &mut request, ambient.now, &id);
        signed.map_err(|error| error.to_string())?;
        Ok(request)
    }

    fn read_response(
        key: &Credentials,
        _: &Request,
        reply: &http::Response<Bytes>,
    ) -> Result<String, String> {
        read_acknowledgement(&Self::delivery_policy(key), reply)
    }

    fn open(key: &Credentials, message: &Request, now: Timestamp) -> Result<Opened, Rejected> {
        let signed = key.scheme.verify(&key.key, message, now)?;
        let mut notes = vec!["signature valid".to_owned()];
        notes.extend(signed.id.map(|id| format!("signed id {id}")));
        Ok(Opened { content: signed.content.bytes().to_vec(), notes })
    }
}

/// The type that a sample's name stands for.
fn event_type_of<'s>(key: &Credentials, sample: &'s Sample) -> &'s str {
    let folder = key.preset.and_then(|preset| sample.name.strip_prefix(preset.name)?.strip_prefix('/'));
    folder.unwrap_or(&sample.name)
}
