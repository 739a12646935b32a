//! `letterbox serve`: runs all functions on one port, or shows the archive of a deployed stack.

mod args;
mod functions;
mod server;
mod stack;

pub use self::args::Serve;
use super::CommandError;
use crate::stack::account::AwsOptions;

/// Serves until Ctrl-C or SIGTERM.
pub fn run(args: &Serve) -> Result<(), CommandError> {
    if let Some(name) = &args.stack.stack {
        return stack::run(name, args);
    }
    let AwsOptions { profile, region } = &args.stack.aws;
    for (option, value) in [("--profile", profile), ("--region", region)] {
        if value.is_some() {
            return Err(CommandError::Usage(format!("{option} goes with --stack")));
        }
    }
    functions::run(args)
}
