//! The calls to AWS of one run, one after the other.

use tokio::runtime::Runtime;

use crate::{
    commands::CommandError,
    configure::samconfig::SamConfig,
    stack::{
        self, Account, AwsError, Stack,
        account::{AwsOptions, runtime},
        secrets::{Secrets, StoredSecret},
    },
};

/// An account and region.
pub struct Cloud {
    runtime: Runtime,
    account: Account,
    secrets: Secrets,
}

impl Cloud {
    /// Finds account and region: those of the command line, of the configuration file, or of AWS's own configuration.
    pub fn connect(options: &AwsOptions, config: &SamConfig) -> Result<Self, CommandError> {
        let from_file = |name: &str| config.get(name).map(str::to_owned);
        let options = AwsOptions {
            profile: options.profile.clone().or_else(|| from_file("profile")),
            region: options.region.clone().or_else(|| from_file("region")),
        };
        let runtime = runtime().map_err(CommandError::failed)?;
        let account = runtime.block_on(Account::find(&options)).map_err(CommandError::failed)?;
        let secrets = Secrets::of(&account);
        Ok(Self { runtime, account, secrets })
    }

    /// The name of the region.
    pub fn region(&self) -> &str {
        &self.account.region
    }

    /// The deployed stack; `None` if there is none.
    pub fn stack(&self, name: &str) -> Result<Option<Stack>, CommandError> {
        match self.runtime.block_on(stack::read(&self.account, name)) {
            Ok(stack) => Ok(Some(stack)),
            Err(AwsError::NoStack { .. }) => Ok(None),
            Err(error) => Err(CommandError::failed(error)),
        }
    }

    /// A secret by name or ARN; `None` if there is none.
    pub fn secret(&self, id: &str) -> Result<Option<StoredSecret>, CommandError> {
        self.runtime.block_on(self.secrets.read(id)).map_err(CommandError::failed)
    }

    /// Creates a secret and returns its ARN.
    pub fn create(
        &self,
        name: &str,
        about: &str,
        key: Option<&str>,
        text: &str,
    ) -> Result<String, CommandError> {
        self.runtime.block_on(self.secrets.create(name, about, key, text)).map_err(CommandError::failed)
    }

    /// Gives a secret a new version.
    pub fn update(&self, arn: &str, text: &str) -> Result<(), CommandError> {
        self.runtime.block_on(self.secrets.update(arn, text)).map_err(CommandError::failed)
    }
}
