//! `docs/reference/providers.md`: the differences between providers, from the providers' constants.

use std::time::Duration;

use letterbox_codec::platform::{Bilingual, Need, Reference, Setup, Step};
use letterbox_registry::PROVIDERS;

use super::{Generated, Language, Page, both, code};
use crate::providers;

/// The facts of one provider on the pages.
pub struct Facts {
    /// Its name.
    pub name: &'static str,
    /// Its name as people write it.
    pub title: &'static str,
    /// True if the stack can generate its secret.
    pub chosen_secret: bool,
    /// True if the template has it on by default.
    pub on_by_default: bool,
    /// Its deadline for the whole response.
    pub deadline: Duration,
    /// Its part of the pages.
    pub reference: &'static Reference,
    max_body: usize,
    setup: &'static Setup,
    steps: &'static [Step],
    timeout: Option<Duration>,
    statuses: &'static [u16],
}

/// The facts of every provider. No other part of the generator reads the registry.
pub fn facts() -> Result<Vec<Facts>, String> {
    let facts = PROVIDERS.iter().map(|provider| {
        let facts = provider.facts();
        let keys = provider.keys(facts.demo).map_err(|error| error.to_string())?;
        let policy = keys.first("default")?.delivery_policy();
        Ok(Facts {
            name: facts.name,
            title: facts.title,
            chosen_secret: facts.chosen_secret,
            on_by_default: facts.on_by_default,
            deadline: facts.deadline,
            max_body: facts.max_body,
            setup: &facts.setup,
            steps: facts.steps,
            reference: &facts.reference,
            timeout: policy.timeout,
            statuses: providers::find(facts.name).statuses,
        })
    });
    facts.collect()
}

/// The page in both languages.
pub fn pages() -> Result<Vec<Generated>, String> {
    let facts = facts()?;
    both(|language| Ok(page(language, &facts)))
}

fn page(language: Language, facts: &[Facts]) -> Page {
    let choose = |en, zh| language.choose(en, zh);
    let mut page = Page::new(
        language,
        "providers",
        Bilingual { en: "Providers", zh: "各 provider" },
        Bilingual {
            en: "What differs from one provider to the next, one table for each question.",
            zh: "各 provider 之间的不同之处，每个问题一张表。",
        },
    );

    page.heading(choose("What to enter in each platform's console", "在平台后台填写什么"));
    let rows = facts.iter().map(|Facts { name, reference, .. }| {
        let guide = format!("[`{name}`](../guides/{name}{})", language.ending());
        [guide, language.of(reference.console).to_owned()]
    });
    page.table(["provider", choose("in the console", "在平台后台")], rows);

    asked(&mut page, language, facts);

    page.heading(choose("Deadlines and sizes", "时限与大小"));
    let rows = facts.iter().map(|facts| [code(facts.name), span(facts.deadline), size(facts.max_body)]);
    page.table(
        language.choose(
            ["provider", "deadline for the whole response", "largest body"],
            ["provider", "返回整个响应的时限", "请求体上限"],
        ),
        rows,
    );
    page.paragraph(Bilingual {
        en: "With a preset, `payment` responds at least 500 ms before the sender's own timeout; see [presets](presets.md#delivery-policies).",
        zh: "使用预设时，`payment` 至少在发送方自身的超时时间之前 500 ms 返回响应；见[预设](presets.zh-CN.md#投递策略)。",
    });

    page.heading(choose("Verification steps", "验证步骤"));
    page.paragraph(Bilingual {
        en: "In this order; the page of `letterbox serve` shows the one that failed.",
        zh: "按此顺序进行；`letterbox serve` 的页面会显示失败的那一步。",
    });
    let rows = facts.iter().map(|Facts { name, steps, .. }| {
        let steps: Vec<_> = steps.iter().map(|step| choose(step.en, step.zh)).collect();
        [code(name), steps.join("<br>")]
    });
    page.table(["provider", choose("steps", "步骤")], rows);

    page.heading(choose("Statuses", "状态码"));
    page.paragraph(Bilingual {
        en: "Every status that the function may return; the [contract](contract.md#statuses) says when.",
        zh: "函数可能返回的全部状态码；何时返回哪一个，见[约定](contract.zh-CN.md#状态码)。",
    });
    let rows = facts.iter().map(|Facts { name, statuses, .. }| {
        let statuses: Vec<_> = statuses.iter().map(ToString::to_string).collect();
        [code(name), statuses.join(choose(", ", "、"))]
    });
    page.table(["provider", choose("statuses", "状态码")], rows);

    page.heading(choose("Delivery policies", "投递策略"));
    page.paragraph(Bilingual {
        en: "How each platform delivers, as far as it publishes that.\n\
             The dates are those on which a copy of the page was read.\n\
             For `payment`, see the [presets](presets.md#delivery-policies).",
        zh: "各平台如何投递，以其公布的内容为限。\n\
             日期是查阅页面副本的日期。\n\
             `payment` 见[预设](presets.zh-CN.md#投递策略)。",
    });
    let rows = facts.iter().filter_map(|Facts { name, reference, timeout, .. }| {
        let delivery = reference.delivery.as_ref()?;
        let source = format!("[{}]({})", language.of(delivery.title), delivery.source);
        Some([
            code(name),
            timeout.map_or_else(|| not_published(language), span),
            language.of(delivery.accepted).to_owned(),
            language.of(delivery.retries).to_owned(),
            delivery.read.map_or(source.clone(), |read| source + choose(", ", "，") + read),
        ])
    });
    page.table(
        language.choose(
            ["provider", "timeout", "accepted", "retries", "source, read on"],
            ["provider", "超时时间", "视为成功", "重试", "来源与查阅日期"],
        ),
        rows,
    );
    page
}

