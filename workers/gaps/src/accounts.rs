//! The credentials of the gap filler: which accounts of which platforms it asks.

use std::{borrow::Cow, collections::BTreeSet, fmt};

use letterbox_codec::{
    Secret,
    credentials::{self, FieldError, syntax_error, without_byte_order_mark},
    json::Object,
};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::value::RawValue;

use crate::github::jwt::AppKey;

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

/// A repository's or an organisation's hook, or an app.
#[derive(Debug)]
pub struct GitHub {
    /// What is asked.
    pub target: Target,
    /// What the requests are authorized with.
    pub credential: Credential,
    /// The base URL of the API, without a slash at its end.
    pub url: Cow<'static, str>,
}

/// Whose deliveries are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A repository's hook: `owner/name`, and the hook's id.
    Repository(String, u64),
    /// An organisation's hook.
    Organization(String, u64),
    /// An app, by its id or client id.
    App(String),
}

/// What a request to GitHub is authorized with.
#[derive(Debug)]
pub enum Credential {
    /// A personal access token.
    Token(Secret),
    /// An app's private key, which signs short-lived tokens.
    Key(AppKey),
}

/// An account of Stripe.
#[derive(Debug)]
pub struct Stripe {
    /// A restricted or secret API key.
    pub api_key: Secret,
    /// The connected account whose events are asked for.
    pub account: Option<String>,
    /// The function that receives its pushes: `payment` or `signed`.
    pub provider: StripeProvider,
    /// The source of its pushes.
    pub source: String,
    /// Only events of these types.
    pub types: Vec<String>,
    /// The base URL of the API.
    pub url: Cow<'static, str>,
}

/// The function that receives the pushes of Stripe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StripeProvider {
    /// `payment`
    #[default]
    Payment,
    /// `signed`
    Signed,
}

impl StripeProvider {
    /// The function's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Signed => "signed",
        }
    }
}

/// An application of DingTalk.
#[derive(Debug)]
pub struct DingTalk {
    /// The `AppKey` (Client ID).
    pub app_key: String,
    /// The `AppSecret` (Client Secret).
    pub app_secret: Secret,
    /// The source of its pushes.
    pub source: String,
    /// The base URL of the failed list.
    pub url: Cow<'static, str>,
    /// The base URL of the token.
    pub token_url: Cow<'static, str>,
}

impl GitHub {
    /// The path of its deliveries, from the base URL on.
    pub fn path(&self) -> String {
        match &self.target {
            Target::Repository(repository, hook) => format!("/repos/{repository}/hooks/{hook}/deliveries"),
            Target::Organization(organization, hook) => {
                format!("/orgs/{organization}/hooks/{hook}/deliveries")
            }
            Target::App(_) => "/app/hook/deliveries".to_owned(),
        }
    }

    /// What identifies it in the state and in reports.
    pub fn name(&self) -> String {
        let host = self.url.split_once("://").map_or(&*self.url, |(_, rest)| rest);
        let host = if host == "api.github.com" { String::new() } else { format!("{host}/") };
        match &self.target {
            Target::Repository(repository, hook) => format!("github/{host}repos/{repository}/hooks/{hook}"),
            Target::Organization(organization, hook) => {
                format!("github/{host}orgs/{organization}/hooks/{hook}")
            }
            Target::App(app) => format!("github/{host}apps/{app}"),
        }
    }
}

impl Stripe {
    /// What identifies it in the state and in reports.
    pub fn name(&self) -> String {
        let account = self.account.as_deref().map(|account| format!("/{account}")).unwrap_or_default();
        format!("stripe/{}/{}{account}", self.provider.name(), self.source)
    }
}

impl DingTalk {
    /// What identifies it in the state and in reports.
    pub fn name(&self) -> String {
        format!("dingtalk/{}/{}", self.source, self.app_key)
    }
}

