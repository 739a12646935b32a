//! The command line of `letterbox configure`.

use std::path::PathBuf;

use clap::Args;

use crate::{options::ProviderName, stack::account::AwsOptions};

/// The options of `configure`.
#[derive(Args, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
#[command(after_help = "\
Examples:
  letterbox configure                                       ask, and do it after a yes
  letterbox configure --provider github --generate          let the stack generate the secret
  pass show github | letterbox configure --provider github --secret -
  letterbox configure --provider signed --preset stripe --field-env secret=STRIPE_SECRET
  letterbox configure --credentials mine.json --dry-run     only show what would change
  letterbox configure --off github

Without --provider, --credentials and --off it asks. With one of them it asks nothing. A secret comes from a file,
standard input or a variable, never from the command line. Existing secrets keep their other sources and entries.")]
pub struct Configure {
    /// Provider to configure
    #[arg(long, value_name = "NAME", value_parser = ProviderName, conflicts_with = "credentials")]
    pub provider: Option<String>,
    /// Source: the last part of the URL
    #[arg(long, value_name = "NAME", default_value = "default", requires = "provider")]
    pub source: String,
    /// Preset of the sender, for a provider that has presets
    #[arg(long, value_name = "NAME", requires = "provider")]
    pub preset: Option<String>,
    /// File with the field `secret`; - for standard input
    #[arg(long, value_name = "FILE", requires = "provider")]
    pub secret: Option<PathBuf>,
    /// Field that is no secret; commas separate the strings of a list
    #[arg(long, value_name = "FIELD=VALUE", value_parser = assignment, requires = "provider")]
    pub field: Vec<(String, String)>,
    /// Field from a file; - for standard input. For an object, as FIELD.NAME
    #[arg(long, value_name = "FIELD=FILE", value_parser = assignment, requires = "provider")]
    pub field_file: Vec<(String, String)>,
    /// Field from an environment variable. For an object, as FIELD.NAME
    #[arg(long, value_name = "FIELD=VARIABLE", value_parser = assignment, requires = "provider")]
    pub field_env: Vec<(String, String)>,
    /// Let the stack generate the secret
    #[arg(long, requires = "provider", conflicts_with_all = ["secret", "field", "field_file", "field_env", "preset"])]
    pub generate: bool,
    /// JSON file with the credentials of several providers, as for `serve`; - for standard input
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
    /// Turn a provider off; its secret stays
    #[arg(long, value_name = "NAME", value_parser = ProviderName)]
    pub off: Vec<String>,
    /// Keep a source's previous entry after the new one, until the platform uses the new key
    #[arg(long, conflicts_with = "replace")]
    pub rotate: bool,
    /// Remove a source's previous entry: deliveries signed with its key are refused
    #[arg(long)]
    pub replace: bool,
    /// Only show what would change
    #[arg(long)]
    pub dry_run: bool,
    /// Stack [default: that of the configuration file, or else `letterbox`]
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// Configuration file of the SAM CLI; it is created if it does not exist
    #[arg(long, value_name = "FILE", default_value = "samconfig.toml")]
    pub config_file: PathBuf,
    /// Environment in the configuration file
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub config_env: String,
    /// Which account and region.
    #[command(flatten)]
    pub aws: AwsOptions,
}

impl Configure {
    /// True if the command line says what to do, so that nothing is asked.
    pub fn is_complete(&self) -> bool {
        self.provider.is_some() || self.credentials.is_some() || !self.off.is_empty()
    }
}

/// `FIELD=VALUE`. The error does not repeat the text, which may be a secret.
fn assignment(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = pair.ok_or("expected FIELD=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
