//! The entries of the credentials as they are written.

use std::{borrow::Cow, fmt};

use letterbox_codec::{
    Secret,
    credentials::{self, FieldError},
};
use serde::{Deserialize, Deserializer, de::Error};

use super::model::{Credential, DingTalk, GitHub, Stripe, StripeProvider, Target};
use crate::github::jwt::AppKey;

pub(super) fn whole(reason: &str) -> FieldError {
    FieldError { field: None, reason: reason.to_owned() }
}

fn field(name: &str, expected: impl fmt::Display) -> FieldError {
    FieldError { field: Some(name.to_owned()), reason: format!("expected {expected}") }
}

/// An entry of GitHub as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GitHubEntry {
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

    /// Checks its fields together.
    pub(super) fn checked(self) -> Result<GitHub, FieldError> {
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
pub(super) struct StripeEntry {
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

    /// Checks its fields together.
    pub(super) fn checked(self) -> Result<Stripe, FieldError> {
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
pub(super) struct DingTalkEntry {
    app_key: String,
    app_secret: Secret,
    source: Option<String>,
    url: Option<String>,
    token_url: Option<String>,
}

impl DingTalkEntry {
    /// Checks its fields together.
    pub(super) fn checked(self) -> Result<DingTalk, FieldError> {
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
    Ok(
        match Option::<Either>::deserialize(deserializer)
            .map_err(|_| D::Error::custom("expected a string or a number"))?
        {
            Some(Either::Number(number)) => Some(number.to_string()),
            Some(Either::Text(text)) => Some(text),
            None => None,
        },
    )
}
