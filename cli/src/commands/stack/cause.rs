//! Why a delivery is refused, judged with the stack's own credentials.

use std::collections::BTreeMap;

use crate::{
    credentials::Credentials,
    doctor::{Report, archived, diagnosis_input::DiagnosisInput},
    stack::{archive::ArchivedDelivery, logical_name, secrets::Secrets},
};

use super::session::Session;

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
    pub fn of(session: &Session) -> Self {
        let providers = letterbox_registry::PROVIDERS.iter().map(|provider| provider.name());
        let secret = |name: &str| session.stack.output(&format!("{}CredentialsSecret", logical_name(name)));
        let ids = providers.filter_map(|name| Some((name.to_owned(), secret(name)?.to_owned())));
        Self {
            secrets: Secrets::of(&session.account),
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

    /// What the diagnosis says of a delivery with today's credentials at its time of receipt. The error says why there is no
    /// diagnosis.
    pub async fn diagnose(&mut self, delivery: &ArchivedDelivery) -> Result<Report, String> {
        let credentials = self.of_provider(&delivery.record.provider).await?;
        judged(&archived::input(delivery, credentials)?)
    }
}

fn judged(input: &DiagnosisInput) -> Result<Report, String> {
    let masked = archived::masked(input);
    if masked.is_empty() {
        return Ok(Report::new(input, None));
    }
    Err(format!(
        "the archive has no value of the header {}, which holds the secret: such a delivery cannot be judged again",
        masked.join(", ")
    ))
}
