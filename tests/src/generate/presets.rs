//! `docs/reference/presets.md`: the presets of `payment`, from `shared/signed/presets`.

use std::{ops::RangeInclusive, time::Duration};

use letterbox_codec::{platform::Bilingual, signature::Description};
use letterbox_signed::{
    describe,
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
    both(|language| page(language, payment.deadline))
}

fn page(language: Language, longest: Duration) -> Result<Page, String> {
    let choose = |en, zh| language.choose(en, zh);
    let mut page = Page::new(
        language,
        "presets",
        Bilingual { en: "Presets", zh: "预设" },
        Bilingual {
            en: "The senders whose signature scheme the provider `payment` knows by name, one file per sender in `shared/signed/presets`.\n\
                 An entry with `\"preset\": \"<name>\"` needs no other field than `secret`; see [Credentials](credentials.md#payment).",
            zh: "provider `payment` 知道其签名方案的发送方，以名称指定；每个发送方在 `shared/signed/presets` 中有一个文件。\n\
                 写有 `\"preset\": \"<名称>\"` 的条目，除 `secret` 外不需要其他字段；见[凭证](credentials.zh-CN.md#payment)。",
        },
    );

    page.heading(choose("Signature schemes", "签名方案"));
    page.paragraph(Bilingual {
        en: "The columns `type`, `subject`, `id` and `time` are paths in the payload, unless a cell names a header.",
        zh: "`type`、`subject`、`id` 和 `time` 各列是载荷中的路径，单元格注明请求头的除外。",
    });
    let rows = PRESETS.iter().zip(SENDERS).map(|(preset, sender)| scheme(language, preset, sender));
    let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
    page.table(
        [
            choose("preset", "预设"),
            choose("sender", "发送方"),
            choose("header", "请求头"),
            choose("signed text", "被签名的文本"),
            choose("signature", "签名"),
            "`type`",
            "`subject`",
            "`id`",
            "`time`",
            choose("example of a type on the queue", "队列中的类型示例"),
        ],
        rows,
    );
    page.paragraph(Bilingual {
        en: "The algorithm is HMAC-SHA-256 unless the table names another.\n\
             `standard-webhooks` and `svix` take the secret as `whsec_…`, and the timestamp from the headers `webhook-timestamp` and `svix-timestamp`.",
        zh: "除表中另有注明外，算法均为 HMAC-SHA-256。\n\
             `standard-webhooks` 和 `svix` 的 secret 形如 `whsec_…`，时间戳分别取自请求头 `webhook-timestamp` 和 `svix-timestamp`。",
    });

    page.heading(choose("Where to register the URL", "在哪里登记 URL"));
    let rows = SENDERS.iter().map(|sender| [code(sender.name), language.of(sender.setup).join("<br>")]);
    page.table(language.choose(["preset", "steps"], ["预设", "步骤"]), rows);
    page.paragraph(Bilingual {
        en: "Without a preset: paste the URL in the sender's settings, and use a secret of your own or the one that the stack generated.",
        zh: "不用预设时：在发送方的设置中填入 URL，密钥自己定，或使用堆栈生成的那个。",
    });

    delivery_policies(language, longest, &mut page);

    page.heading(choose("Proofs", "证明"));
    page.paragraph(Bilingual {
        en: "A test verifies each preset with a request that was signed outside of this project.",
        zh: "每个预设都有测试，用一个在本项目之外签名的请求来验证。",
    });
    let rows = SENDERS.iter().map(|sender| [code(sender.name), sender.proof.from.to_owned()]);
    page.table(language.choose(["preset", "signed by"], ["预设", "签名来自（原文）"]), rows);
    Ok(page)
}

/// How each sender delivers. `longest` is the deadline of the function.
fn delivery_policies(language: Language, longest: Duration, page: &mut Page) {
    let choose = |en, zh| language.choose(en, zh);
    page.heading(choose("Delivery policies", "投递策略"));
    page.paragraph(Bilingual {
        en: "How each sender delivers, as far as it publishes that; `send --as-platform` applies it.\n\
             Letterbox responds within its deadline: 5 s, and always 500 ms before the sender's own timeout.\n\
             The dates are those on which a copy of the page was read.",
        zh: "各发送方如何投递，以其公布的内容为限；`send --as-platform` 采用这些策略。\n\
             Letterbox 在其时限内返回响应：5 s，并且总是比发送方自身的超时时间早 500 ms。\n\
             日期是查阅页面副本的日期。",
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

fn scheme(language: Language, preset: &Preset, sender: &Sender) -> Result<[String; 10], String> {
    let own = preset.entry();
    let entry = Map::from_iter([("preset".to_owned(), Value::from(preset.name))]);
    let description = describe(entry).map_err(|error| format!("{}: {error}", preset.name))?;
    let text = |field| own.get(field).and_then(Value::as_str);
    let header = |name| language.choose(format!("header `{name}`"), format!("请求头 `{name}`"));
    let field = |path, of_header| match text(of_header) {
        Some(name) => header(name),
        None => code(text(path).unwrap_or_default()),
    };
    // The defaults of an entry.
    let or = |cell: String, default| if cell.is_empty() { code(default) } else { cell };
    let event = sender.proof.event.as_ref().map_or("payment_success", |event| event.event_type);
    Ok([
        code(preset.name),
        sender.title.to_owned(),
        code(&description.header),
        code(&description.template),
        signature(language, &description),
        or(field("type", "type_header"), "event_type"),
        or(field("subject", ""), "transaction_id"),
        field("id", "id_header"),
        field("time", ""),
        format!("`payment.{event}`"),
    ])
}

/// The format of the signature header: `t=…,v1=` hex.
fn signature(language: Language, description: &Description) -> String {
    let Description { prefix, separator, signature_key, timestamp_key, encoding, algorithm, .. } =
        description;
    let mut before = String::new();
    if let Some(key) = timestamp_key {
        before += &format!("{key}=…{}", separator.as_deref().unwrap_or_default());
    }
    if let Some(key) = signature_key {
        before += &format!("{key}=");
    }
    before += prefix;
    let encoding = format!("{encoding:?}").to_lowercase();
    let encoding = if before.is_empty() { encoding } else { format!("`{before}` {encoding}") };
    match format!("{algorithm:?}").to_uppercase().replace("SHA", "SHA-") {
        usual if usual == "SHA-256" => encoding,
        other => encoding + language.choose(", ", "，") + &other,
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
