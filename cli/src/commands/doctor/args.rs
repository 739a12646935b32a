//! The command line of `letterbox doctor`.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use letterbox_codec::Timestamp;

use crate::{
    credentials::KeyArgs,
    options::{DATABASE, ProviderName},
    stack::account::AwsOptions,
    time,
};

/// `letterbox doctor`
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("input").required(true).args(["delivery", "event", "curl", "har", "url", "stack"]),
    after_help = "\
Examples:
  letterbox doctor --delivery 12
  letterbox doctor --event event.json --credentials my-credentials.json
  pbpaste | letterbox doctor --curl - --credentials my-credentials.json
  letterbox doctor --har webhooks.har --entry 2 --json | jq -r .cause
  letterbox doctor --url https://hooks.example.com/github/acme --body body.json \\
      --header 'X-GitHub-Event: push' --header 'X-Hub-Signature-256: sha256=...'
  letterbox doctor --event events/opencard/scenic_spot.200.json --reply reply.txt
  letterbox doctor --stack letterbox
  letterbox doctor --stack letterbox --no-probe --json | jq -r '.checks[] | select(.level == \"problem\").code'

The program never prints a secret or an expected signature. The time of receipt is --now, or else the time recorded \
on the page, in the event or in the HAR, or else now.

A cause is named if the delivery is accepted, or passes more steps, once the cause is removed, or if the bytes show it. \
Where nothing is proven, the explanation says what was tried.

With --stack, doctor reads the stack with your AWS credentials and changes nothing. It sends one probe to each source of \
each provider: a test or an unusable delivery, signed with the entry of the secret, which puts no event on the queue. \
Where only the platform can sign, the probe has no signature, and the function must refuse it. \
What your credentials may not read is reported with the missing permission.

Exit codes: 0 accepted, or nothing wrong with the stack; 1 refused (the cause is printed), or findings; 2 usage error."
)]
pub struct Doctor {
    /// A delivery on the page of `letterbox serve`, by its number; the time of receipt is its own
    #[arg(long, value_name = "NUMBER")]
    pub delivery: Option<i64>,
    /// For --delivery: the SQLite file of that server's queue
    #[arg(long, value_name = "FILE", default_value = DATABASE)]
    pub database: PathBuf,
    /// An API Gateway event, payload format 2.0
    #[arg(long, value_name = "FILE|-")]
    pub event: Option<PathBuf>,
    /// A curl command for bash or for Windows' cmd, as browsers and inspection tools copy it
    #[arg(long, value_name = "FILE|-")]
    pub curl: Option<PathBuf>,
    /// A HAR (HTTP archive)
    #[arg(long, value_name = "FILE|-")]
    pub har: Option<PathBuf>,
    /// The entry of the HAR, from 1; without it, the only one whose URL names a provider
    #[arg(long, value_name = "NUMBER")]
    pub entry: Option<usize>,
    /// The URL that was called; --method, --header and --body give the rest of the request
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// The method; without it, POST
    #[arg(long, value_name = "METHOD")]
    pub method: Option<String>,
    /// A header; may be given several times
    #[arg(long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,
    /// The file with the exact body; without it, the body is empty
    #[arg(long, value_name = "FILE|-")]
    pub body: Option<PathBuf>,
    /// The provider, if the URL does not name it
    #[arg(long, value_name = "NAME", value_parser = ProviderName)]
    pub provider: Option<String>,
    /// The source, if the URL does not name it, and the credentials.
    #[command(flatten)]
    pub key: KeyArgs,
    /// The time of receipt: RFC 3339, or Unix seconds or milliseconds; without it, that of the page, the event or the HAR, else now
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    pub now: Option<Timestamp>,
    /// Check a response as well: the output of `curl -i`, a Lambda result, or only the body of a response with the right status
    #[arg(long, value_name = "FILE|-")]
    pub reply: Option<PathBuf>,
    /// Print one JSON object: opens, provider, source, cause, explanation, remedy; with --stack healthy, stack, region, checks
    #[arg(long)]
    pub json: bool,
    /// The stack to examine instead.
    #[command(flatten)]
    pub stack: StackArgs,
}

/// Which stack, and how to reach it.
#[derive(Debug, Args)]
pub struct StackArgs {
    /// Examine a deployed stack instead of a delivery: secrets, queue, card catalogue, alarms, quota, certificate, and the response to a probe of each source
    #[arg(long, value_name = "NAME", conflicts_with_all = [
        "entry", "method", "headers", "body", "provider", "source", "credentials", "now", "reply",
    ])]
    pub stack: Option<String>,
    /// For --stack: send no probe
    #[arg(long, requires = "stack", conflicts_with = "to")]
    pub no_probe: bool,
    /// For --stack: the base URL of the functions, if not that in the outputs, as on a local AWS
    #[arg(long, value_name = "URL", requires = "stack")]
    pub to: Option<String>,
    /// The account and the region.
    #[command(flatten)]
    pub aws: AwsOptions,
}

/// Where the delivery comes from.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// `--delivery`
    Delivery(i64),
    /// `--event`
    Event(&'a Path),
    /// `--curl`
    Curl(&'a Path),
    /// `--har`
    Har(&'a Path),
    /// `--url`
    Url(&'a str),
}

impl Doctor {
    /// The one option of the group `input` that is given; clap requires exactly one.
    pub fn input(&self) -> Option<Input<'_>> {
        let inputs = [
            self.delivery.map(Input::Delivery),
            self.event.as_deref().map(Input::Event),
            self.curl.as_deref().map(Input::Curl),
            self.har.as_deref().map(Input::Har),
            self.url.as_deref().map(Input::Url),
        ];
        inputs.into_iter().flatten().next()
    }
}
