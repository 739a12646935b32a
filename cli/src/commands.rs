//! The command line and its subcommands.

pub mod completions;
pub mod configure;
pub mod contacts;
pub mod doctor;
mod error;
pub mod events;
pub mod gaps;
pub mod open;
pub mod seal;
pub mod send;
pub mod serve;
pub mod sign;
pub mod stack;

use clap::{CommandFactory, Parser, Subcommand};

pub use self::error::CommandError;

use self::{
    completions::Completions, configure::args::Configure, contacts::Contacts, doctor::args::Doctor,
    events::Events, gaps::Gaps, open::Open, seal::Seal, send::Send, serve::Serve, sign::Sign, stack::Stack,
};

/// Receives webhooks from several platforms, and puts each as a decoded event on a queue
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    arg_required_else_help = true,
    after_help = "\
Examples:
  letterbox serve                          receive on this machine
  letterbox send dingtalk user_add_org     act as a platform: send one delivery
  letterbox events                         read the queue
  letterbox sign github push | sh          send a delivery with curl
  letterbox doctor --event event.json      explain why a delivery was refused
  letterbox gaps --stack letterbox         get what the platforms could not deliver
  letterbox contacts plan --stack NAME     see what DingTalk's directory would change in WeCom
  letterbox configure                      prepare a deployment to AWS
  letterbox stack deliveries --stack NAME  list what a deployed stack received
  letterbox COMMAND --help                 more examples

Exit codes: 0 success, 1 refused or failed, 2 usage error (the command line, or a file that it names, is invalid).
Colours appear only on a terminal, and only if NO_COLOR is not set."
)]
pub struct Program {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run all functions on one port, with a queue in a SQLite file and a page of recent deliveries
    Serve(Serve),
    /// Act as the platform: sign or encrypt a sample, send it, and check the response
    Send(Send),
    /// Print a delivery as a curl command, as an API Gateway event or as raw HTTP, without sending it
    Sign(Sign),
    /// Verify and decrypt one message
    Open(Open),
    /// Encrypt one message
    Seal(Seal),
    /// List the events on the embedded queue, oldest first
    Events(Events),
    /// Report why a delivery was refused, or what is wrong with a deployed stack, and what to do
    Doctor(Box<Doctor>),
    /// Ask GitHub, Stripe and DingTalk for what they could not deliver, and have it delivered
    Gaps(Box<Gaps>),
    /// Write DingTalk's directory into WeCom: plan it, apply it, list conflicts
    Contacts(Contacts),
    /// Choose platforms, check their credentials, store them in Secrets Manager, and write samconfig.toml
    Configure(Box<Configure>),
    /// Work with a deployed stack: list its deliveries, replay them, redrive dead letters, watch
    Stack(Stack),
    /// Print a completion script for a shell
    Completions(Completions),
}

impl Program {
    /// Runs the command.
    pub fn run(self) -> Result<(), CommandError> {
        match self.command {
            Command::Serve(args) => serve::run(&args),
            Command::Send(args) => send::run(&args),
            Command::Sign(args) => sign::run(&args),
            Command::Open(args) => open::run(&args),
            Command::Seal(args) => seal::run(&args),
            Command::Events(args) => events::run(&args),
            Command::Doctor(args) => doctor::run(&args),
            Command::Gaps(args) => gaps::run(&args),
            Command::Contacts(args) => contacts::run(&args),
            Command::Configure(args) => configure::run(&args),
            Command::Stack(args) => stack::run(&args),
            Command::Completions(args) => completions::run(&args, Self::command()),
        }
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
