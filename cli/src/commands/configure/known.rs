//! What to do, and what is known before anything changes.

use std::collections::BTreeMap;

use letterbox_registry::Platform;
use serde_json::json;

use super::cloud::Cloud;
use crate::{
    commands::CommandError,
    configure::{Entry, credentials::Credentials, samconfig::SamConfig},
    stack::{Stack, logical_name, secrets::StoredSecret},
};

/// The parameter of a provider that is off.
pub const OFF: &str = "off";
/// The parameter of a provider whose secret the stack generates.
pub const GENERATE: &str = "generate";

/// What to do with one provider.
pub struct Wish {
    pub provider: &'static dyn Platform,
    pub what: What,
}

/// The same without the provider.
pub enum What {
    /// Turn it off.
    Off,
    /// Let the stack generate its secret.
    Generate,
    /// Turn it on with these entries.
    Entries {
        /// The entries of each source.
        sources: BTreeMap<String, Vec<Entry>>,
        /// Further parameters of the stack.
        parameters: Vec<(String, String)>,
    },
    /// Leave it as it is.
    Keep,
}

/// What is known before anything changes.
pub struct Known {
    pub config: SamConfig,
    /// The name of the stack, deployed or not.
    pub name: String,
    /// The deployed stack.
    pub stack: Option<Stack>,
}

/// The credentials that a provider has.
pub struct Current {
    /// The secret, if there is one.
    pub stored: Option<StoredSecret>,
    /// The name of the secret that is created if there is none.
    pub new_name: String,
    /// True if the provider's parameter leads to that secret already.
    pub is_used: bool,
    /// True if the deployed stack generated it.
    pub is_generated: bool,
    /// The content of the secret.
    pub credentials: Credentials,
}

impl Known {
    /// The value of a parameter: of the configuration file, or else of the deployed stack.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let deployed = || self.stack.as_ref()?.parameter(name).map(str::to_owned);
        self.config.parameter(name).or_else(deployed)
    }

    /// The value of a provider's parameter, the template's default included.
    pub fn of(&self, provider: &dyn Platform) -> String {
        let facts = provider.facts();
        let default = if facts.on_by_default && self.stack.is_none() { GENERATE } else { OFF };
        self.parameter(&logical_name(facts.name)).unwrap_or_else(|| default.to_owned())
    }

    /// Reads the credentials that a provider has.
    pub fn current(&self, cloud: &Cloud, provider: &dyn Platform) -> Result<Current, CommandError> {
        let (parameter, name) = (self.of(provider), provider.name());
        let new_name = format!("{}/{name}", self.name);
        let deployed = self
            .stack
            .as_ref()
            .filter(|stack| parameter == GENERATE && stack.parameter(&logical_name(name)) == Some(GENERATE));
        let generated =
            deployed.and_then(|stack| stack.output(&format!("{}CredentialsSecret", logical_name(name))));
        let id = if parameter.starts_with("arn:") { Some(parameter.as_str()) } else { generated };
        let stored = cloud.secret(id.unwrap_or(&new_name))?;
        if let (Some(id), None) = (id, &stored) {
            return Err(CommandError::Failed(format!(
                "{}: there is no secret {id}; set the parameter to another one, or to {OFF}",
                logical_name(name)
            )));
        }
        let credentials = match &stored {
            None => Credentials::default(),
            Some(stored) => {
                let correct = |error: &dyn std::fmt::Display| {
                    let arn = &stored.arn;
                    CommandError::Failed(format!(
                        "the secret {arn} cannot be used: {error}; correct it with `aws secretsmanager put-secret-value --secret-id {arn} --secret-string file://...`"
                    ))
                };
                provider.keys(&stored.text).map_err(|error| correct(&error))?;
                Credentials::parse(&stored.text).map_err(|error| correct(&error))?
            }
        };
        Ok(Current {
            stored,
            new_name,
            is_used: id.is_some(),
            is_generated: generated.is_some(),
            credentials,
        })
    }
}

/// A credentials JSON with one entry.
pub fn document(source: &str, entry: &Entry) -> String {
    json!({ source: entry }).to_string()
}