impl Accounts {
    /// Parses `{"github": [{…}], "stripe": [{…}], "dingtalk": [{…}]}`. An entry may stand in place of a list of one.
    pub fn parse(json: &str) -> Result<Self, AccountsError> {
        let json = without_byte_order_mark(json);
        let object = Object::parse(json).map_err(|_| {
            let found = serde_json::from_str::<&RawValue>(json).err().filter(|_| !json.trim().is_empty());
            found.map_or(AccountsError::NotAnObject, |found| {
                AccountsError::Syntax(syntax_error(json, &found))
            })
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

fn whole(reason: &str) -> FieldError {
    FieldError { field: None, reason: reason.to_owned() }
}

fn field(name: &str, expected: impl fmt::Display) -> FieldError {
    FieldError { field: Some(name.to_owned()), reason: format!("expected {expected}") }
}

/// An entry of GitHub as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GitHubEntry {
    repository: Option<String>,
    organization: Option<String>,
    hook: Option<u64>,
    #[serde(default, deserialize_with = "text_or_number")]
    app: Option<String>,
    token: Option<Secret>,
    #[serde(default, deserialize_with = "pem")]
    private_key: Option<Secret>,
    url: Option<String>,
}

impl GitHubEntry {
    const TARGETS: &'static str =
        "one of repository and hook (with token), organization and hook (with token), app (with private_key)";

    fn checked(self) -> Result<GitHub, FieldError> {
        let (target, credential) = match (self.repository, self.organization, self.app) {
            (Some(repository), None, None) => {
                let parts: Vec<_> = repository.split('/').collect();
                if parts.len() != 2 || !parts.iter().all(|part| is_name(part)) {
                    return Err(field("repository", "owner/name"));
                }
                (Target::Repository(repository, hook(self.hook)?), token(self.token)?)
            }
            (None, Some(organization), None) => {
                if !is_name(&organization) {
                    return Err(field("organization", "the organisation's login, as it stands in its URL"));
                }
                (Target::Organization(organization, hook(self.hook)?), token(self.token)?)
            }
            (None, None, Some(app)) => {
                if !is_name(&app) {
                    return Err(field("app", "the app's id or client id"));
                }
                if self.hook.is_some() || self.token.is_some() {
                    return Err(whole("expected app without hook and token: an app signs its own tokens"));
                }
                let key = self.private_key.as_ref().ok_or_else(|| whole("missing field `private_key`"))?;
                let key = AppKey::new(&app, key).map_err(|expected| field("private_key", expected))?;
                return Ok(GitHub {
                    target: Target::App(app),
                    credential: Credential::Key(key),
                    url: base(self.url, "https://api.github.com")?,
                });
            }
            _ => return Err(whole(&format!("expected {}", Self::TARGETS))),
        };
        if self.private_key.is_some() {
            return Err(field("private_key", "only beside app"));
        }
        Ok(GitHub { target, credential, url: base(self.url, "https://api.github.com")? })
    }
}

fn hook(hook: Option<u64>) -> Result<u64, FieldError> {
    hook.ok_or_else(|| whole("missing field `hook`: the number at the end of the URL of the hook's settings"))
}

fn token(token: Option<Secret>) -> Result<Credential, FieldError> {
    let token = token.ok_or_else(|| whole("missing field `token`"))?;
    in_header(&token, "token")?;
    Ok(Credential::Token(token))
}

/// An entry of Stripe as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StripeEntry {
    api_key: Secret,
    account: Option<String>,
    #[serde(default)]
    provider: StripeProvider,
    source: Option<String>,
    #[serde(default)]
    types: Vec<String>,
    url: Option<String>,
}

impl StripeEntry {
    /// <https://docs.stripe.com/api/events/list> (read 2026-11-27).
    const MOST_TYPES: usize = 20;

    fn checked(self) -> Result<Stripe, FieldError> {
        in_header(&self.api_key, "api_key")?;
        if self.account.as_ref().is_some_and(|account| !is_name(account)) {
            return Err(field("account", "the id of a connected account, acct_..."));
        }
        let is_type = |one: &String| {
            let word = |byte: u8| byte.is_ascii_alphanumeric() || b"._*".contains(&byte);
            (1..=128).contains(&one.len()) && one.bytes().all(word)
        };
        if self.types.len() > Self::MOST_TYPES || !self.types.iter().all(is_type) {
            return Err(field("types", "at most 20 event types, such as invoice.paid"));
        }
        Ok(Stripe {
            api_key: self.api_key,
            account: self.account,
            provider: self.provider,
            source: source(self.source)?,
            types: self.types,
            url: base(self.url, "https://api.stripe.com")?,
        })
    }
}

/// An entry of DingTalk as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DingTalkEntry {
    app_key: String,
    app_secret: Secret,
    source: Option<String>,
    url: Option<String>,
    token_url: Option<String>,
}

impl DingTalkEntry {
    fn checked(self) -> Result<DingTalk, FieldError> {
        if !is_name(&self.app_key) {
            return Err(field("app_key", "the AppKey (Client ID) of the application"));
        }
        Ok(DingTalk {
            app_key: self.app_key,
            app_secret: self.app_secret,
            source: source(self.source)?,
            url: base(self.url, "https://oapi.dingtalk.com")?,
            token_url: base(self.token_url, "https://api.dingtalk.com")?,
        })
    }
}

fn source(source: Option<String>) -> Result<String, FieldError> {
    let source = source.unwrap_or_else(|| "default".to_owned());
    if credentials::is_source_name(&source) {
        return Ok(source);
    }
    Err(field("source", "the name of a source: at most 64 letters, digits, `-`, `_`, `.` or `~`"))
}

/// The base URL of an API. Plain HTTP is for servers on this machine, such as those of tests.
fn base(url: Option<String>, default: &'static str) -> Result<Cow<'static, str>, FieldError> {
    let Some(url) = url else { return Ok(Cow::Borrowed(default)) };
    let url = url.trim_end_matches('/').to_owned();
    let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic()) && !url.contains(['?', '#', '@', '"']);
    let local = ["http://127.0.0.1:", "http://localhost:"];
    let is_known = url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty())
        || local.iter().any(|start| url.starts_with(start));
    if is_plain && is_known {
        return Ok(Cow::Owned(url));
    }
    Err(field("url", "the base URL of the API, such as https://github.example.com/api/v3"))
}

