//! `letterbox stack`: what a deployed stack received, and what to get back.

pub mod args;
mod cause;
mod deliveries;
mod opened;
mod plan;
mod progress;
mod redrive;
mod replay;
mod session;
mod shown;
mod tail;

use clap::{Args, Subcommand};

use self::{deliveries::Deliveries, redrive::Redrive, replay::Replay, tail::Tail};
use super::CommandError;

/// `letterbox stack`
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  letterbox stack deliveries --stack letterbox --since 2h
  letterbox stack replay --stack letterbox --since 1d --provider github
  letterbox stack redrive --stack letterbox
  letterbox stack tail --stack letterbox
  letterbox stack COMMAND --help           more examples

The commands use your AWS credentials, and find queue, archive and functions in the outputs and resources of the stack. \
What your credentials may not do is reported with the missing permission."
)]
pub struct Stack {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands of a stack.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the deliveries in the archive, newest first, or show one in full
    Deliveries(Box<Deliveries>),
    /// Put deliveries of the archive on the queue again: refused and failed ones, or others
    Replay(Box<Replay>),
    /// Move the messages of the dead-letter queue back to the queue
    Redrive(Redrive),
    /// Print deliveries as they arrive, from the logs of the functions
    Tail(Box<Tail>),
}

/// Runs the command.
pub fn run(stack: &Stack) -> Result<(), CommandError> {
    match &stack.command {
        Command::Deliveries(args) => deliveries::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Redrive(args) => redrive::run(args),
        Command::Tail(args) => tail::run(args),
    }
}
