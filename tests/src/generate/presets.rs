//! `docs/reference/presets.md`: the senders that `payment` and `signed` know by name, from `shared/signed/presets`.

use std::{ops::RangeInclusive, time::Duration};

use letterbox_codec::platform::Bilingual;
use letterbox_signed::{
    presets::{PRESETS, Preset},
    sender::{ANY, SENDERS, Sender},
};
use serde_json::{Map, Value};

use super::{
    Generated, Language, Page, both, code,
    providers::{facts, not_published, span},
};

/// The page in both languages.
pub fn pages() -> Result<Vec<Generated>, String> {
    let facts = facts()?;
    let payment = facts.iter().find(|facts| facts.name == "payment").ok_or("no provider payment")?;
    both(|language| Ok(page(language, payment.deadline)))
}

fn page(language: Language, longest: Duration) -> Page {
    let choose = |en, zh| language.choose(en, zh);
    let senders: Vec<_> = PRESETS.iter().zip(SENDERS).map(|both| Facts::new(language, both)).collect();
    let mut page = Page::new(
        language,
        "presets",
        Bilingual { en: "Presets", zh: "预设" },
        Bilingual {
            en: "The senders that the providers `payment` and `signed` know by name, one file per sender in `shared/signed/presets`.\n\
                 An entry with `\"preset\": \"<name>\"` needs no other field than its key: `secret`, or `public_key` where the table says so; see [Credentials](credentials.md#payment).",
            zh: "provider `payment` 和 `signed` 以名称认识的发送方；每个发送方在 `shared/signed/presets` 中有一个文件。\n\
                 写有 `\"preset\": \"<名称>\"` 的条目，除密钥外不需要其他字段：密钥为 `secret`，表中注明时为 `public_key`；见[凭证](credentials.zh-CN.md#payment)。",
        },
    );
    page.table(
        language.choose(
            ["preset", "sender", "authentication", "key", "example of a type on the queue", "proof"],
            ["预设", "发送方", "认证方式", "密钥字段", "队列中的类型示例", "证明"],
        ),
        senders.iter().map(Facts::overview),
    );
    page.paragraph(Bilingual {
        en: "Under `payment`, the types begin with `payment.` instead of `signed.`.\n\
             A test verifies each preset with a signed request.\n\
             Proof says who signed it: the sender's own documentation or library, another implementation of the scheme, or only our own signer.\n\
             With `token` and `basic`, nothing of the request is signed.",
        zh: "在 `payment` 下，类型以 `payment.` 而不是 `signed.` 开头。\n\
             每个预设都有测试，用一个已签名的请求来验证。\n\
             “证明”一栏说明签名来自哪里：发送方自己的文档或库、同一方案的其他实现，或者只有我们自己的签名程序。\n\
             使用 `token` 和 `basic` 时，请求没有任何部分经过签名。",
    });

    page.heading(choose("Signature schemes", "签名方案"));
    page.table(
        language.choose(
            ["preset", "header", "signed text", "signature", "timestamp", "window"],
            ["预设", "请求头", "被签名的文本", "签名", "时间戳", "有效期"],
        ),
        senders.iter().map(Facts::scheme),
    );
    page.paragraph(Bilingual {
        en: "The algorithm is HMAC-SHA-256 unless the table names another.\n\
             Where two headers are named, the sender has two families of headers, and one of them is used throughout.",
        zh: "除表中另有注明外，算法均为 HMAC-SHA-256。\n\
             表中列出两个请求头时，发送方有两组请求头，一次投递只使用其中一组。",
    });

    page.heading(choose("Events", "事件"));
    page.paragraph(Bilingual {
        en: "The cells are paths in the payload, or texts with paths in braces, unless they name a header.\n\
             Without an `id` of the sender, it is the SHA-256 of the verified content.",
        zh: "单元格是载荷中的路径，或花括号内为路径的文本，注明请求头的除外。\n\
             发送方没有提供 `id` 时，它是已验证内容的 SHA-256。",
    });
    page.table(
        [choose("preset", "预设"), "`type`", "`subject`", "`id`", "`time`", choose("not signed", "未签名")],
        senders.iter().map(Facts::event),
    );

    delivery_policies(language, longest, &mut page);

    page.heading(choose("Where to register the URL", "在哪里登记 URL"));
    page.paragraph(Bilingual {
        en: "Consoles change; the steps are those of the date in [Delivery policies](#delivery-policies).\n\
             Without a preset: paste the URL in the sender's settings, and use a secret of your own or the one that the stack generated.",
        zh: "后台会变化；这些步骤以[投递策略](#投递策略)中的日期为准。\n\
             不用预设时：在发送方的设置中填入 URL，密钥自己定，或使用堆栈生成的那个。",
    });
    for sender in &senders {
        sender.section(&mut page);
    }
    page
}

