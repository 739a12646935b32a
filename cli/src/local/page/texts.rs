//! The page's texts, in English and Chinese.

mod archive;
mod replay;

use http::{HeaderMap, header::ACCEPT_LANGUAGE};
use letterbox_codec::platform::Step;
use letterbox_intake::Outcome;

use self::archive::ArchiveTexts;
use super::cookies::cookie;
use crate::local::history::known_outcome;

/// The cookie with the language that the user chose.
pub const COOKIE: &str = "letterbox_language";

/// The texts of one language. A missing translation does not compile.
pub struct Texts {
    /// The language tag, as in HTML's `lang`.
    pub tag: &'static str,
    /// The other language: its tag, and its own name for itself.
    pub other: (&'static str, &'static str),
    pub title: &'static str,
    pub skip: &'static str,
    pub live: &'static str,
    pub not_live: &'static str,
    pub offline: &'static str,
    pub totals: &'static str,
    pub all: &'static str,
    pub latency: &'static str,
    /// The latency line, from the median and the 95th percentile.
    pub latency_summary: fn(&str, &str) -> String,
    pub latency_of_latest: &'static str,
    pub filters: &'static str,
    pub apply: &'static str,
    pub reset: &'static str,
    pub any: &'static str,
    pub search: &'static str,
    pub search_hint: &'static str,
    pub list: &'static str,
    pub time: &'static str,
    pub provider: &'static str,
    pub source: &'static str,
    pub kind: &'static str,
    pub outcome: &'static str,
    pub status: &'static str,
    pub took: &'static str,
    pub none_yet: &'static str,
    pub none_match: &'static str,
    pub older: &'static str,
    pub to_newest: &'static str,
    pub send_sample: &'static str,
    pub sample: &'static str,
    pub send: &'static str,
    pub back: &'static str,
    pub gone: &'static str,
    pub delivery: &'static str,
    pub redelivery_of: &'static str,
    pub redeliver: &'static str,
    pub redeliver_hint: &'static str,
    pub copy_curl: &'static str,
    pub copy_event: &'static str,
    pub save_event: &'static str,
    pub copied: &'static str,
    pub not_copied: &'static str,
    pub why: &'static str,
    pub remedy: &'static str,
    pub remedy_here: &'static str,
    pub run_doctor: &'static str,
    pub opens_now: &'static str,
    pub steps: &'static str,
    pub passed: &'static str,
    pub failed: &'static str,
    pub not_reached: &'static str,
    pub key: &'static str,
    pub queue_step: &'static str,
    pub nothing_to_queue: &'static str,
    pub request: &'static str,
    pub headers: &'static str,
    pub withheld: &'static str,
    pub body: &'static str,
    pub body_empty: &'static str,
    pub body_is_lost: &'static str,
    pub body_binary: &'static str,
    pub cut: &'static str,
    pub whole: &'static str,
    pub event: &'static str,
    pub no_event: &'static str,
    pub content: &'static str,
    pub message: &'static str,
    pub attributes: &'static str,
    pub no_message: &'static str,
    pub message_not_queued: &'static str,
    pub reply: &'static str,
    pub reply_sent: &'static str,
    pub reply_in_clear: &'static str,
    pub reply_rejected: &'static str,
    pub bytes: &'static str,
    pub token_title: &'static str,
    pub token_hint: &'static str,
    pub token: &'static str,
    pub token_wrong: &'static str,
    pub enter: &'static str,
    queued: &'static str,
    answered: &'static str,
    refused: &'static str,
    unavailable: &'static str,
    unqueued: &'static str,
    step: fn(&Step) -> &'static str,
    /// The texts that only the page over an archive has.
    pub archive: &'static ArchiveTexts,
}

/// The texts in the language that the request asks for: by cookie, or else by `Accept-Language`.
pub fn wanted(headers: &HeaderMap) -> &'static Texts {
    let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Texts::of(cookie(headers, COOKIE), accepted)
}

