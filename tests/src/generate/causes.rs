//! `docs/reference/causes.md`: why a delivery is refused, from doctor's table.

use std::convert::Infallible;

use letterbox::doctor::causes::ALL;
use letterbox_codec::platform::Bilingual;

use super::{Generated, Language, Page, both, code};

/// The page in both languages.
pub fn pages() -> Vec<Generated> {
    let Ok(pages) = both(|language| Ok::<_, Infallible>(page(language)));
    pages
}

fn page(language: Language) -> Page {
    let mut page = Page::new(
        language,
        "causes",
        Bilingual { en: "Causes", zh: "原因" },
        Bilingual {
            en: "Why a delivery is refused, as [`letterbox doctor`](program.md#why-was-it-refused) and the page report it.\n\
                 The explanation and the remedy that they print name the details.",
            zh: "投递被拒绝的原因，由 [`letterbox doctor`](program.zh-CN.md#为什么被拒绝) 和页面报告。\n\
                 它们打印的说明和处理办法会给出细节。",
        },
    );
    let rows = ALL.iter().map(|cause| {
        [
            code(cause.code),
            language.choose(cause.explanation, cause.explanation_zh).to_owned(),
            language.choose(cause.remedy, cause.remedy_zh).to_owned(),
        ]
    });
    page.table(language.choose(["cause", "explanation", "what to do"], ["原因", "说明", "处理办法"]), rows);
    page
}
