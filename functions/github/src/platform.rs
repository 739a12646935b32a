//! GitHub's side: signed deliveries.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, header};
use include_dir::{Dir, include_dir};
use letterbox_codec::{
    Ambient, Provider, Reject, Rejected, Request, Stage, Timestamp,
    platform::{
        Bilingual, DeliveryPolicy, DeliveryReference, Field, Mark, OlderSignature, Opened, Reference, Sample,
        Sender, Setup, SignatureScheme, Step, read_acknowledgement, samples_in,
    },
    stage::at,
};

use crate::{Credentials, GitHub, form, is_form};

/// Sources, read 2026-11-26: <https://docs.github.com/en/webhooks/using-webhooks/best-practices-for-using-webhooks> and
/// <https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries>.
const DELIVERY_POLICY: DeliveryPolicy = DeliveryPolicy {
    timeout: Some(Duration::from_secs(10)),
    accepted: 200..=299,
    retry_delays: &[],
    afterwards: "GitHub does not retry automatically; use Redeliver under Recent Deliveries",
    checks: "status 2xx",
};

static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples");

impl Sender for GitHub {
    const TITLE: &'static str = "GitHub";
    const CHOSEN_SECRET: bool = true;
    const ON_BY_DEFAULT: bool = true;
    const STEPS: &'static [Step] = &[
        Step::ROUTE,
        Step::SIGNATURE_HEADER,
        Step {
            stage: Stage::Key, en: "Signature: HMAC of the raw body", zh: "签名：对原始请求体计算 HMAC"
        },
        Step { stage: Stage::Payload, en: "Event: its name and JSON", zh: "事件：名称与 JSON" },
    ];

    const DEMO: &'static str = include_str!("../../../events/github/credentials.json");
    const FIRST_SAMPLE: &'static str = "push";
    const MARK: Option<Mark> = Some(Mark {
        about: "It has the header X-GitHub-Event.",
        is_on: |request| request.headers().contains_key("x-github-event"),
    });
    const SCHEME: SignatureScheme = SignatureScheme::Fixed {
        fields: &[
            ("header", "x-hub-signature-256"),
            ("prefix", "sha256="),
            ("type_header", "x-github-event"),
        ],
        remedy: "Let the sender sign as GitHub does: HMAC-SHA-256 in lower-case hex, behind `sha256=`, in X-Hub-Signature-256. For a sender that signs otherwise there is the provider payment.",
        older: Some(OlderSignature {
            header: "x-hub-signature",
            field: "allow_sha1",
            about: "Only X-Hub-Signature (HMAC-SHA-1) is there, and X-Hub-Signature-256 is asked for.",
            remedy: "Update the sender, so that it sends X-Hub-Signature-256 too; for one that cannot, set the entry's `allow_sha1` to true.",
        }),
    };
    const SETUP: Setup = Setup {
        console: "https://github.com/",
        fields: &[Field::secret(
            Bilingual { en: "Secret", zh: "Secret" },
            Bilingual {
                en: "the repository, organization or app, Settings, Webhooks: the Secret that you enter there",
                zh: "仓库、组织或应用的 Settings > Webhooks：在 Secret 中填写的值",
            },
        )],
        source: "https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
        read: Some("2026-11-26"),
    };
    const REFERENCE: Reference = Reference {
        receives: Bilingual {
            en: "GitHub webhooks: HMAC-SHA-256 of the raw body, JSON or form",
            zh: "GitHub webhook：对原始请求体计算的 HMAC-SHA-256，JSON 或表单",
        },
        responds: Bilingual { en: "`202`", zh: "`202`" },
        console: Bilingual {
            en: "Settings, Webhooks, Add webhook: paste the URL, choose either content type, and enter the secret from your credentials",
            zh: "Settings > Webhooks > Add webhook：粘贴 URL，Content type 任选，Secret 填写凭证中的那一个",
        },
        delivery: Some(DeliveryReference {
            accepted: Bilingual { en: "2xx", zh: "2xx" },
            retries: Bilingual { en: "none automatically", zh: "不会自动重试" },
            title: Bilingual { en: "failed deliveries", zh: "失败的投递" },
            source: "https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries",
            read: Some("2026-11-26"),
        }),
    };

    fn samples() -> Vec<Sample> {
        samples_in(SAMPLES.files().map(|file| (file.path(), file.contents())))
    }

    fn delivery_policy(_: &Credentials) -> DeliveryPolicy {
        DELIVERY_POLICY
    }

    /// Builds a signed delivery. The sample's name, up to a dot, is the event type.
    fn build_request(
        key: &Credentials,
        sample: &Sample,
        url: &str,
        ambient: &Ambient,
    ) -> Result<Request, String> {
        let scheme = Self::new(&[])?.sha256;
        let event_type = sample.name.split('.').next().unwrap_or_default();
        if event_type.is_empty() {
            return Err("X-GitHub-Event: expected an event name, such as push".to_owned());
        }
        let media_type =
            if is_form(&sample.payload) { "application/x-www-form-urlencoded" } else { "application/json" };
        let request = http::Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(header::CONTENT_TYPE, media_type)
            .header(header::USER_AGENT, "GitHub-Hookshot/letterbox")
            .header("x-github-event", event_type)
            .header("x-github-delivery", guid(ambient))
            .header("x-github-hook-id", "327865514")
            .header("x-github-hook-installation-target-type", "repository")
            .header("x-github-hook-installation-target-id", "357383239");
        let mut request = request.body(sample.payload.clone().into()).map_err(|error| error.to_string())?;
        let signed = scheme.sign(&key.secret, &mut request, ambient.now, "");
        signed.map_err(|error| error.to_string())?;
        Ok(request)
    }

    fn read_response(_: &Credentials, _: &Request, reply: &http::Response<Bytes>) -> Result<String, String> {
        read_acknowledgement(&DELIVERY_POLICY, reply)
    }

    fn open(key: &Credentials, message: &Request, now: Timestamp) -> Result<Opened, Rejected> {
        // Creating GitHub's own schemes cannot fail.
        let provider = Self::new(&[]).map_err(|_| Reject::MalformedSignature.at(Stage::Form))?;
        let content = provider.verify(key, message, now)?.content;
        let inner = form(&content).map_err(at(Stage::Payload))?;
        let content = inner.as_ref().unwrap_or(&content).bytes().to_vec();
        Ok(Opened { content, notes: vec!["signature valid".to_owned()] })
    }
}

/// A random GUID for `X-GitHub-Delivery`.
fn guid(ambient: &Ambient) -> String {
    let (bytes, _) = ambient.split::<16, 0>();
    let mut guid = hex::encode(bytes);
    for hyphen in [20, 16, 12, 8] {
        guid.insert(hyphen, '-');
    }
    guid
}
