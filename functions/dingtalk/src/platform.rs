//! DingTalk's side: encrypted callbacks, and the check of the acknowledgement.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use http::{Method, header};
use include_dir::{Dir, include_dir};
use letterbox_codec::{
    Ambient, Reject, Rejected, Request, Stage, Timestamp,
    json::Object,
    platform::{
        AnswerForm, Bilingual, DeliveryPolicy, DeliveryReference, Field, Mark, Opened, Reference, Sample,
        Sender, Setup, Step, samples_in,
    },
    reject::JsonPart,
    sealed,
    stage::at,
};

use crate::{Credentials, DingTalk, HANDSHAKES, Message, SUCCESS, acknowledgement, encrypt};

/// Sources, read on 2026-11-26 in the copy of 2026-08-22:
/// - retries, and the list of failed events:
///   <https://open.dingtalk.com/document/development/obtain-the-event-list-of-failed-push-messages>
/// - 1.5 s for a push: <https://open.dingtalk.com/document/development/http-callback-overview>. Another page has 2.5 s:
///   <https://open.dingtalk.com/document/development/appendix-b-proposals-for-rational-use-of-resources>
/// - 1.2 s with `SyncHTTP`: <https://open.dingtalk.com/document/development/configure-synchttp-push>
const DELIVERY_POLICY: DeliveryPolicy = DeliveryPolicy {
    timeout: Some(Duration::from_millis(1500)),
    accepted: 200..=200,
    retry_delays: &[Duration::from_secs(10), Duration::from_secs(30)],
    afterwards: "DingTalk then lists a failed event in get_call_back_failed_result, and does not save a URL that does not \
                 respond as expected",
    checks: "status 200, signature, decryption, owner key, `success`",
};

static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples");

