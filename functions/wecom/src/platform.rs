//! WeCom's side: encrypted callbacks in XML and JSON, the test of a URL, and the check of the acknowledgement.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use http::{Method, header};
use include_dir::{Dir, include_dir};
use letterbox_codec::{
    Ambient, Rejected, Request, Stage, Timestamp,
    json::{Object, is_attribute},
    platform::{
        AnswerForm, Bilingual, DeliveryPolicy, DeliveryReference, Field, Mark, Need, Opened, Reference,
        Sample, Sender, Setup, Step, samples_in,
    },
    sealed,
    stage::at,
    timestamp::Unit,
    xml::Element,
};
use serde::Serialize;

use crate::{COMMAND, Credentials, ID, Message, SUCCESS, WeCom, encrypt, is_json};

/// Source: developer.work.weixin.qq.com, "Callback configuration": 5 s, then up to three retries. Read on 2026-11-26.
const DELIVERY_POLICY: DeliveryPolicy = DeliveryPolicy {
    timeout: Some(Duration::from_secs(5)),
    accepted: 200..=200,
    retry_delays: &[],
    afterwards: "WeCom retries up to three times and does not publish the delays; it does not save a URL that does not respond within 1 s",
    checks: "status 200; `success` for a command, the decrypted text for a test of the URL, else an empty body or a sealed reply",
};

/// The sample that is not posted: the test of a URL.
const URL_VERIFICATION: &str = "url_verification";

static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples");

