//! The credentials that the providers of a stack have now.

use std::collections::BTreeMap;

use super::{Account, Stack, logical_name, secrets::Secrets};
use crate::credentials::Credentials;

/// The credentials of a stack's providers, each read from its secret when it is first needed.
pub struct StackCredentials {
    secrets: Secrets,
    ids: BTreeMap<String, String>,
    /// Why those of a provider could not be read.
    unread: BTreeMap<String, String>,
    known: Credentials,
}

impl StackCredentials {
    /// Those of a stack. Nothing is read yet.
    pub fn of(account: &Account, stack: &Stack) -> Self {
        let providers = letterbox_registry::PROVIDERS.iter().map(|provider| provider.name());
        let secret = |name: &str| stack.output(&format!("{}CredentialsSecret", logical_name(name)));
        let ids = providers.filter_map(|name| Some((name.to_owned(), secret(name)?.to_owned())));
        Self {
            secrets: Secrets::of(account),
            ids: ids.collect(),
            unread: BTreeMap::new(),
            known: Credentials::default(),
        }
    }

    /// The credentials of a provider, if they may be read. The error says why not.
    pub async fn of_provider(&mut self, provider: &str) -> Result<&Credentials, String> {
        if let Some(reason) = self.unread.get(provider) {
            return Err(reason.clone());
        }
        if self.known.json(provider).is_none() {
            match self.read(provider).await {
                Ok(json) => self.known.insert(provider.to_owned(), json),
                Err(reason) => {
                    self.unread.insert(provider.to_owned(), reason.clone());
                    return Err(reason);
                }
            }
        }
        Ok(&self.known)
    }

    async fn read(&self, provider: &str) -> Result<String, String> {
        let missing = || format!("the stack has no secret with credentials of {provider}");
        let id = self.ids.get(provider).ok_or_else(missing)?;
        let stored = self.secrets.read(id).await.map_err(|error| error.to_string())?;
        // It lives as long as the credentials that it becomes.
        Ok(stored.ok_or_else(missing)?.text.as_str().to_owned())
    }
}
