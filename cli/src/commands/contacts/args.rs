//! Whose directories, and where their credentials and their state are.

use std::{fs, path::PathBuf};

use clap::Args;
use contacts::settings::Corps;
use letterbox_intake::ambient;
use letterbox_outbound::store::{Store, dynamo::Dynamo, memory::Memory};

use crate::{
    commands::CommandError,
    local::worker_state::{self, WorkerState},
    shell::{program, word},
    stack::{self, Account, account::AwsOptions, secrets::Secrets},
};

/// Credentials of a stack, or of a file.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub struct Whose {
    /// Use credentials and state of this deployed stack
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// The credentials of the contact sync, a JSON file; with --stack, in place of the stack's
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
}

/// What all commands take.
#[derive(Args, Debug)]
pub struct Common {
    /// The credentials.
    #[command(flatten)]
    pub whose: Whose,
    /// Without --stack: the SQLite file of the state
    #[arg(long, value_name = "FILE", default_value = "letterbox-contacts.db")]
    pub state: PathBuf,
    /// Only this company, by its name in the credentials
    #[arg(long, value_name = "NAME")]
    pub corp: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// The account and the region.
    #[command(flatten)]
    pub aws: AwsOptions,
}

/// What a command does to the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Writes it; the file is created.
    Write,
    /// Reads it; a file that does not exist is an empty state.
    Plan,
    /// Reads it; it must exist.
    Read,
}

/// Credentials and state.
pub struct Places {
    /// The companies.
    pub corps: Corps,
    /// Their state.
    pub store: Box<dyn Store>,
}

impl Common {
    /// Finds credentials and state.
    pub async fn places(&self, access: Access) -> Result<Places, CommandError> {
        let places = match &self.whose.stack {
            Some(name) => self.of_stack(name).await?,
            None => self.of_files(access)?,
        };
        if let Some(name) = &self.corp
            && !places.corps.iter().any(|corp| corp.name == *name)
        {
            let names: Vec<_> = places.corps.iter().map(|corp| corp.name.as_str()).collect();
            return Err(CommandError::Usage(format!(
                "--corp {name}: the credentials have no such company; they have {}",
                names.join(", ")
            )));
        }
        Ok(places)
    }

    fn of_files(&self, access: Access) -> Result<Places, CommandError> {
        let corps = self.corps()?.ok_or_else(|| CommandError::usage("--credentials is missing"))?;
        if !self.state.exists() && access != Access::Write {
            if access == Access::Plan {
                return Ok(Places { corps, store: Box::<Memory>::default() });
            }
            return Err(CommandError::Usage(format!(
                "{}: no such file; `letterbox contacts apply` creates it, or name another with --state",
                self.state.display()
            )));
        }
        let now = ambient::system().map_err(CommandError::failed)?.now;
        let store = WorkerState::create(&self.state, &worker_state::CONTACTS, now);
        Ok(Places { corps, store: Box::new(store.map_err(CommandError::Usage)?) })
    }

    async fn of_stack(&self, name: &str) -> Result<Places, CommandError> {
        let given = self.corps()?;
        let account = Account::find(&self.aws).await?;
        let stack = stack::read(&account, name).await?;
        let output = |name: &str| stack.output(name).map(str::to_owned);
        let (Some(table), Some(secret)) = (output("ContactsTableName"), output("ContactsCredentialsSecret"))
        else {
            return Err(CommandError::Usage(format!(
                "the contact sync of the stack {name} is off: deploy it with the parameter Contacts, or run without --stack"
            )));
        };
        let corps = if let Some(corps) = given {
            corps
        } else {
            let stored = Secrets::of(&account).read(&secret).await?;
            let stored = stored.ok_or_else(|| {
                CommandError::Failed(format!(
                    "{secret} does not exist: create it, or set Contacts to another secret"
                ))
            })?;
            Corps::parse(&stored.text).map_err(|error| CommandError::Failed(format!("{secret}: {error}")))?
        };
        Ok(Places { corps, store: Box::new(Dynamo::new(&account.config, table)) })
    }

    /// The companies of the file, if one is named.
    fn corps(&self) -> Result<Option<Corps>, CommandError> {
        let Some(path) = &self.whose.credentials else { return Ok(None) };
        let described = |error: String| CommandError::Usage(format!("{}: {error}", path.display()));
        let content = fs::read(path).map_err(|error| described(error.to_string()))?;
        Corps::read(&content).map(Some).map_err(|error| described(error.to_string()))
    }

    /// The command line of another command for the same companies.
    pub fn command(&self, name: &str) -> String {
        let mut line = format!("{} contacts {name}", program());
        let path = |path: &PathBuf| word(path.as_os_str().as_encoded_bytes());
        let state = self.whose.stack.is_none().then(|| path(&self.state));
        for (option, value) in [
            ("--stack", self.whose.stack.as_ref().map(word)),
            ("--credentials", self.whose.credentials.as_ref().map(path)),
            ("--state", state),
            ("--corp", self.corp.as_ref().map(word)),
            ("--profile", self.aws.profile.as_ref().map(word)),
            ("--region", self.aws.region.as_ref().map(word)),
        ] {
            if let Some(value) = value {
                line += &format!(" {option} {value}");
            }
        }
        line
    }
}
