//! The credentials and settings of every corp.

mod read;

use std::{borrow::Cow, fmt};

use letterbox_codec::{Secret, credentials::FieldError};

/// Every corp of the credentials, sorted by name.
#[derive(Debug)]
pub struct Corps(Vec<Corp>);

/// What is wrong with the credentials. No variant carries a value of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CorpsError {
    /// Not UTF-8.
    #[error("expected UTF-8")]
    NotUtf8,
    /// Not JSON: where, and what is wrong there.
    #[error("{0}")]
    Syntax(String),
    /// Not an object of corps.
    #[error(r#"expected a JSON object of corps, such as {{"acme": {{"dingtalk": {{...}}, "wecom": {{...}}, ...}}}}"#)]
    NotAnObject,
    /// No corp at all.
    #[error("expected at least one corp")]
    Empty,
    /// A name that cannot be a corp's.
    #[error("corp {0:?}: expected a name of at most 64 letters, digits, `-`, `_`, `.` or `~`")]
    Name(String),
    /// A corp that cannot be used.
    #[error("corp {name:?}: {error}")]
    Corp {
        /// Its name.
        name: String,
        /// What is wrong with it.
        error: FieldError,
    },
    /// Two corps that would write into one directory of WeCom, or read one of DingTalk.
    #[error("corp {0:?}: expected each directory of DingTalk and of WeCom in only one corp")]
    Twice(String),
}

impl Corps {
    /// All corps.
    pub fn iter(&self) -> std::slice::Iter<'_, Corp> {
        self.0.iter()
    }

    /// The corp of that name.
    pub fn named(&self, name: &str) -> Option<&Corp> {
        self.iter().find(|corp| corp.name == name)
    }

    /// The corp with that `CorpId` of DingTalk.
    pub fn of_dingtalk(&self, corp_id: &str) -> Option<&Corp> {
        self.iter().find(|corp| corp.dingtalk.corp_id == corp_id)
    }
}

impl<'a> IntoIterator for &'a Corps {
    type Item = &'a Corp;
    type IntoIter = std::slice::Iter<'a, Corp>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// One corp: a directory of DingTalk, and the directory of WeCom that it is mirrored into.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a member of the credentials")]
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
    /// True if managers are mirrored, for which a complete run reads each person.
    pub managers: bool,
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

impl Guard {
    /// As in AD-Org-Sync, the one open-source tool with such a guard.
    pub const DEFAULT: Self = Self { count: 10, percent: 5 };
}

/// 32 bytes, which are not printed.
#[derive(Clone)]
pub struct HashKey(pub [u8; 32]);

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(..)")
    }
}
