//! The command line of `letterbox doctor`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use letterbox_codec::Timestamp;

use crate::{
    credentials::KeyArgs,
    options::{DATABASE, ProviderName},
    time,
};

/// `letterbox doctor`
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("letter").required(true).args(["delivery", "event", "curl", "har", "url"]),
    after_help = "\
Examples:
  letterbox doctor --delivery 12
  letterbox doctor --event event.json --credentials my-credentials.json
  pbpaste | letterbox doctor --curl - --credentials my-credentials.json
  letterbox doctor --har webhooks.har --entry 2 --json | jq -r .cause
  letterbox doctor --url https://hooks.example.com/github/acme --body body.json \\
      --header 'X-GitHub-Event: push' --header 'X-Hub-Signature-256: sha256=...'
  letterbox doctor --event events/opencard/scenic_spot.200.json --reply reply.txt

No secret and no expected signature is ever printed.
The delivery is judged at --now, else at the time that the page, the event or the HAR tells, else now.

Exit codes: 0 it opens, 1 it is refused and the cause is told, 2 bad usage."
)]
pub struct Doctor {
    /// The number of a delivery on the page of `letterbox serve`
    #[arg(long, value_name = "NUMBER")]
    pub delivery: Option<i64>,
    /// The SQLite file of that server's queue; its deliveries are beside it
    #[arg(long, value_name = "FILE", default_value = DATABASE)]
    pub database: PathBuf,
    /// An API Gateway event, payload format 2.0
    #[arg(long, value_name = "FILE|-")]
    pub event: Option<PathBuf>,
    /// A curl command, as a browser or an inspection tool copies it (for bash)
    #[arg(long, value_name = "FILE|-")]
    pub curl: Option<PathBuf>,
    /// A HAR (HTTP archive)
    #[arg(long, value_name = "FILE|-")]
    pub har: Option<PathBuf>,
    /// Which entry of the HAR, from 1; else the only one whose URL names a provider
    #[arg(long, value_name = "NUMBER")]
    pub entry: Option<usize>,
    /// The URL that was called
    #[arg(long)]
    pub url: Option<String>,
    /// The method; POST otherwise
    #[arg(long)]
    pub method: Option<String>,
    /// A header, as often as there are headers
    #[arg(long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,
    /// The file of the exact body; none is an empty body
    #[arg(long, value_name = "FILE|-")]
    pub body: Option<PathBuf>,
    /// The provider, where the URL does not name it
    #[arg(long, value_parser = ProviderName)]
    pub provider: Option<String>,
    /// Whose keys, where the URL does not say it.
    #[command(flatten)]
    pub key: KeyArgs,
    /// The time of receipt: RFC 3339, or Unix seconds or milliseconds
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    pub now: Option<Timestamp>,
    /// Also check an answer: as `curl -i` prints it, a Lambda result, or the bare body of one with the right status
    #[arg(long, value_name = "FILE|-")]
    pub reply: Option<PathBuf>,
    /// Print one JSON object: opens, provider, source, cause, explanation, remedy
    #[arg(long)]
    pub json: bool,
}
