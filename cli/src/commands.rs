//! The command line: its subcommands. What each takes stands beside what it does.

pub mod completions;
pub mod doctor;
pub mod events;
pub mod open;
pub mod seal;
pub mod send;
pub mod serve;
pub mod sign;

use clap::{Parser, Subcommand};

use self::{
    completions::Completions, doctor::args::Doctor, events::Events, open::Open, seal::Seal, send::Send,
    serve::Serve, sign::Sign,
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
