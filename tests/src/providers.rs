//! The tests of each provider: one file per provider, and its two lines here.

mod alipay;
mod dingtalk;
mod discord;
mod feishu;
mod github;
mod opencard;
mod payment;
mod signed;
mod slack;
mod sns;
mod twilio;
mod wechatpay;
mod wecom;

use letterbox_codec::Stage;

use crate::{
    cases,
    doctor::{self, Made, Vectors},
};

/// The tests of a provider.
pub struct Provider {
    /// Its name.
    pub name: &'static str,
    /// Every status in its contract; each needs a sample event.
    pub statuses: &'static [u16],
    /// The status of the response to a verified payload that is not an event.
    pub unusable: u16,
    /// Each sample event that is refused, with the reason and the stage.
    pub refusals: &'static [(&'static str, &'static str, Stage)],
    /// Its sample events.
    pub cases: fn() -> Vec<cases::Case>,
    /// Appends its broken deliveries.
    pub broken: fn(&mut Vec<doctor::Case>, &Vectors) -> Made<()>,
}

/// Every provider, in the order in which files are written.
pub static PROVIDERS: &[Provider] = &[
    dingtalk::PROVIDER,
    wecom::PROVIDER,
    feishu::PROVIDER,
    opencard::PROVIDER,
    github::PROVIDER,
    payment::PROVIDER,
    signed::PROVIDER,
    slack::PROVIDER,
    discord::PROVIDER,
    wechatpay::PROVIDER,
    alipay::PROVIDER,
    sns::PROVIDER,
    twilio::PROVIDER,
];

/// The provider of that name.
///
/// # Panics
/// If there is no such provider here.
pub fn find(name: &str) -> &'static Provider {
    let found = PROVIDERS.iter().find(|provider| provider.name == name);
    found.unwrap_or_else(|| panic!("tests/src/providers.rs has no {name}"))
}
