//! OpenCard's side: encrypted queries, and the check of the reply.

use bytes::Bytes;
use http::{Method, header};
use include_dir::{Dir, include_dir};
use letterbox_codec::{
    Ambient, Rejected, Request, Stage, Timestamp,
    jwe::{self, Header, Token},
    platform::{
        AnswerForm, Bilingual, DeliveryPolicy, DeliveryReference, Field, Mark, Opened, Reference, Sample,
        Sender, Setup, Step, samples_in,
    },
};

use crate::{Credentials, MEDIA_TYPE, OpenCard};

/// Source: <https://open.baidu.com/xcxdoc/guide/faq.html>, read 2026-11-26 in a stored copy, in which no timeout was found.
/// A search waits for the response.
const DELIVERY_POLICY: DeliveryPolicy = DeliveryPolicy {
    timeout: None,
    accepted: 200..=200,
    retry_delays: &[],
    afterwards: "OpenCard does not retry: that search shows no card",
    checks: "status 200, the query's own JOSE header, tag, decryption",
};

static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/samples");

impl Sender for OpenCard {
    const TITLE: &'static str = "OpenCard";
    const STEPS: &'static [Step] = &[
        Step::ROUTE,
        Step {
            stage: Stage::Form,
            en: "Compact JWE: A128KW, A128CBC-HS256",
            zh: "compact JWE：A128KW、A128CBC-HS256",
        },
        Step {
            stage: Stage::Key,
            en: "Key: the kid's pre-shared key unwraps the CEK",
            zh: "密钥：用 kid 对应的预共享密钥解出 CEK",
        },
        Step { stage: Stage::Seal, en: "Tag and decryption", zh: "校验认证标签并解密" },
        Step { stage: Stage::Payload, en: "Query: srcid and intent", zh: "查询：srcid 与 intent" },
    ];

    const DEMO: &'static str = include_str!("../../../events/opencard/credentials.json");
    const FIRST_SAMPLE: &'static str = "scenic_spot";
    const MARK: Option<Mark> = Some(Mark {
        about: "Its body is a compact JWE.",
        is_on: |request| Token::parse(request.body()).is_ok(),
    });
    const SEALS: Option<&'static str> = Some("a query: a compact JWE with its own JOSE header");
    const SETUP: Setup = Setup {
        console: "https://open.baidu.com/",
        fields: &[
            Field::hidden(
                "keys",
                Bilingual {
                    en: "Webhook PSK (base64url of 16 bytes)",
                    zh: "Webhook PSK（16 字节的 base64url）",
                },
                Bilingual {
                    en: "the key that you generated and entered under 配置 Webhook; `openssl rand 16 | base64` makes one",
                    zh: "自己生成并填入“配置 Webhook”的密钥；可用 `openssl rand 16 | base64` 生成",
                },
            )
            .with_form(AnswerForm::Table { name: Bilingual { en: "kid", zh: "kid" }, of_files: false }),
            Field::shown(
                "OpencardCards",
                Bilingual { en: "Card catalogue in S3", zh: "S3 中的卡片目录" },
                Bilingual {
                    en: "the URL of the file that you uploaded, s3://bucket/key",
                    zh: "已上传文件的地址，s3://bucket/key",
                },
            )
            .as_parameter(catalogue_location),
        ],
        source: "https://open.baidu.com/xcxdoc/guide/steps/test.html",
        read: None,
    };
    const REFERENCE: Reference = Reference {
        receives: Bilingual {
            en: "Baidu OpenCard queries: JWE with A128KW and A128CBC-HS256",
            zh: "百度 OpenCard 查询：JWE，A128KW 和 A128CBC-HS256",
        },
        responds: Bilingual {
            en: "encrypted card from a card catalogue",
            zh: "取自卡片目录的卡片，加密返回",
        },
        console: Bilingual {
            en: "the webhook settings: paste the URL, and enter each pre-shared key that you generated under its `kid`",
            zh: "webhook 设置：粘贴 URL，并在各自的 `kid` 下填入自己生成的预共享密钥",
        },
        delivery: Some(DeliveryReference {
            accepted: Bilingual {
                en: "status 200 and an encrypted response under the query's JOSE header",
                zh: "状态码 200，以及沿用查询的 JOSE header 的加密响应",
            },
            retries: Bilingual { en: "none: it is a query", zh: "无：它是查询" },
            title: Bilingual { en: "guide", zh: "接入指南" },
            source: "https://open.baidu.com/xcxdoc/guide/steps/test.html",
            read: None,
        }),
    };

    fn samples() -> Vec<Sample> {
        samples_in(SAMPLES.files().map(|file| (file.path(), file.contents())))
    }

    fn delivery_policy(_: &Credentials) -> DeliveryPolicy {
        DELIVERY_POLICY
    }

    fn build_request(
        key: &Credentials,
        sample: &Sample,
        url: &str,
        ambient: &Ambient,
    ) -> Result<Request, String> {
        let token = token(key, &sample.payload, ambient)?;
        http::Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(header::CONTENT_TYPE, MEDIA_TYPE)
            .body(token.into())
            .map_err(|error| error.to_string())
    }

    fn read_response(
        key: &Credentials,
        request: &Request,
        reply: &http::Response<Bytes>,
    ) -> Result<String, String> {
        DELIVERY_POLICY.acknowledged(reply.status())?;
        let parse = |body: &[u8]| Token::parse(body).map_err(|refused| refused.reject.message().into_owned());
        let (asked, answered) = (parse(request.body())?, parse(reply.body())?);
        let header = |token: &Token| serde_json::from_str::<serde_json::Value>(&token.header.json()).ok();
        if header(&asked) != header(&answered) {
            return Err("the reply's JOSE header is not that of the query".to_owned());
        }
        let psk = key.psk_of(&answered).map_err(|_| "the reply's kid is unknown")?;
        let content = answered
            .open(psk)
            .map_err(|rejected| format!("the reply is invalid: {}", rejected.reject.code()))?;
        content.text().map(str::to_owned).map_err(|_| "the reply is not UTF-8".to_owned())
    }

    fn open(key: &Credentials, message: &Request, _: Timestamp) -> Result<Opened, Rejected> {
        let token = Token::parse(message.body()).map_err(|refused| refused.reject.at(refused.stage))?;
        let content = token.open(key.psk_of(&token)?)?.bytes().to_vec();
        Ok(Opened { content, notes: vec![format!("tag valid, JOSE header {}", token.header.json())] })
    }

    fn seal(key: &Credentials, payload: &[u8], ambient: &Ambient) -> Option<Result<String, String>> {
        Some(token(key, payload, ambient))
    }
}

/// A payload, encrypted under a new header.
fn token(key: &Credentials, payload: &[u8], ambient: &Ambient) -> Result<String, String> {
    let (kid, psk) = key.first().ok_or("keys: expected at least one")?;
    let (cek, iv) = ambient.split::<32, 16>();
    let random = u32::from_le_bytes([cek[0], cek[1], cek[2], iv[0]]) % 1_000_000;
    let header = serde_json::json!({
        "alg": "A128KW", "enc": "A128CBC-HS256", "kid": kid, "rid": format!("{}-{random:06}", ambient.now.0),
    });
    let header = Header::new(&header.to_string()).ok_or("keys: the kid does not fit into a JOSE header")?;
    jwe::seal(psk, &header, payload, &cek, &iv).ok_or("the payload cannot be sealed".to_owned())
}

/// Checks the location of the card catalogue as the function does.
fn catalogue_location(url: &str) -> Result<(), &'static str> {
    letterbox_intake::Object::parse(url).map(drop).ok_or("s3://bucket/key")
}