impl Sender for WeCom {
    const TITLE: &'static str = "WeCom";
    const STEPS: &'static [Step] = &[
        Step::ROUTE,
        Step {
            stage: Stage::Form,
            en: "Query and body: msg_signature, timestamp, nonce; encrypt, or echostr when the URL is tested",
            zh: "查询参数与请求体：msg_signature、timestamp、nonce；encrypt，验证 URL 时为 echostr",
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
            en: "Age of the timestamp, where there is a tolerance; receive_id: CorpId, SuiteId or empty",
            zh: "时间戳是否过期（仅在设置了 tolerance 时）；receive_id：CorpId、SuiteId 或空",
        },
        Step {
            stage: Stage::Payload,
            en: "Event: XML or JSON with a type",
            zh: "事件：含类型的 XML 或 JSON",
        },
    ];

    const DEMO: &'static str = include_str!("../../../events/wecom/credentials.json");
    const FIRST_SAMPLE: &'static str = "text";
    const PROBE: Option<&'static str> = Some("url_verification");
    const MARK: Option<Mark> = Some(Mark {
        about: "Its query has msg_signature without signature, and its body, or echostr, is a sealed message.",
        is_on: is_sealed,
    });
    const SEALS: Option<&'static str> =
        Some("a reply: XML if the payload is XML, else JSON with encrypt, msgsignature, timestamp and nonce");
    const SETUP: Setup = Setup {
        console: "https://work.weixin.qq.com/",
        fields: &[
            Field::hidden(
                "token",
                Bilingual { en: "Token", zh: "Token" },
                Bilingual {
                    en: "the app, 接收消息, 设置API接收: let the page generate it; copy it before you save",
                    zh: "应用的“接收消息”>“设置API接收”：随机获取，保存前复制",
                },
            ),
            Field::hidden(
                "aes_key",
                Bilingual { en: "EncodingAESKey", zh: "EncodingAESKey" },
                Bilingual {
                    en: "the same page: 43 letters and digits", zh: "同一页面：43 位字母和数字"
                },
            ),
            Field::shown(
                "receive_id",
                Bilingual { en: "Receive id: CorpId (企业ID)", zh: "receive_id：企业 ID（CorpId）" },
                Bilingual {
                    en: "我的企业, 企业ID; for a third-party app the SuiteId; empty for a smart bot",
                    zh: "“我的企业”>“企业ID”；第三方应用为 SuiteId；智能机器人留空",
                },
            )
            .with_form(AnswerForm::List)
            .with_need(Need::RequiredOrEmpty),
        ],
        source: "https://developer.work.weixin.qq.com/document/path/90930",
        read: Some("2026-11-26"),
    };
    const REFERENCE: Reference = Reference {
        receives: Bilingual {
            en: "WeCom callbacks of apps, third-party suites and smart bots: SHA-1 signature, AES-256-CBC, XML or JSON",
            zh: "企业微信自建应用、第三方应用和智能机器人的回调：SHA-1 签名，AES-256-CBC 加密，XML 或 JSON",
        },
        responds: Bilingual {
            en: "empty, `success` to a suite's command, or the decrypted `echostr`",
            zh: "空；对第三方应用的指令为 `success`；或解密后的 `echostr`",
        },
        console: Bilingual {
            en: "the app's Receive messages, Set API: paste the URL; let it generate Token and EncodingAESKey and copy both. The receive_id is the CorpId; for a third-party app the SuiteId, and the CorpIds of the enterprises for data callbacks; for a smart bot it is empty",
            zh: "应用的“接收消息”>“设置API接收”：粘贴 URL；随机生成 Token 和 EncodingAESKey 并复制。receive_id 为 CorpId；第三方应用为 SuiteId，数据回调为授权企业的 CorpId；智能机器人为空字符串",
        },
        delivery: Some(DeliveryReference {
            accepted: Bilingual {
                en: "status 200 and an empty body or a sealed reply; for a command `success`",
                zh: "状态码 200 和空响应体或加密的回复；指令回调为 `success`",
            },
            retries: Bilingual {
                en: "up to three, delays not published", zh: "最多 3 次，未公布间隔"
            },
            title: Bilingual { en: "callback configuration", zh: "回调配置" },
            source: "https://developer.work.weixin.qq.com/document/path/90930",
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
        ID.to_vec()
    }

    /// Builds a delivery whose body has the format of its payload; of the sample `url_verification`, the test of a URL.
    fn build_request(
        key: &Credentials,
        sample: &Sample,
        url: &str,
        ambient: &Ambient,
    ) -> Result<Request, String> {
        let Sealed { encrypt, msgsignature, timestamp, nonce } = seal(key, &sample.payload, ambient)?;
        let separator = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{separator}msg_signature={msgsignature}&timestamp={timestamp}&nonce={nonce}");
        let request = if sample.name == URL_VERIFICATION {
            let escaped = encrypt.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
            http::Request::builder()
                .method(Method::GET)
                .uri(format!("{url}&echostr={escaped}"))
                .body(Bytes::new())
        } else {
            let (media_type, body) = if is_json(&sample.payload) {
                ("application/json", serde_json::json!({ "encrypt": encrypt }).to_string())
            } else {
                let to = key.receive_id.first().map_or("", String::as_str);
                let body = format!(
                    "<xml><ToUserName><![CDATA[{to}]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt><AgentID><![CDATA[]]></AgentID></xml>"
                );
                ("text/xml", body)
            };
            http::Request::builder()
                .method(Method::POST)
                .uri(url)
                .header(header::CONTENT_TYPE, media_type)
                .body(body.into())
        };
        request.map_err(|error| error.to_string())
    }

    fn read_response(
        key: &Credentials,
        request: &Request,
        response: &http::Response<Bytes>,
    ) -> Result<String, String> {
        DELIVERY_POLICY.acknowledged(response.status())?;
        let body = String::from_utf8_lossy(response.body()).into_owned();
        let sent = Message::from_request(request).and_then(|message| message.open(key)).ok();
        let (sent, _) = sent.unwrap_or_default();
        if *request.method() == Method::GET {
            let is_same = body.as_bytes() == sent.as_slice() && is_attribute(&body);
            return if is_same { Ok(body) } else { Err("expected the decrypted echostr".to_owned()) };
        }
        match (is_command(&sent), body.as_str()) {
            (true, SUCCESS) | (false, "") => Ok(body),
            (true, _) => Err(format!("expected the word `{SUCCESS}`, got {body:?}")),
            (false, _) => {
                let reply = Message::from_response(response.body()).map(|reply| reply.open(key));
                match reply {
                    Some(Ok((content, _))) => Ok(String::from_utf8_lossy(&content).into_owned()),
                    Some(Err(rejected)) => Err(format!("the reply is invalid: {}", rejected.reject.code())),
                    None => Err("expected an empty body or a sealed reply".to_owned()),
                }
            }
        }
    }

    fn open(key: &Credentials, message: &Request, _: Timestamp) -> Result<Opened, Rejected> {
        const VALID: &str = "the signature is valid";
        const UNCHECKED: &str =
            "signature not checked: it is in the query string of the URL, which is missing";
        let (message, signature) = match Message::from_response(message.body()) {
            Some(reply) => (reply, VALID),
            None if message.uri().query().is_none() => (Message::signed_again(key, message)?, UNCHECKED),
            None => (Message::from_request(message)?, VALID),
        };
        let (content, receive_id) = message.open(key)?;
        Ok(Opened {
            content,
            notes: vec![signature.to_owned(), format!("receive_id {receive_id:?} matches")],
        })
    }

    fn seal(key: &Credentials, payload: &[u8], ambient: &Ambient) -> Option<Result<String, String>> {
        Some(seal(key, payload, ambient).map(
            |sealed| {
                if is_json(payload) { sealed.json() } else { sealed.xml() }
            },
        ))
    }
}

/// A sealed message and its signature. Field names and order are those of a smart bot's reply.
#[derive(Serialize)]
struct Sealed {
    encrypt: String,
    msgsignature: String,
    /// Seconds; a number in JSON.
    timestamp: i64,
    nonce: String,
}

impl Sealed {
    fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    fn xml(&self) -> String {
        let Self { encrypt, msgsignature, timestamp, nonce } = self;
        format!(
            "<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt><MsgSignature><![CDATA[{msgsignature}]]></MsgSignature><TimeStamp>{timestamp}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
        )
    }
}

fn seal(key: &Credentials, payload: &[u8], ambient: &Ambient) -> Result<Sealed, String> {
    let (random, nonce) = ambient.split::<16, 8>();
    let nonce = hex::encode(nonce);
    let receive_id = key.receive_id.first().map_or("", String::as_str);
    let encrypt =
        sealed::seal(&key.aes_key, random, payload, receive_id).ok_or("the payload is too long to seal")?;
    let timestamp = ambient.now.write(Unit::Seconds);
    let msgsignature = sealed::signature(key.token.expose(), &timestamp, &nonce, &encrypt);
    let Timestamp(milliseconds) = ambient.now;
    Ok(Sealed { encrypt, msgsignature, timestamp: milliseconds.div_euclid(1000), nonce })
}

/// True if the request has a `msg_signature` alone in its query string (DingTalk sends `signature` as well), and a sealed
/// message.
fn is_sealed(request: &Request) -> bool {
    let query = request.uri().query().unwrap_or_default();
    let has = |name: &str| query.split('&').any(|pair| pair.starts_with(name));
    has("msg_signature=") && !has("signature=") && Message::from_request(request).is_ok()
}

/// True for a message that must be answered with `success`.
fn is_command(message: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(message) else { return false };
    if is_json(message) {
        Object::parse(text).is_ok_and(|object| matches!(object.get(COMMAND), Ok(Some(_))))
    } else {
        Element::parse(text).is_ok_and(|root| matches!(root.field(COMMAND), Ok(Some(_))))
    }
}

impl Message<'_> {
    /// Reads a reply, whose signature is in the body, in either format; `None` if the body is none.
    fn from_response(body: &[u8]) -> Option<Message<'static>> {
        let text = std::str::from_utf8(body).ok()?;
        let [signature, timestamp, nonce] = if is_json(body) {
            let object = Object::parse(text).ok()?;
            ["msgsignature", "timestamp", "nonce"]
                .map(|name| object.label(name).ok().flatten().map(Cow::into_owned))
        } else {
            let root = Element::parse(text).ok()?;
            ["MsgSignature", "TimeStamp", "Nonce"]
                .map(|name| root.field(name).ok().flatten().map(str::to_owned))
        };
        Some(Message {
            signature: signature?.into(),
            timestamp: timestamp?.into(),
            nonce: nonce?.into(),
            encrypt: encrypt(body).ok()?,
        })
    }

    /// Reads a body whose signature is not known, and signs it again, since only a signed message can be decrypted.
    fn signed_again(key: &Credentials, request: &Request) -> Result<Message<'static>, Rejected> {
        let encrypt = encrypt(request.body()).map_err(at(Stage::Form))?;
        let signature = sealed::signature(key.token.expose(), "", "", &encrypt).into();
        Ok(Message { signature, timestamp: "".into(), nonce: "".into(), encrypt })
    }

    /// The decrypted message, and the id that it is for.
    fn open(&self, key: &Credentials) -> Result<(Vec<u8>, String), Rejected> {
        let opened = self.envelope().verify(&key.token)?.open(&key.aes_key)?;
        let (content, receive_id) = opened.addressed_to(&key.receive_id)?;
        Ok((content.bytes().to_vec(), receive_id.to_owned()))
    }
}
