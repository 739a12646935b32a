//! The list of providers: the only list of them in what users run.

mod erased;

use alipay::Alipay;
use dingtalk::DingTalk;
use discord::Discord;
use feishu::Feishu;
use github::GitHub;
use opencard::OpenCard;
use payment::Payment;
use signed::Signed;
use slack::Slack;
use sns::Sns;
use twilio::Twilio;
use wechatpay::WeChatPay;
use wecom::WeCom;

use self::erased::Of;
pub use self::erased::{Entry, Facts, Handler, HandlerParts, Keys, Platform};

/// Every provider of Letterbox.
pub static PROVIDERS: &[&dyn Platform] = &[
    &Of::<DingTalk>::NEW,
    &Of::<WeCom>::NEW,
    &Of::<Feishu>::NEW,
    &Of::<OpenCard>::NEW,
    &Of::<GitHub>::NEW,
    DESCRIBED,
    &Of::<Signed>::NEW,
    &Of::<Slack>::NEW,
    &Of::<Discord>::NEW,
    &Of::<WeChatPay>::NEW,
    &Of::<Alipay>::NEW,
    &Of::<Sns>::NEW,
    &Of::<Twilio>::NEW,
];

/// The provider whose entries can describe any signature scheme. `signed` is the same engine under another name.
pub static DESCRIBED: &dyn Platform = &Of::<Payment>::NEW;

/// The provider of that name. The error names all providers.
pub fn find(name: &str) -> Result<&'static dyn Platform, String> {
    let known = || PROVIDERS.iter().map(|provider| provider.name()).collect::<Vec<_>>().join(", ");
    PROVIDERS
        .iter()
        .copied()
        .find(|provider| provider.name() == name)
        .ok_or_else(|| format!("no provider {name:?}; there are {}", known()))
}
