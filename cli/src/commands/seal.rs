//! `letterbox seal`: one message, encrypted.

use std::path::PathBuf;

use clap::Args;
use letterbox_intake::{ambient, gateway::DEFAULT_SOURCE};

use super::CommandError;
use crate::{credentials, options::ProviderName, sender::sample::sample, shell::word, terminal::write};

/// `letterbox seal`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterbox seal dingtalk user_add_org
  echo -n success | letterbox seal dingtalk --data -     # an acknowledgement
  letterbox seal opencard --data query.json
  letterbox seal dingtalk check_url | letterbox open dingtalk

dingtalk    an answer: msg_signature, timeStamp, nonce, encrypt (a letter's body has encrypt alone)
opencard    a query: a compact JWE under a header of its own
github, payment    no meaning, since they encrypt nothing: `letterbox sign` signs for them")]
pub struct Seal {
    /// Whose seal
    #[arg(value_parser = ProviderName)]
    pub provider: String,
    /// The sample to seal
    #[arg(required_unless_present = "data")]
    pub sample: Option<String>,
    /// A payload of your own, taken as it is
    #[arg(long, value_name = "FILE|-", conflicts_with = "sample")]
    pub data: Option<PathBuf>,
    /// Which key.
    #[command(flatten)]
    pub key: credentials::KeyArgs,
}

/// Prints the sealed message.
pub fn run(args: &Seal) -> Result<(), CommandError> {
    let provider = letterbox_registry::find(&args.provider).map_err(CommandError::Usage)?;
    let sample =
        sample(provider, args.sample.as_deref(), args.data.as_deref()).map_err(CommandError::Usage)?;
    let keys = args.key.load_for(provider).map_err(CommandError::Usage)?;
    let source = args.key.source.as_deref().unwrap_or(DEFAULT_SOURCE);
    let ambient = ambient::system().map_err(CommandError::failed)?;
    let entry = keys.first(source).map_err(CommandError::Usage)?;
    let sealed = entry.seal(&sample.payload, &ambient).transpose().map_err(CommandError::Usage)?;
    let sealed = sealed.ok_or_else(|| {
        let (name, sample) = (provider.name(), word(provider.facts().first_sample));
        CommandError::Usage(format!(
            "{name} signs its deliveries and encrypts nothing; `letterbox sign {name} {sample}` prints one"
        ))
    })?;
    Ok(write(format!("{sealed}\n").as_bytes())?)
}
