//! `letterbox seal`: encrypts one message.

use std::path::PathBuf;

use clap::Args;
use letterbox_intake::{ambient, gateway::DEFAULT_SOURCE};

use super::CommandError;
use crate::{
    credentials,
    options::ProviderName,
    providers::{self, Key},
    sender::sample::sample,
    shell::word,
    terminal::write,
};

/// `letterbox seal`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterbox seal dingtalk user_add_org
  echo -n success | letterbox seal dingtalk --data -     # an acknowledgement
  letterbox seal opencard --data query.json
  letterbox seal dingtalk check_url | letterbox open dingtalk

dingtalk    a response: msg_signature, timeStamp, nonce, encrypt (the body of a request has only encrypt)
opencard    a query: a compact JWE with its own JOSE header
github, payment    not available, because these platforms only sign: use `letterbox sign`")]
pub struct Seal {
    /// The platform to act as
    #[arg(value_parser = ProviderName)]
    pub provider: String,
    /// The sample to encrypt
    #[arg(required_unless_present = "data")]
    pub sample: Option<String>,
    /// A payload of your own, used unchanged
    #[arg(long, value_name = "FILE|-", conflicts_with = "sample")]
    pub data: Option<PathBuf>,
    /// The source and its credentials.
    #[command(flatten)]
    pub key: credentials::KeyArgs,
}

/// Prints the encrypted message.
pub fn run(args: &Seal) -> Result<(), CommandError> {
    let row = providers::find(&args.provider).map_err(CommandError::Usage)?;
    let sample = sample(row, args.sample.as_deref(), args.data.as_deref()).map_err(CommandError::Usage)?;
    let credentials = args.key.load_for(row.name).map_err(CommandError::Usage)?;
    let source = args.key.source.as_deref().unwrap_or(DEFAULT_SOURCE);
    let ambient = ambient::system().map_err(CommandError::failed)?;
    let sealed = (row.seal)(&Key { credentials: &credentials, source }, &sample.payload, &ambient)
        .map_err(CommandError::Usage)?;
    let sealed = sealed.ok_or_else(|| {
        let (name, sample) = (row.name, word(row.try_sample));
        CommandError::Usage(format!(
            "{name} signs its deliveries and encrypts nothing; print a signed one with `letterbox sign {name} {sample}`"
        ))
    })?;
    Ok(write(format!("{sealed}\n").as_bytes())?)
}
