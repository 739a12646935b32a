//! The command line of `letterbox configure`.

use std::path::PathBuf;

use clap::Args;

use crate::{options::ProviderName, stack::account::AwsOptions};

/// The options of `configure`.
#[derive(Args, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
#[command(
    long_about = "\
Choose platforms, check their credentials, store them, and write samconfig.toml

Asks which platforms to receive from and then only what each one needs, checks every answer as the function will, shows
what it will do, and does it after a yes: credentials go to AWS Secrets Manager, parameters to samconfig.toml. Existing
secrets keep their other sources and entries. A run with the same answers changes nothing.

For scripts, --provider, --credentials or --off say what to do; then nothing is asked. A secret is read from a file, from
standard input or from a variable, never from the command line.",
    after_help = "\
Examples:
  letterbox configure                                        ask
  letterbox configure --provider github --generate           let the stack generate the secret
  pass show github | letterbox configure --provider github --secret -
  letterbox configure --provider signed --preset stripe --secret key.txt
  letterbox configure --provider dingtalk --field-env token=TOKEN --field-env aes_key=KEY --field owner_key=ding1
  letterbox configure --provider wechatpay --field-file api_v3_key=- --field-file keys.PUB_KEY_ID_1=key.pem
  letterbox configure --credentials mine.json --dry-run      several providers at once; only show what would change
  letterbox configure --off github"
)]
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