impl Texts {
    /// The texts of the chosen language, or else of the best one in `Accept-Language`, or else English.
    fn of(chosen: Option<&str>, accepted: Option<&str>) -> &'static Self {
        match chosen {
            Some(tag) => Self::in_language(tag),
            None => accepted.and_then(Self::accepted),
        }
        .unwrap_or(&EN)
    }

    /// The texts of a language tag, such as `zh-CN`.
    fn in_language(tag: &str) -> Option<&'static Self> {
        let language = tag.split('-').next().unwrap_or_default();
        [&EN, &ZH].into_iter().find(|texts| texts.tag.eq_ignore_ascii_case(language))
    }

    /// The language with the highest quality in `Accept-Language`; of equal ones the first (RFC 9110, section 12.5.4).
    fn accepted(header: &str) -> Option<&'static Self> {
        let ranges = header.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let texts = Self::in_language(parts.next()?)?;
            let quality = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
            let quality = quality.map_or(Some(1.0), |quality| quality.parse::<f32>().ok())?;
            // 0 means "not acceptable".
            (quality > 0.0 && quality <= 1.0).then_some((texts, quality))
        });
        ranges.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(texts, _)| texts)
    }

    /// The name of an outcome in this language; an unknown outcome is returned as it is.
    pub fn outcome<'a>(&self, outcome: &'a str) -> &'a str {
        match known_outcome(outcome) {
            Some(Outcome::Queued) => self.queued,
            Some(Outcome::Answered) => self.answered,
            Some(Outcome::Refused) => self.refused,
            Some(Outcome::Failed) => self.unavailable,
            Some(Outcome::Unqueued) => self.unqueued,
            None => outcome,
        }
    }

    /// The name of a step in this language.
    pub fn step(&self, step: &Step) -> &'static str {
        (self.step)(step)
    }
}

const EN: Texts = Texts {
    tag: "en",
    other: ("zh", "中文"),
    title: "Recent deliveries",
    skip: "Skip to the deliveries",
    live: "live",
    not_live: "needs JavaScript to be live",
    offline: "connection lost, reconnecting",
    totals: "All stored deliveries",
    all: "all",
    latency: "Latency",
    latency_of_latest: "Latency of the latest deliveries in milliseconds, oldest first",
    latency_summary: |median, p95| format!("Latency: median {median}, 95 % {p95}"),
    filters: "Filter",
    apply: "Filter",
    reset: "Reset",
    any: "any",
    search: "Text",
    search_hint: "in request, event or queue message",
    list: "Deliveries, newest first",
    time: "Time",
    provider: "Provider",
    source: "Source",
    kind: "Type",
    outcome: "Outcome",
    status: "Status",
    took: "ms",
    none_yet: "No deliveries yet. Send a sample, or set a platform's webhook URL to this server.",
    none_match: "No delivery matches the filter.",
    older: "Older",
    to_newest: "Newest",
    send_sample: "Send sample",
    sample: "Sample",
    send: "Send",
    back: "Back to the list",
    gone: "No such delivery: it was removed, or never existed.",
    delivery: "Delivery",
    redelivery_of: "Redelivery of",
    redeliver: "Redeliver",
    redeliver_hint: "Sends the same bytes to the function again",
    copy_curl: "Copy as curl",
    copy_event: "Copy as sample event",
    save_event: "Save as sample event",
    copied: "Copied.",
    not_copied: "The browser does not allow copying here; the text opens in a new tab.",
    why: "Why it was refused",
    remedy: "What to do",
    remedy_here: "For this delivery",
    run_doctor: "The body is large. To find the cause, run",
    opens_now: "With the current credentials and its time of receipt, this delivery would be accepted.",
    steps: "Verification steps",
    passed: "passed",
    failed: "failed",
    not_reached: "not reached",
    key: "key",
    queue_step: "Queue: put",
    nothing_to_queue: "nothing to queue",
    request: "Request",
    headers: "Headers",
    withheld: "*** stands for a value that is not stored.",
    body: "Body",
    body_empty: "The body is empty.",
    body_is_lost: "The body was not stored: it was too large, or it arrived incomplete.",
    body_binary: "Not UTF-8; shown in base64.",
    cut: "Truncated here.",
    whole: "Download in full",
    event: "Decoded event",
    no_event: "No event: the delivery was refused, or it contains nothing to queue.",
    content: "Decoded content",
    message: "Queue message",
    attributes: "Message attributes",
    no_message: "None.",
    message_not_queued: "Not on the queue: putting it there failed.",
    reply: "Response",
    reply_sent: "As sent",
    reply_in_clear: "Plaintext",
    reply_rejected: "The platform would reject it:",
    bytes: "bytes",
    token_title: "Token required",
    token_hint: "Enter the token that was set with --token or LETTERBOX_TOKEN. If none was set, the terminal that runs the server shows one.",
    token: "Token",
    token_wrong: "The token is not correct.",
    enter: "Continue",
    queued: "queued",
    answered: "answered",
    refused: "refused",
    unavailable: "failed",
    unqueued: "unqueued",
    step: |step| step.en,
    archive: &archive::EN,
};

