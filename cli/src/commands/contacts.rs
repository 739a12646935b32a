//! `letterbox contacts`: writes DingTalk's directory into WeCom, from this machine.

mod apply;
mod args;
mod kept;
mod shown;

use clap::{Args, Subcommand};

use self::{
    apply::{Apply, Plan},
    kept::{Conflicts, Status},
};
use super::CommandError;

/// `letterbox contacts`
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  letterbox contacts plan --credentials contacts.json
  letterbox contacts plan --stack letterbox --json | jq '.corps[].counts'
  letterbox contacts apply --stack letterbox
  letterbox contacts conflicts --stack letterbox
  letterbox contacts status --stack letterbox
  letterbox contacts COMMAND --help        more examples

It runs the code of the function that the parameter Contacts turns on. With --stack, credentials and state are the stack's, \
and two runs, from here and of the function, exclude each other. Without --stack, the state is a file.

HTTPS_PROXY names a proxy for DingTalk and WeCom: WeCom accepts calls from trusted addresses only."
)]
pub struct Contacts {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands of the contact sync.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what a run would do, and change nothing
    Plan(Box<Plan>),
    /// Show the plan, ask, and do it
    Apply(Box<Apply>),
    /// List the records that WeCom does not accept, and since when
    Conflicts(Box<Conflicts>),
    /// Show the last runs, what is synced, and what the guard has stopped
    Status(Box<Status>),
}

/// Runs the command.
pub fn run(contacts: &Contacts) -> Result<(), CommandError> {
    match &contacts.command {
        Command::Plan(args) => apply::plan(args),
        Command::Apply(args) => apply::apply(args),
        Command::Conflicts(args) => kept::conflicts(args),
        Command::Status(args) => kept::status(args),
    }
}
