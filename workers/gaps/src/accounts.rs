//! The credentials of the gap filler: which accounts of which platforms it asks.

mod entry;
mod model;

use std::collections::BTreeSet;

use letterbox_codec::{
    credentials::{self, FieldError, syntax_error, without_byte_order_mark},
    json::Object,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use self::entry::{DingTalkEntry, GitHubEntry, StripeEntry, whole};
pub use self::model::{Credential, DingTalk, GitHub, Stripe, StripeProvider, Target};

/// The accounts of every platform.
#[derive(Debug, Default)]
pub struct Accounts {
    /// The hooks and apps of GitHub.
    pub github: Vec<GitHub>,
    /// The accounts of Stripe.
    pub stripe: Vec<Stripe>,
    /// The applications of DingTalk.
    pub dingtalk: Vec<DingTalk>,
}

/// What is wrong with the credentials. No variant carries a value of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountsError {
    /// Not UTF-8.
    #[error("expected UTF-8")]
    NotUtf8,
    /// Not JSON: where, and what is wrong there.
    #[error("{0}")]
    Syntax(String),
    /// Not an object of platforms.
    #[error(r#"expected a JSON object of platforms, such as {{"github": [{{...}}]}}"#)]
    NotAnObject,
    /// No account at all.
    #[error("expected at least one entry under github, stripe or dingtalk")]
    Empty,
    /// A member that is no platform.
    #[error("{0}: expected github, stripe or dingtalk")]
    Platform(String),
    /// An entry that cannot be used.
    #[error("{platform}, entry {position}: {error}")]
    Entry {
        /// The platform.
        platform: &'static str,
        /// The position of the entry, from 1.
        position: usize,
        /// What is wrong with it.
        error: FieldError,
    },
}

impl Accounts {
    /// Parses `{"github": [{…}], "stripe": [{…}], "dingtalk": [{…}]}`. An entry may stand in place of a list of one.
    pub fn parse(json: &str) -> Result<Self, AccountsError> {
        let json = without_byte_order_mark(json);
        let object = Object::parse(json).map_err(|_| {
            let found = serde_json::from_str::<&RawValue>(json).err().filter(|_| !json.trim().is_empty());
            found
                .map_or(AccountsError::NotAnObject, |found| AccountsError::Syntax(syntax_error(json, &found)))
        })?;
        let members = object.members().map_err(|_| AccountsError::NotAnObject)?;
        let mut accounts = Self::default();
        for (platform, value) in members {
            match platform.as_str() {
                "github" => accounts.github = entries("github", value, |entry: GitHubEntry| entry.checked())?,
                "stripe" => accounts.stripe = entries("stripe", value, |entry: StripeEntry| entry.checked())?,
                "dingtalk" => {
                    accounts.dingtalk = entries("dingtalk", value, |entry: DingTalkEntry| entry.checked())?;
                }
                _ => return Err(AccountsError::Platform(platform.chars().take(64).collect())),
            }
        }
        accounts.distinct()?;
        Ok(accounts)
    }

    /// Parses credentials from bytes, which must be UTF-8.
    pub fn read(json: &[u8]) -> Result<Self, AccountsError> {
        Self::parse(std::str::from_utf8(json).map_err(|_| AccountsError::NotUtf8)?)
    }

    /// Two entries of one account would share their state and fill its gaps twice.
    fn distinct(&self) -> Result<(), AccountsError> {
        let github = self.github.iter().enumerate().map(|(at, one)| ("github", at, one.name()));
        let stripe = self.stripe.iter().enumerate().map(|(at, one)| ("stripe", at, one.name()));
        let dingtalk = self.dingtalk.iter().enumerate().map(|(at, one)| ("dingtalk", at, one.name()));
        let mut names = BTreeSet::new();
        let mut any = false;
        for (platform, at, name) in github.chain(stripe).chain(dingtalk) {
            any = true;
            if !names.insert(name) {
                let error = whole("expected each account to appear only once");
                return Err(AccountsError::Entry { platform, position: at.saturating_add(1), error });
            }
        }
        if any { Ok(()) } else { Err(AccountsError::Empty) }
    }
}