/// How each sender delivers. `longest` is the deadline of the function.
fn delivery_policies(language: Language, longest: Duration, page: &mut Page) {
    let choose = |en, zh| language.choose(en, zh);
    page.heading(choose("Delivery policies", "投递策略"));
    page.paragraph(Bilingual {
        en: "How each sender delivers, as far as it publishes that; `send --as-platform` applies it.\n\
             Letterbox responds within its deadline: 5 s, and always 500 ms before the sender's own timeout.\n\
             The dates are those on which a copy of the page was read; what it does not confirm stands with the preset, below.",
        zh: "各发送方如何投递，以其公布的内容为限；`send --as-platform` 采用这些策略。\n\
             Letterbox 在其时限内返回响应：5 s，并且总是比发送方自身的超时时间早 500 ms。\n\
             日期是查阅页面副本的日期；页面没有确认的内容见下文各预设。",
    });
    let rows = PRESETS.iter().zip(SENDERS).map(|(preset, sender)| {
        let deadline = preset.deadline().map_or(longest, |deadline| deadline.min(longest));
        let policy = &sender.policy;
        [
            code(sender.name),
            policy.timeout.map_or_else(|| not_published(language), span),
            span(deadline),
            statuses(&policy.accepted),
            retries(language, policy.retry_delays),
            language.of(sender.afterwards).to_owned(),
            format!("<{}>{}{}", sender.source, choose(", ", "，"), sender.read),
        ]
    });
    page.table(
        language.choose(
            [
                "preset",
                "timeout",
                "Letterbox's deadline",
                "accepted",
                "retries after",
                "in the end",
                "source, read on",
            ],
            ["预设", "超时时间", "Letterbox 的时限", "视为成功", "重试间隔", "之后", "来源与查阅日期"],
        ),
        rows,
    );
    let unknown = language.choose(
        format!("For an entry without a preset, the policy of `{ANY}` is assumed."),
        format!("对不用预设的条目，按 `{ANY}` 的策略处理。"),
    );
    page.paragraph(Bilingual { en: &unknown, zh: &unknown });
    page.paragraph(Bilingual {
        en: "Any status from 200 to 202 acknowledges a delivery, and `status` in the entry chooses it.",
        zh: "200 至 202 的状态码都表示确认，由条目中的 `status` 选择。",
    });
}

/// What the page says of one sender.
struct Facts {
    language: Language,
    sender: &'static Sender,
    /// The fields of an entry that the preset sets.
    own: Map<String, Value>,
}

impl Facts {
    fn new(language: Language, (preset, sender): (&'static Preset, &'static Sender)) -> Self {
        Self { language, sender, own: preset.entry() }
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.own.get(field).and_then(Value::as_str)
    }

    /// The text of a field in code, or nothing.
    fn cell(&self, field: &str) -> String {
        self.text(field).map(code).unwrap_or_default()
    }

    fn header(&self, name: &str) -> String {
        self.language.choose(format!("header `{name}`"), format!("请求头 `{name}`"))
    }

    /// Several texts as one.
    fn join(&self, texts: impl IntoIterator<Item = String>) -> String {
        texts.into_iter().collect::<Vec<_>>().join(self.language.choose(", ", "、"))
    }

