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
    group = ArgGroup::new("input").required(true).args(["delivery", "event", "curl", "har", "url"]),
    after_help = "\
Examples:
  letterbox doctor --delivery 12
  letterbox doctor --event event.json --credentials my-credentials.json
  pbpaste | letterbox doctor --curl - --credentials my-credentials.json
  letterbox doctor --har webhooks.har --entry 2 --json | jq -r .cause
  letterbox doctor --url https://hooks.example.com/github/acme --body body.json \\
      --header 'X-GitHub-Event: push' --header 'X-Hub-Signature-256: sha256=...'
  letterbox doctor --event events/opencard/scenic_spot.200.json --reply reply.txt

The program never prints a secret or an expected signature.
The time of receipt is --now, or else the time recorded on the page, in the event or in the HAR, or else now.

Exit codes: 0 accepted, 1 refused (the cause is printed), 2 usage error."
)]
pub struct Doctor {
    /// Number of a delivery on the page of `letterbox serve`
    #[arg(long, value_name = "NUMBER")]
    pub delivery: Option<i64>,
    /// SQLite file of that server's queue; the delivery history is beside it
    #[arg(long, value_name = "FILE", default_value = DATABASE)]
    pub database: PathBuf,
    /// File with an API Gateway event, payload format 2.0
    #[arg(long, value_name = "FILE|-")]
    pub event: Option<PathBuf>,
    /// File with a curl command, as a browser or an inspection tool copies it (for bash)
    #[arg(long, value_name = "FILE|-")]
    pub curl: Option<PathBuf>,
    /// File with a HAR (HTTP archive)
    #[arg(long, value_name = "FILE|-")]
    pub har: Option<PathBuf>,
    /// Entry of the HAR, from 1 [default: the only one whose URL names a provider]
    #[arg(long, value_name = "NUMBER")]
    pub entry: Option<usize>,
    /// URL that was called
    #[arg(long)]
    pub url: Option<String>,
    /// HTTP method of --url [default: POST]
    #[arg(long)]
    pub method: Option<String>,
    /// Header of --url; repeat the option for each header
    #[arg(long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,
    /// File with the exact body of --url [default: an empty body]
    #[arg(long, value_name = "FILE|-")]
    pub body: Option<PathBuf>,
    /// Provider, if the URL does not name it
    #[arg(long, value_parser = ProviderName)]
    pub provider: Option<String>,
    /// The source, if the URL does not name it, and the credentials.
    #[command(flatten)]
    pub key: KeyArgs,
    /// Time of receipt: RFC 3339, or Unix seconds or milliseconds
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    pub now: Option<Timestamp>,
    /// File with a response to check as well: as `curl -i` prints it, a Lambda result, or a bare body
    #[arg(long, value_name = "FILE|-")]
    pub reply: Option<PathBuf>,
    /// Print one JSON object: opens, provider, source, cause, explanation, remedy
    #[arg(long)]
    pub json: bool,
}
