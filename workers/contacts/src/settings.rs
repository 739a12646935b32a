//! The credentials and settings of every corp, as they are used.

use std::{borrow::Cow, fmt};

use letterbox_codec::Secret;

/// One corp: a directory of DingTalk, and the directory of WeCom that it is mirrored into.
#[derive(Debug)]
pub struct Corp {
    /// Its name, which is its partition of the state.
    pub name: String,
    /// Where it is read.
    pub dingtalk: DingTalk,
    /// Where it is written.
    pub wecom: WeCom,
    /// Keys the hashes of personal data in the state.
    pub hash_key: HashKey,
    /// Only these departments of DingTalk and what is below them; the whole company if empty.
    pub departments: Vec<i64>,
    /// Not these departments, nor what is below them.
    pub skip_departments: Vec<i64>,
    /// True if roles are mirrored as tags.
    pub roles: bool,
    /// True if new members are invited.
    pub invite: bool,
    /// True if a member of WeCom with the same userid, which the mirror did not create, is taken over.
    pub adopt: bool,
    /// Days after which a disabled member is deleted; never if `None`.
    pub delete_after_days: Option<u32>,
    /// What stops a run.
    pub guard: Guard,
}

/// DingTalk's side of a corp.
#[derive(Debug)]
pub struct DingTalk {
    /// `CorpId`
    pub corp_id: String,
    /// The `AppKey` (Client ID) of an internal application.
    pub client_id: String,
    /// The `AppSecret` (Client Secret).
    pub client_secret: Secret,
    /// Calls a second of each API: 20, or 60 with a package.
    pub per_second: u32,
    /// The base URL of the legacy API, without a slash at its end: `https://oapi.dingtalk.com`.
    pub legacy_url: Cow<'static, str>,
    /// The base URL of the API: `https://api.dingtalk.com`.
    pub url: Cow<'static, str>,
}

/// WeCom's side of a corp.
#[derive(Debug)]
pub struct WeCom {
    /// `corpid`
    pub corp_id: String,
    /// The secret of the contact sync assistant.
    pub secret: Secret,
    /// The secret of a self-built application that sees the whole company, for the reads in place of the assistant's.
    pub reader_secret: Option<Secret>,
    /// The department that the mirrored tree hangs under.
    pub root: i32,
    /// The base URL of the API, without a slash at its end: `https://qyapi.weixin.qq.com`.
    pub url: Cow<'static, str>,
}

/// How many members or departments a run may disable or delete: the larger of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// A number.
    pub count: u32,
    /// A share of what the mirror has made, in percent.
    pub percent: u32,
}

/// 32 bytes, which are not printed.
#[derive(Clone)]
pub struct HashKey(pub [u8; 32]);

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(..)")
    }
}
