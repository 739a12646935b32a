//! The command line: its subcommands. What each takes stands beside what it does.

use clap::{
    Arg, Command as Builder, Parser, Subcommand,
    builder::{PossibleValue, StringValueParser, TypedValueParser},
};

use crate::{
    completions::Completions, doctor::args::Doctor, events::Events, open::Open, providers::PROVIDERS,
    seal::Seal, send::Send, serve::Serve, sign::Sign,
};

/// Receives webhooks of several platforms, and puts each as a decoded event on a queue.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    arg_required_else_help = true,
    after_help = "\
Examples:
  letterbox serve                          receive on this machine
  letterbox send dingtalk user_add_org     be a platform once
  letterbox events                         read the queue
  letterbox sign github push | sh          the same by curl
  letterbox doctor --event event.json      say why a delivery was refused
  letterbox COMMAND --help                 more examples

Colours appear only on a terminal, and not where NO_COLOR is set."
)]
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
    /// Send a delivery as the platform would, and open its answer
    Send(Send),
    /// Print a delivery as curl, as an API Gateway event or as raw HTTP, without sending it
    Sign(Sign),
    /// Verify and decrypt a single message
    Open(Open),
    /// Encrypt a single message
    Seal(Seal),
    /// List the events on the embedded queue
    Events(Events),
    /// Say why a delivery was refused, and what to do
    Doctor(Box<Doctor>),
    /// Print a script that completes this program's command line in a shell
    Completions(Completions),
}

/// Where `serve` serves and the others send, unless told otherwise.
pub const DEFAULT_URL: &str = "http://127.0.0.1:9000";

/// Where the embedded queue is, unless told otherwise.
pub const DATABASE: &str = "letterbox.db";

/// Any text, since the table of providers tells an unknown one; help and completions offer those that there are.
#[derive(Clone)]
pub struct ProviderName;

impl TypedValueParser for ProviderName {
    type Value = String;

    fn parse_ref(
        &self,
        builder: &Builder,
        arg: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(builder, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(PROVIDERS.iter().map(|row| PossibleValue::new(row.name))))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Program::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples() {
        for command in super::Program::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.starts_with("Examples:\n  letterbox "), "{}", command.get_name());
        }
    }
}
