//! `letterbox seal`: encrypts one message.

use std::path::PathBuf;

use clap::Args;
use letterbox_intake::{ambient, gateway::DEFAULT_SOURCE};
use letterbox_registry::PROVIDERS;

use super::CommandError;
use crate::{
    credentials,
    options::{ProviderName, signing_only},
    sender::sample::sample,
    shell::word,
    terminal::write,
};

const EXAMPLES: &str = "\
Examples:
  letterbox seal dingtalk user_add_org
  echo -n success | letterbox seal dingtalk --data -     # an acknowledgement
  letterbox seal opencard --data query.json
  letterbox seal dingtalk check_url | letterbox open dingtalk
";

/// The examples, and what there is to encrypt for each provider.
fn after_help() -> String {
    let sealing = PROVIDERS.iter().filter_map(|provider| Some((provider.name(), provider.facts().seals?)));
    let lines = sealing.map(|(name, what)| format!("\n{name:<12}{what}"));
    let signing = format!(
        "\n{}    not available, because these platforms only sign: use `letterbox sign`",
        signing_only()
    );
    EXAMPLES.to_owned() + &lines.collect::<String>() + &signing
}

/// `letterbox seal`
#[derive(Debug, Args)]
#[command(after_help = after_help())]
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
            "{name} signs its deliveries and encrypts nothing; print a signed one with `letterbox sign {name} {sample}`"
        ))
    })?;
    Ok(write(format!("{sealed}\n").as_bytes())?)
}