/// What only the user knows.
fn asked(page: &mut Page, language: Language, facts: &[Facts]) {
    let choose = |en, zh| language.choose(en, zh);
    page.heading(choose("What `letterbox configure` asks", "`letterbox configure` 询问的内容"));
    page.paragraph(Bilingual {
        en: "The fields of an entry that only you know; [Credentials](credentials.md) has all fields. `OpencardCards` is a parameter of the stack.\n\
             With a [preset](presets.md), `payment` and `signed` ask for what that sender has.",
        zh: "条目中只有你知道的字段；全部字段见[凭证](credentials.zh-CN.md)。`OpencardCards` 是堆栈的参数。\n\
             使用[预设](presets.zh-CN.md)时，`payment` 和 `signed` 询问该发送方所需的内容。",
    });
    let rows = facts.iter().flat_map(|Facts { name, setup, .. }| {
        setup.fields.iter().map(move |field| {
            let need = match field.need {
                Need::Required => "",
                Need::RequiredOrEmpty => choose(" (may be empty)", "（可以为空）"),
                Need::Optional => choose(" (optional)", "（可选）"),
            };
            let source = match setup.read {
                Some(read) => format!("[{read}]({})", setup.source),
                None => format!("[{}]({})", choose("page", "页面"), setup.source),
            };
            [
                code(name),
                code(field.name) + need,
                language.of(field.title).to_owned(),
                language.of(field.found).to_owned(),
                source,
            ]
        })
    });
    page.table(
        language.choose(
            ["provider", "field", "what the platform calls it", "where it is found", "source, read on"],
            ["provider", "字段", "平台的叫法", "在哪里找到", "来源与查阅日期"],
        ),
        rows,
    );
}

/// The text for a limit that the platform does not publish.
pub fn not_published(language: Language) -> String {
    language.choose("not published", "未公布").to_owned()
}

/// Hours, minutes or seconds, such as `1.5 s` or `2 h`.
pub fn span(duration: Duration) -> String {
    const HOUR: u64 = 60 * MINUTE;
    const MINUTE: u64 = 60;
    match (duration.as_secs(), duration.subsec_millis()) {
        (seconds, 0) if seconds >= HOUR && seconds % HOUR == 0 => format!("{} h", seconds / HOUR),
        (seconds, 0) if seconds >= MINUTE && seconds % MINUTE == 0 => format!("{} min", seconds / MINUTE),
        _ => format!("{} s", duration.as_secs_f64()),
    }
}

fn size(bytes: usize) -> String {
    const MEBIBYTE: usize = 1024 * KIBIBYTE;
    const KIBIBYTE: usize = 1024;
    if bytes.is_multiple_of(MEBIBYTE) {
        format!("{} MiB", bytes / MEBIBYTE)
    } else {
        format!("{} KiB", bytes / KIBIBYTE)
    }
}
