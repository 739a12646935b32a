//! The command line.

use std::{net::IpAddr, path::PathBuf};

use letterbox_intake::settings::queue_url;

use clap::{Args, Parser, Subcommand};

use crate::doctor::args::Doctor;

/// Receives webhooks of several platforms, and puts each as a decoded event on a queue.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
pub struct Program {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve all functions on this machine, under the routes of the deployed bundle
    Serve(Serve),
    /// Send a sample delivery as the platform would, and open its answer
    Send(Send),
    /// List the events on the embedded queue
    Events(Events),
    /// Say why a delivery was refused, and what to do
    Doctor(Box<Doctor>),
}

/// Where `serve` serves and `send` sends, unless told otherwise.
pub const DEFAULT_URL: &str = "http://127.0.0.1:9000";

/// Where the embedded queue is, unless told otherwise.
const DATABASE: &str = "letterbox.db";

/// `letterbox serve`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterbox serve
  letterbox serve --port 8080 --credentials my-credentials.json
  letterbox serve --queue-url https://sqs.eu-central-1.amazonaws.com/123456789012/letterbox

Without --credentials the demo credentials of events/ are used: anyone can sign with them.
GET /healthz answers 200 while the server runs. Ctrl-C or SIGTERM ends it; what was acknowledged is on the queue.")]
pub struct Serve {
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 9000)]
    pub port: u16,
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub listen: IpAddr,
    /// A JSON file: provider → its credentials JSON. Only the providers in it are served
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
    /// The SQLite file of the embedded queue
    #[arg(long, value_name = "FILE", default_value = DATABASE)]
    pub database: PathBuf,
    /// Put events on this SQS queue instead; region, keys and endpoint come from the usual AWS_* variables
    #[arg(long, value_name = "URL", value_parser = queue_url, conflicts_with = "database")]
    pub queue_url: Option<String>,
    /// OpenCard's card catalogue; a built-in sample otherwise
    #[arg(long, value_name = "FILE", env = "CARDS")]
    pub cards: Option<PathBuf>,
}

/// `letterbox send`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterbox send --list
  letterbox send dingtalk user_add_org
  letterbox send github push --source acme --credentials my-credentials.json
  letterbox send opencard scenic_spot --to https://abc123.execute-api.eu-central-1.amazonaws.com

The exit code is 0 only if the answer is the one that the platform expects.")]
pub struct Send {
    /// The platform to act as
    #[arg(required_unless_present = "list")]
    pub provider: Option<String>,
    /// The sample to send
    #[arg(required_unless_present = "list")]
    pub sample: Option<String>,
    /// List the providers and their samples
    #[arg(long, conflicts_with_all = ["sample", "to", "source", "credentials"])]
    pub list: bool,
    /// Where to send: a base URL, or the whole URL of a function
    #[arg(long, value_name = "URL", default_value = DEFAULT_URL)]
    pub to: String,
    /// The source, in the URL and in the credentials
    #[arg(long)]
    pub source: Option<String>,
    /// A JSON file: provider → its credentials JSON; the demo credentials otherwise
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
}

/// `letterbox events`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterbox events
  letterbox events --json | jq .data
  letterbox events --json --follow")]
pub struct Events {
    /// Print each queue message (a CloudEvents object) on a line of its own
    #[arg(long)]
    pub json: bool,
    /// Keep on, and print events as they come
    #[arg(long)]
    pub follow: bool,
    /// The SQLite file of the embedded queue
    #[arg(long, value_name = "FILE", default_value = DATABASE)]
    pub database: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Program::command().debug_assert();
    }
}