    fn algorithm(&self) -> &str {
        self.text("algorithm").unwrap_or("sha256")
    }

    /// Nothing is signed: the request carries the secret.
    fn sends_secret(&self) -> bool {
        matches!(self.algorithm(), "token" | "basic")
    }

    fn overview(&self) -> [String; 6] {
        let Self { language, sender, .. } = self;
        let authentication = match self.algorithm() {
            "ed25519" => "Ed25519".to_owned(),
            "ecdsa-p256" => "ECDSA P-256".to_owned(),
            "rsa-sha256" => "RSA-SHA-256".to_owned(),
            "token" => code("token"),
            "basic" => code("basic"),
            mac => format!("HMAC-{}", mac.to_uppercase().replace("SHA", "SHA-")),
        };
        let key = match self.algorithm() {
            "ed25519" | "ecdsa-p256" | "rsa-sha256" => "public_key",
            _ => "secret",
        };
        let event = sender.proof.event.as_ref().map(|event| code(&format!("signed.{}", event.event_type)));
        [
            format!("[{}](#{})", code(sender.name), sender.name),
            sender.title.to_owned(),
            authentication,
            code(key),
            event.unwrap_or_default(),
            if sender.proof.is_own {
                language.choose("own signer only", "仅自有签名程序").to_owned()
            } else {
                language.choose("outside", "外部").to_owned()
            },
        ]
    }

    fn scheme(&self) -> [String; 6] {
        let choose = |en, zh| self.language.choose(en, zh);
        let listed = self.text("header").unwrap_or("x-signature");
        let families = self.own.get("header_families").and_then(Value::as_array).into_iter().flatten();
        let families: Vec<_> = families.filter_map(Value::as_str).collect();
        let rest = families.first().and_then(|family| listed.strip_prefix(family));
        let headers = match rest {
            Some(rest) => families.iter().map(|family| code(&format!("{family}{rest}"))).collect(),
            None => vec![code(listed)],
        };
        let signed = match (self.sends_secret(), self.text("template")) {
            (true, _) => choose("nothing", "无").to_owned(),
            (_, Some(template)) => code(template),
            (_, None) => code("{body}"),
        };
        let timestamp = match (self.text("timestamp_header"), self.text("timestamp_path")) {
            (Some(name), _) => self.header(name),
            (_, Some(path)) => choose("payload, ", "载荷，").to_owned() + &code(path),
            _ if self.has_timestamp() => choose("in the signature's header", "在签名的请求头中").to_owned(),
            _ => String::new(),
        };
        let unit = self.text("timestamp_unit").filter(|_| self.has_timestamp());
        let unit = unit.map(|unit| format!(" ({unit})")).unwrap_or_default();
        let tolerance = self.own.get("tolerance").and_then(Value::as_u64).unwrap_or(300);
        let window = if self.has_timestamp() { span(Duration::from_secs(tolerance)) } else { String::new() };
        [code(self.sender.name), self.join(headers), signed, self.signature(), timestamp + &unit, window]
    }

    fn has_timestamp(&self) -> bool {
        ["timestamp_key", "timestamp_index", "timestamp_header", "timestamp_path"]
            .iter()
            .any(|field| self.own.contains_key(*field))
    }

    /// The format of the signature header: `t=…,v1=` hex.
    fn signature(&self) -> String {
        let choose = |en, zh| self.language.choose(en, zh);
        match self.algorithm() {
            "token" => return choose("the secret itself", "密钥本身").to_owned(),
            "basic" => return code("Basic") + choose(" base64 of the secret", " 加密钥的 base64"),
            _ => {}
        }
        let separator = self.text("separator").unwrap_or_default();
        let mut before = String::new();
        if let Some(key) = self.text("timestamp_key") {
            before += &format!("{key}=…{separator}");
        }
        if self.own.contains_key("timestamp_index") {
            before += &format!("…{separator}");
        }
        if let Some(key) = self.text("signature_key") {
            before += &format!("{key}=");
        }
        before += self.text("prefix").unwrap_or_default();
        let encoding = self.text("encoding").unwrap_or("hex");
        let encoding = if before.is_empty() { encoding.to_owned() } else { format!("`{before}` {encoding}") };
        let algorithm = match self.algorithm() {
            "sha256" => return encoding,
            "ed25519" => "Ed25519",
            "ecdsa-p256" => "ECDSA P-256, DER",
            "rsa-sha256" => "RSA-SHA-256, PKCS#1 v1.5",
            "sha1" => "SHA-1",
            "sha512" => "SHA-512",
            other => other,
        };
        encoding + choose(", ", "，") + algorithm
    }