impl Sender for DingTalk {
    const TITLE: &'static str = "DingTalk";
    const STEPS: &'static [Step] = &[
        Step::ROUTE,
        Step {
            stage: Stage::Form,
            en: "Query and body: msg_signature, timestamp, nonce, encrypt",
            zh: "查询参数与请求体：msg_signature、timestamp、nonce、encrypt",
        },
        Step {
            stage: Stage::Key,
            en: "Signature: SHA-1 of token, timestamp, nonce and encrypt",
            zh: "签名：对 token、timestamp、nonce、encrypt 计算 SHA-1",
        },
        Step {
            stage: Stage::Seal,
            en: "Decryption: AES-256-CBC with aes_key",
            zh: "解密：使用 aes_key 的 AES-256-CBC",
        },
        Step {
            stage: Stage::Address,
            en: "Owner key: AppKey, SuiteKey or CorpId; age of the timestamp, where there is a tolerance",
            zh: "归属校验：AppKey、SuiteKey 或 CorpId；时间戳是否过期（仅在设置了 tolerance 时）",
        },
        Step {
            stage: Stage::Payload, en: "Event: JSON with an EventType", zh: "事件：含 EventType 的 JSON"
        },
    ];

    const DEMO: &'static str = include_str!("../../../events/dingtalk/credentials.json");
    const FIRST_SAMPLE: &'static str = "user_add_org";
    const PROBE: Option<&'static str> = Some("check_url");
    const MARK: Option<Mark> = Some(Mark {
        about: "It has the query string and the body of an encrypted DingTalk message.",
        is_on: is_sealed,
    });
    const SEALS: Option<&'static str> =
        Some("a response: msg_signature, timeStamp, nonce, encrypt (a request's body has only encrypt)");
    const SETUP: Setup = Setup {
        console: "https://open-dev.dingtalk.com/",
        fields: &[
            Field::hidden(
                "token",
                Bilingual { en: "Token (签名 token)", zh: "签名 token" },
                Bilingual {
                    en: "the app, 开发配置, 事件订阅, HTTP 推送: type one or let the page generate it; copy it before you save",
                    zh: "应用的“开发配置”>“事件订阅”>“HTTP 推送”：自行填写或点击生成，保存前复制",
                },
            ),
            Field::hidden(
                "aes_key",
                Bilingual { en: "AES key (加密 aes_key)", zh: "加密 aes_key" },
                Bilingual { en: "the same page: 43 letters and digits", zh: "同一页面：43 位字母和数字" },
            ),
            Field::shown(
                "owner_key",
                Bilingual { en: "Owner key: Client ID (AppKey)", zh: "owner key：Client ID（AppKey）" },
                Bilingual {
                    en: "the app, 基础信息, 凭证与基础信息; for a third-party app the SuiteKey, for a callback registered by API the CorpId",
                    zh: "应用的“基础信息”>“凭证与基础信息”；第三方企业应用为 SuiteKey，通过 API 注册的回调为 CorpId",
                },
            )
            .with_form(AnswerForm::List),
        ],
        source: "https://open.dingtalk.com/document/development/http-callback-overview",
        read: Some("2026-11-26"),
    };
    const REFERENCE: Reference = Reference {
        receives: Bilingual {
            en: "DingTalk HTTP event push: SHA-1 signature, AES-256-CBC",
            zh: "钉钉事件订阅的 HTTP 推送：SHA-1 签名，AES-256-CBC 加密",
        },
        responds: Bilingual { en: "encrypted `success`", zh: "加密的 `success`" },
        console: Bilingual {
            en: "the app's event subscription, HTTP push: paste the URL; copy the token and the AES key. The owner key is the AppKey (Client ID), for a third-party app the SuiteKey, for a callback registered by API the CorpId",
            zh: "应用的事件订阅，推送方式选择 HTTP 推送：粘贴 URL；复制签名 token 和加密 aes_key。owner key 为 AppKey（Client ID），第三方企业应用为 SuiteKey，通过 API 注册的回调为 CorpId",
        },
        delivery: Some(DeliveryReference {
            accepted: Bilingual {
                en: "status 200 and an encrypted `success`",
                zh: "状态码 200 和加密的 `success`",
            },
            retries: Bilingual {
                en: "after 10 s, then after 30 s", zh: "10 秒后一次，再过 30 秒一次"
            },
            title: Bilingual {
                en: "获取推送失败的事件列表", zh: "获取推送失败的事件列表"
            },
            source: "https://open.dingtalk.com/document/development/obtain-the-event-list-of-failed-push-messages",
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
        vec!["eventId", "BizId"]
    }

    fn build_request(
        key: &Credentials,
        sample: &Sample,
        url: &str,
        ambient: &Ambient,
    ) -> Result<Request, String> {
        let (random, nonce) = ambient.split::<16, 8>();
        let Timestamp(now) = ambient.now;
        let (timestamp, nonce) = (now.to_string(), hex::encode(nonce));
        let owner_key = key.owner_key.first().ok_or("owner_key: expected at least one")?;
        let encrypt = sealed::seal(&key.aes_key, random, &sample.payload, owner_key)
            .ok_or("the payload is too long to encrypt")?;
        let signature = sealed::signature(key.token.expose(), &timestamp, &nonce, &encrypt);
        let separator = if url.contains('?') { '&' } else { '?' };
        http::Request::builder()
            .method(Method::POST)
            .uri(format!(
                "{url}{separator}signature={signature}&msg_signature={signature}&timestamp={timestamp}&nonce={nonce}"
            ))
            .header(header::CONTENT_TYPE, "application/json")
            .body(serde_json::json!({ "encrypt": encrypt }).to_string().into())
            .map_err(|error| error.to_string())
    }

    fn read_response(
        key: &Credentials,
        request: &Request,
        reply: &http::Response<Bytes>,
    ) -> Result<String, String> {
        DELIVERY_POLICY.acknowledged(reply.status())?;
        let acknowledgement = Message::from_response(reply.body()).ok().flatten();
        let acknowledgement =
            acknowledgement.ok_or("expected JSON with msg_signature, timeStamp, nonce and encrypt")?;
        let (message, _) = acknowledgement
            .open(key)
            .map_err(|rejected| format!("the acknowledgement is invalid: {}", rejected.reject.code()))?;
        let content = String::from_utf8(message).map_err(|_| "the acknowledgement is not UTF-8")?;
        if content == SUCCESS || random(key, request).is_some_and(|random| random == content) {
            Ok(content)
        } else {
            Err(format!("expected `{SUCCESS}` in the acknowledgement, got {content:?}"))
        }
    }

    fn open(key: &Credentials, message: &Request, _: Timestamp) -> Result<Opened, Rejected> {
        const UNCHECKED: &str =
            "signature not checked: it is in the query string of the URL, which is missing";
        let (message, signature) = match Message::from_response(message.body())? {
            Some(response) => (response, "signature valid"),
            None if message.uri().query().is_none() => (Message::signed_again(key, message)?, UNCHECKED),
            None => (Message::from_request(message)?, "signature valid"),
        };
        let (content, owner_key) = message.open(key)?;
        Ok(Opened { content, notes: vec![signature.to_owned(), format!("owner key {owner_key} matches")] })
    }

    fn seal(key: &Credentials, payload: &[u8], ambient: &Ambient) -> Option<Result<String, String>> {
        let owner_key = key.owner_key.first().map_or("", String::as_str);
        Some(
            acknowledgement(key, payload, owner_key, ambient)
                .ok_or("the payload is too long to encrypt".into()),
        )
    }
}

/// True if the request has a signature in its query string and an encrypted message in its body.
fn is_sealed(request: &Request) -> bool {
    let query = request.uri().query().unwrap_or_default();
    let has_signature = query.split('&').any(|pair| pair.contains("signature="));
    let body = std::str::from_utf8(request.body()).ok().and_then(|body| Object::parse(body).ok());
    has_signature && body.is_some_and(|body| matches!(body.get("encrypt"), Ok(Some(_))))
}

impl<'a> Message<'a> {
    /// Reads a response, whose signature is in the body; `None` if the body has none.
    fn from_response(body: &'a [u8]) -> Result<Option<Self>, Rejected> {
        let read = || {
            let text = std::str::from_utf8(body).map_err(|_| Reject::InvalidJson(JsonPart::Body))?;
            let members = Object::parse(text)?;
            if members.get("msg_signature")?.is_none() {
                return Ok(None);
            }
            let [signature, timestamp, nonce] =
                ["msg_signature", "timeStamp", "nonce"].map(|name| members.require(name));
            Ok(Some(Self {
                signature: signature?,
                timestamp: timestamp?,
                nonce: nonce?,
                encrypt: encrypt(body)?,
            }))
        };
        read().map_err(at(Stage::Form))
    }

    /// Reads a body whose signature is not known, and signs it again, since only a signed message can be decrypted.
    fn signed_again(key: &Credentials, request: &Request) -> Result<Self, Rejected> {
        let encrypt = encrypt(request.body()).map_err(at(Stage::Form))?;
        let signature = sealed::signature(key.token.expose(), "", "", &encrypt).into();
        Ok(Self { signature, timestamp: "".into(), nonce: "".into(), encrypt })
    }

    /// The decrypted message, and the owner key that it is for.
    fn open<'k>(&self, key: &'k Credentials) -> Result<(Vec<u8>, &'k str), Rejected> {
        let opened = self.envelope().verify(&key.token)?.open(&key.aes_key)?;
        let (message, owner_key) = opened.addressed_to(&key.owner_key)?;
        Ok((message.bytes().to_vec(), owner_key))
    }
}

/// The `Random` of a handshake that may be acknowledged with it.
fn random(key: &Credentials, request: &Request) -> Option<String> {
    let (message, _) = Message::from_request(request).ok()?.open(key).ok()?;
    let payload = Object::parse(std::str::from_utf8(&message).ok()?).ok()?;
    let event_type = payload.require("EventType").ok()?;
    HANDSHAKES.iter().find(|(name, may_be_random)| *may_be_random && *name == event_type)?;
    payload.require("Random").ok().map(Cow::into_owned)
}