/// A name that can stand in a path.
fn is_name(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(word) && !text.bytes().all(|byte| byte == b'.')
}

/// Checks that a secret can stand in a header.
fn in_header(secret: &Secret, name: &str) -> Result<(), FieldError> {
    if secret.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(field(name, "a text without spaces and line breaks"))
}

/// A PEM text, which usually ends in a line break.
fn pem<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let secret = Secret::new(text.trim().to_owned());
    secret.map(Some).map_err(|expected| D::Error::custom(format!("expected {expected}")))
}

fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(String),
    }
    Ok(match Option::<Either>::deserialize(deserializer).map_err(|_| D::Error::custom("expected a string or a number"))? {
        Some(Either::Number(number)) => Some(number.to_string()),
        Some(Either::Text(text)) => Some(text),
        None => None,
    })
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
            (r#"{"github":{"repository":"../b","hook":1,"token":"hunter2"}}"#, "repository: expected owner/name"),
            (r#"{"github":{"repository":"a/b","token":"hunter2"}}"#, "missing field `hook`"),
            (r#"{"github":{"repository":"a/b","hook":"hunter2","token":"t"}}"#, "hook: expected u64"),
            (r#"{"github":{"repository":"a/b","hook":1}}"#, "missing field `token`"),
            (r#"{"github":{"repository":"a/b","hook":1,"token":"hun ter2"}}"#, "token: expected a text"),
            (r#"{"github":{"repository":"a/b","hook":1,"token":"t","token":"hunter2"}}"#, "token: expected to appear only once"),
            (r#"{"github":{"repository":"a/b","hook":1,"token":"t","url":"http://hunter2"}}"#, "url: expected the base URL"),
            (r#"{"github":{"app":1,"private_key":"hunter2"}}"#, "private_key: expected"),
            (r#"{"github":{"app":1}}"#, "missing field `private_key`"),
            (
                r#"{"github":[{"repository":"a/b","hook":1,"token":"t"},{"repository":"a/b","hook":1,"token":"hunter2"}]}"#,
                "github, entry 2: expected each account to appear only once",
            ),
            (r#"{"stripe":{"api_key":""}}"#, "stripe, entry 1: api_key: expected a secret that is not empty"),
            (r#"{"stripe":{"api_key":"hunter2","provider":"github"}}"#, "provider: expected `payment` or `signed`"),
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