    fn event(&self) -> [String; 6] {
        let choose = |en, zh| self.language.choose(en, zh);
        let mut event_type = match (self.text("type_header"), self.text("type")) {
            (Some(name), _) => self.header(name),
            (None, path) => code(path.unwrap_or("event_type")),
        };
        if let Some(default) = self.text("type_default") {
            event_type += &self.language.choose(format!(", else `{default}`"), format!("，否则 `{default}`"));
        }
        let id = match (self.text("unsigned_id_header"), self.text("id_header")) {
            (Some(name), _) | (None, Some(name)) => self.header(name),
            (None, None) => self.cell("id"),
        };
        let unsigned = self.unsigned().into_iter().map(code);
        let unsigned =
            if self.sends_secret() { choose("all", "全部").to_owned() } else { self.join(unsigned) };
        [code(self.sender.name), event_type, self.subject(), id, self.cell("time"), unsigned]
    }

    /// A preset that says where the type is, and not where the subject is, has no subject.
    fn subject(&self) -> String {
        let has_type = self.own.contains_key("type") || self.own.contains_key("type_header");
        let default = if has_type { "" } else { "transaction_id" };
        code(self.text("subject").unwrap_or(default))
    }

    /// The headers that say something of the event and are not signed.
    fn unsigned(&self) -> Vec<&str> {
        let places = self.text("type").unwrap_or_default().split("{header:").skip(1);
        let places = places.filter_map(|place| place.split('}').next());
        let fields = ["type_header", "unsigned_id_header", "delivery_header"];
        let fields = fields.into_iter().filter_map(|field| self.text(field));
        let replaced = self.own.get("type_override").and_then(|it| it["header"].as_str());
        let attributes = self.own.get("attributes").and_then(Value::as_object).into_iter().flatten();
        let attributes = attributes.filter_map(|(_, header)| header.as_str());
        let signed = self.text("template").unwrap_or_default();
        let all = places.chain(fields).chain(replaced).chain(attributes);
        all.filter(|name| !signed.contains(&format!("{{header:{name}}}"))).collect()
    }

    /// The steps in the console, and what is special about the sender.
    fn section(&self, page: &mut Page) {
        let Self { language, sender, .. } = self;
        let choose = |en, zh| language.choose(en, zh);
        page.subheading(&code(sender.name));
        page.steps(language.of(sender.setup));
        let mut remarks = Vec::new();
        remarks.extend(self.handshakes());
        remarks.extend(self.answer());
        if self.sends_secret() {
            remarks.push(
                choose(
                    "Nothing of the request is signed: anyone who has seen a delivery can forge others.",
                    "请求没有任何部分经过签名：见过一次投递的人就能伪造其他投递。",
                )
                .to_owned(),
            );
        }
        remarks.extend(
            language
                .of(sender.uncertain)
                .iter()
                .map(|uncertain| choose("Uncertain: ", "不确定：").to_owned() + uncertain),
        );
        let proof = sender.proof.from;
        remarks.push(if sender.proof.is_own {
            language.choose(
                format!("Proof: proved by our own signer only ({proof})."),
                format!("证明：仅由我们自己的签名程序证明（原文：{proof}）。"),
            )
        } else {
            language.choose(format!("Proof: {proof}."), format!("证明（原文）：{proof}。"))
        });
        page.list(&remarks);
    }