/// The entries of one platform.
fn entries<'j, E: Deserialize<'j>, A>(
    platform: &'static str,
    value: &'j RawValue,
    checked: fn(E) -> Result<A, FieldError>,
) -> Result<Vec<A>, AccountsError> {
    let list = serde_json::from_str::<Vec<&RawValue>>(value.get()).unwrap_or_else(|_| vec![value]);
    let read = |json: &'j str| {
        if !json.starts_with('{') {
            return Err(whole("expected a JSON object"));
        }
        credentials::unique(json)?;
        checked(credentials::read(&mut serde_json::Deserializer::from_str(json))?)
    };
    let entries = list.into_iter().enumerate().map(|(at, one)| {
        read(one.get()).map_err(|error| AccountsError::Entry {
            platform,
            position: at.saturating_add(1),
            error,
        })
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_has_its_entries() {
        let accounts = Accounts::parse(
            r#"{"github":[{"repository":"acme/widget","hook":9007199254740993,"token":"t"},
                {"organization":"acme","hook":2,"token":"t","url":"https://github.example.com/api/v3/"}],
                "stripe":{"api_key":"rk_live_1","types":["invoice.*"]},
                "dingtalk":{"app_key":"dingabc","app_secret":"s","source":"hr"}}"#,
        )
        .unwrap();
        let names: Vec<_> = accounts.github.iter().map(GitHub::name).collect();
        assert_eq!(
            names,
            [
                "github/repos/acme/widget/hooks/9007199254740993",
                "github/github.example.com/api/v3/orgs/acme/hooks/2"
            ]
        );
        assert_eq!(accounts.github[0].path(), "/repos/acme/widget/hooks/9007199254740993/deliveries");
        assert_eq!(accounts.stripe[0].name(), "stripe/payment/default");
        assert_eq!(accounts.dingtalk[0].name(), "dingtalk/hr/dingabc");
    }

    #[test]
    fn errors_name_entry_and_field_and_no_value() {
        for (json, expected) in [
            ("", "expected a JSON object of platforms"),
            ("{", "line 1, column "),
            ("{}", "expected at least one entry"),
            (r#"{"github":[]}"#, "expected at least one entry"),
            (r#"{"gitlab":{}}"#, "gitlab: expected github, stripe or dingtalk"),
            (r#"{"github":"hunter2"}"#, "github, entry 1: expected a JSON object"),
            (r#"{"github":{"token":"hunter2"}}"#, "github, entry 1: expected one of repository and hook"),
            (
                r#"{"github":[{"repository":"a/b","hook":1,"token":"hunter2"},{"repository":"hunter2","hook":1,"token":"t"}]}"#,
                "github, entry 2: repository: expected owner/name",
            ),
            (
                r#"{"github":{"repository":"../b","hook":1,"token":"hunter2"}}"#,
                "repository: expected owner/name",
            ),
            (r#"{"github":{"repository":"a/b","token":"hunter2"}}"#, "missing field `hook`"),
            (r#"{"github":{"repository":"a/b","hook":"hunter2","token":"t"}}"#, "hook: expected u64"),
            (r#"{"github":{"repository":"a/b","hook":1}}"#, "missing field `token`"),
            (r#"{"github":{"repository":"a/b","hook":1,"token":"hun ter2"}}"#, "token: expected a text"),
            (
                r#"{"github":{"repository":"a/b","hook":1,"token":"t","token":"hunter2"}}"#,
                "token: expected to appear only once",
            ),
            (
                r#"{"github":{"repository":"a/b","hook":1,"token":"t","url":"http://hunter2"}}"#,
                "url: expected the base URL",
            ),
            (r#"{"github":{"app":1,"private_key":"hunter2"}}"#, "private_key: expected"),
            (r#"{"github":{"app":1}}"#, "missing field `private_key`"),
            (
                r#"{"github":[{"repository":"a/b","hook":1,"token":"t"},{"repository":"a/b","hook":1,"token":"hunter2"}]}"#,
                "github, entry 2: expected each account to appear only once",
            ),
            (r#"{"stripe":{"api_key":""}}"#, "stripe, entry 1: api_key: expected a secret that is not empty"),
            (
                r#"{"stripe":{"api_key":"hunter2","provider":"github"}}"#,
                "provider: expected `payment` or `signed`",
            ),
            (r#"{"stripe":{"api_key":"hunter2","source":"a b"}}"#, "source: expected the name of a source"),
            (r#"{"stripe":{"api_key":"hunter2","types":["a b"]}}"#, "types: expected at most 20"),
            (r#"{"dingtalk":{"app_key":"k","app_secret":"hunter2","token":"t"}}"#, "token: unknown field"),
        ] {
            let error = Accounts::parse(json).err().unwrap_or_else(|| panic!("{json}")).to_string();
            assert!(error.contains(expected), "{json}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
