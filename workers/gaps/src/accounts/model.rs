//! The accounts, as they are used.

use std::borrow::Cow;

use letterbox_codec::Secret;
use serde::Deserialize;

use crate::github::jwt::AppKey;

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