    /// A sentence for each handshake.
    fn handshakes(&self) -> Vec<String> {
        let list = self.own.get("handshake").and_then(Value::as_array).into_iter().flatten();
        list.map(|handshake| {
            let text = |field: &str| handshake[field].as_str();
            let pairs = |field: &str| {
                let members = handshake[field].as_object().into_iter().flatten();
                let pairs =
                    members.filter_map(|(name, value)| Some(code(&format!("{name}: {}", value.as_str()?))));
                self.join(pairs)
            };
            let choose = |en: String, zh: String| self.language.choose(en, zh);
            let word = |en, zh| self.language.choose(en, zh);
            let when = match (text("method"), text("type"), text("when_empty")) {
                // Chinese has a space between code and text.
                (Some(method), ..) => code(method) + word("", " "),
                (_, Some(event_type), _) => choose(
                    format!("a delivery of type `{event_type}`"),
                    format!("类型为 `{event_type}` 的投递"),
                ),
                (.., Some(path)) => {
                    choose(format!("a delivery whose `{path}` is empty"), format!("`{path}` 为空的投递"))
                }
                _ => {
                    let headers = pairs("when_header");
                    choose(format!("a delivery with {headers}"), format!("带有 {headers} 的投递"))
                }
            };
            let echo = ["echo_query", "echo_header", "echo_path"].into_iter().find_map(text);
            let what = match (echo, text("reply_member")) {
                (Some(echo), Some(member)) => choose(
                    format!("gets `{echo}` back as `{member}` of a JSON object"),
                    format!("得到 JSON 对象，其中 `{member}` 为 `{echo}`"),
                ),
                (Some(echo), None) => {
                    choose(format!("gets `{echo}` back as text"), format!("得到 `{echo}` 的文本"))
                }
                (None, _) => choose("gets the acknowledgement".to_owned(), "得到确认".to_owned()),
            };
            let mac = text("mac_member").map(|member| {
                choose(format!(", and its HMAC as `{member}`"), format!("，`{member}` 为其 HMAC"))
            });
            let token = text("token_query").map(|name| {
                choose(
                    format!("; `{name}` must equal `verify_token` of the entry"),
                    format!("；`{name}` 必须等于条目的 `verify_token`"),
                )
            });
            let end = word(" Nothing is queued.", "不入队。");
            format!(
                "{}{when}{}{what}{}{}{}{end}",
                word("Handshake: ", "握手："),
                word(" ", ""),
                mac.unwrap_or_default(),
                token.unwrap_or_default(),
                word(".", "。"),
            )
        })
        .collect()
    }

    /// The acknowledgement, if it is not the usual one.
    fn answer(&self) -> Option<String> {
        let answer = self.own.get("answer");
        let status = answer.and_then(|answer| answer["status"].as_u64());
        let status = status.or_else(|| self.own.get("status").and_then(Value::as_u64))?;
        let body = answer.map(|answer| answer["body"].as_str().unwrap_or_default());
        Some(match body {
            Some("") => self
                .language
                .choose(format!("Acknowledged with an empty {status}."), format!("以空的 {status} 确认。")),
            Some(body) => self.language.choose(
                format!("Acknowledged with {status} and the text `{body}`."),
                format!("以 {status} 和文本 `{body}` 确认。"),
            ),
            None => {
                self.language.choose(format!("Acknowledged with {status}."), format!("以 {status} 确认。"))
            }
        })
    }
}

fn statuses(accepted: &RangeInclusive<u16>) -> String {
    if *accepted == (200..=299) { "2xx".to_owned() } else { accepted.start().to_string() }
}

/// The delays, with equal ones grouped: `4 × 3 min, 72 × 1 h`.
fn retries(language: Language, delays: &[Duration]) -> String {
    let comma = language.choose(", ", "、");
    let runs = delays.chunk_by(|one, other| one == other).filter_map(|run| {
        let delay = span(*run.first()?);
        Some(if run.len() == 1 { delay } else { format!("{} × {delay}", run.len()) })
    });
    runs.collect::<Vec<_>>().join(comma)
}
