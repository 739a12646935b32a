//! The command line of `letterbox serve`.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use clap::Args;
use letterbox_codec::Secret;
use letterbox_intake::settings::queue_url;

use crate::{
    local::{history::Bounds, page::guard::TokenParser},
    options::DATABASE,
    stack::account::AwsOptions,
};

/// `letterbox serve`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterbox serve
  letterbox serve --port 8080 --credentials my-credentials.json
  letterbox serve --queue-url https://sqs.eu-central-1.amazonaws.com/123456789012/letterbox
  letterbox serve --listen 0.0.0.0 --token \"$(openssl rand -hex 16)\"
  letterbox serve --stack letterbox --region eu-central-1

GET / shows a page with the recent deliveries. Without a token, only this machine can open it.
Without --credentials the server uses the demo credentials of events/, with which anyone can sign.
With --stack, the page shows the deliveries in the archive of that stack, and can replay them; nothing is received here. \
It uses your AWS credentials, and says what they do not allow.
GET /healthz returns 200 while the server runs. Ctrl-C or SIGTERM ends the server within 10 s, a second one at once; \
every acknowledged delivery is then on the queue.

Limits: a body has at most 10 MiB. The headers of a request may take 30 s, its body 60 s; the server closes a connection \
after 30 s without a byte. At most 1000 connections are open (fewer if `ulimit -n` is low); for a new one, the server closes \
the one that has waited longest for a request.")]
pub struct Serve {
    /// The port to listen on; 0 picks a free one
    #[arg(long, default_value_t = 9000)]
    pub port: u16,
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub listen: IpAddr,
    /// A JSON file, from provider to its credentials; only the providers in it are served. Without it, the demo credentials
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
    /// The SQLite file of the embedded queue; the delivery history is in letterbox-deliveries.db beside it
    #[arg(long, value_name = "FILE", default_value = DATABASE)]
    pub database: PathBuf,
    /// Put events on this SQS queue instead; region, keys and endpoint come from the usual AWS_* variables
    #[arg(long, value_name = "URL", value_parser = |url: &str| queue_url(url).map_err(|expected| format!("expected {expected}")))]
    pub queue_url: Option<String>,
    /// OpenCard's card catalogue; without it, a built-in sample
    #[arg(long, value_name = "FILE", env = "CARDS")]
    pub cards: Option<PathBuf>,
    /// The token to require for the page: at least 16 letters, digits, -, _, . or ~. Generated if --listen is not the loopback address
    #[arg(long, env = "LETTERBOX_TOKEN", hide_env_values = true, value_parser = TokenParser)]
    pub token: Option<Secret>,
    /// The bounds of the delivery history.
    #[command(flatten)]
    pub keep: Keep,
    /// The stack to show instead.
    #[command(flatten)]
    pub stack: StackArgs,
}

/// Which stack, and how to reach it.
#[derive(Debug, Args)]
pub struct StackArgs {
    /// Show the deliveries of a deployed stack, from its archive, instead of receiving any
    #[arg(long, value_name = "NAME", conflicts_with_all = [
        "credentials", "database", "queue_url", "cards", "keep", "keep_days",
    ])]
    pub stack: Option<String>,
    /// The account and the region.
    #[command(flatten)]
    pub aws: AwsOptions,
}

/// The bounds of the delivery history.
#[derive(Debug, Args)]
pub struct Keep {
    /// How many deliveries the history stores
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub keep: u32,
    /// For how many days it stores them
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub keep_days: u32,
}

impl Keep {
    /// The bounds of the history.
    pub fn bounds(&self) -> Bounds {
        let age = Duration::from_secs(u64::from(self.keep_days) * 24 * 60 * 60);
        Bounds { number: self.keep, age, bytes: HISTORY_BYTES }
    }
}

/// The maximum size of the stored deliveries, in bytes.
const HISTORY_BYTES: u64 = 256 * 1024 * 1024;