const ZH: Texts = Texts {
    tag: "zh",
    other: ("en", "English"),
    title: "最近的投递",
    skip: "跳到投递列表",
    live: "实时",
    not_live: "启用 JavaScript 后可实时更新",
    offline: "连接已断开，正在重连",
    totals: "已保存的全部投递",
    all: "全部",
    latency: "延迟",
    latency_of_latest: "最近投递的耗时（毫秒），由旧到新",
    latency_summary: |median, p95| format!("延迟：中位数 {median}，95 % {p95}"),
    filters: "筛选",
    apply: "筛选",
    reset: "重置",
    any: "不限",
    search: "文本",
    search_hint: "在请求、事件或队列消息中查找",
    list: "投递，最新在前",
    time: "时间",
    provider: "Provider",
    source: "来源",
    kind: "类型",
    outcome: "结果",
    status: "状态码",
    took: "毫秒",
    none_yet: "还没有投递。可以发送一个样例，或将平台的 webhook URL 设为本服务。",
    none_match: "没有符合筛选条件的投递。",
    older: "更早",
    to_newest: "回到最新",
    send_sample: "发送样例",
    sample: "样例",
    send: "发送",
    back: "返回列表",
    gone: "没有这条投递：它已被删除，或从未存在。",
    delivery: "投递",
    redelivery_of: "重新投递自",
    redeliver: "重新投递",
    redeliver_hint: "把相同的字节再次发送给函数",
    copy_curl: "复制为 curl 命令",
    copy_event: "复制为样例事件",
    save_event: "保存为样例事件",
    copied: "已复制。",
    not_copied: "浏览器不允许在此复制，已改为在新标签页中打开文本。",
    why: "为什么被拒绝",
    remedy: "如何处理",
    remedy_here: "针对这次投递",
    run_doctor: "请求体较大。要查明原因，请运行",
    opens_now: "按当前的凭证和当时的接收时间，这次投递会验证通过。",
    steps: "验证步骤",
    passed: "通过",
    failed: "失败",
    not_reached: "未执行",
    key: "密钥",
    queue_step: "写入队列",
    nothing_to_queue: "无需入队",
    request: "请求",
    headers: "请求头",
    withheld: "*** 表示该值不予保存。",
    body: "请求体",
    body_empty: "内容为空。",
    body_is_lost: "请求体未保存：过大，或没有完整到达。",
    body_binary: "不是 UTF-8，以 base64 显示。",
    cut: "在此处截断。",
    whole: "下载完整内容",
    event: "解码后的事件",
    no_event: "没有事件：投递被拒绝，或其中没有需要入队的内容。",
    content: "解码后的内容",
    message: "队列消息",
    attributes: "消息属性",
    no_message: "无。",
    message_not_queued: "未入队：写入队列失败。",
    reply: "响应",
    reply_sent: "实际发送",
    reply_in_clear: "明文",
    reply_rejected: "平台会拒绝它：",
    bytes: "字节",
    token_title: "请输入令牌",
    token_hint: "请输入用 --token 或 LETTERBOX_TOKEN 设置的令牌；如果没有设置，运行本服务的终端会显示一个。",
    token: "令牌",
    token_wrong: "令牌不正确。",
    enter: "继续",
    queued: "已入队",
    answered: "已响应",
    refused: "已拒绝",
    unavailable: "失败",
    unqueued: "未入队",
    step: |step| step.zh,
    archive: &archive::ZH,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_chosen_one_or_the_best_accepted_one() {
        for (chosen, accepted, expected) in [
            (None, None, "en"),
            (None, Some("zh-CN,zh;q=0.9,en;q=0.8"), "zh"),
            (None, Some("en-GB,zh;q=0.9"), "en"),
            (None, Some("fr, zh-TW;q=0.5, en;q=0.3"), "zh"),
            (None, Some("fr"), "en"),
            (None, Some("en;q=0.1, zh;q=0.9"), "zh"),
            (None, Some("en; q=0.8,zh ;q=0.8"), "en"),
            (None, Some("zh;q=0, en;q=0.1"), "en"),
            (None, Some("zh;q=0"), "en"),
            (None, Some("en;q=0.5, ZH-hant;Q=0.6"), "zh"),
            (None, Some("zh;q=NaN, en;q=x, zh-CN;q=0.001"), "zh"),
            (None, Some("zhx, ;, , en"), "en"),
            (Some("en"), Some("zh"), "en"),
            (Some("zh"), Some("en"), "zh"),
            (Some("xx"), Some("zh"), "en"),
        ] {
            assert_eq!(Texts::of(chosen, accepted).tag, expected, "{chosen:?} {accepted:?}");
        }
    }
}
