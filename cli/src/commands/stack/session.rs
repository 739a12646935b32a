//! A stack that a command works with.

use tokio::runtime::Runtime;

use super::args::StackArgs;
use crate::{
    commands::CommandError,
    shell::{program, word},
    stack::{self, Account, Stack, account, archive::Archive},
};

/// The account and the stack of a command.
pub struct Session {
    /// The account.
    pub account: Account,
    /// The stack.
    pub stack: Stack,
}

impl Session {
    /// Reads the stack, and runs a command on it. All calls of one command are in one runtime.
    pub fn run<T>(
        args: &StackArgs,
        work: impl AsyncFnOnce(Self) -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        let runtime: Runtime = account::runtime()?;
        let result = runtime.block_on(async {
            let account = Account::find(&args.aws).await?;
            let stack = stack::read(&account, &args.stack).await?;
            work(Self { account, stack }).await
        });
        // A thread that unpacks an object, or waits for a terminal, must not delay the end.
        runtime.shutdown_background();
        result
    }

    /// The archive of the stack, or why there is none.
    pub fn archive(&self) -> Result<Archive, CommandError> {
        Archive::of(&self.account, &self.stack).ok_or_else(|| {
            CommandError::Usage(format!(
                "the stack {} has no archive: deploy it with a template that has one, and with ArchiveDays above 0",
                self.stack.name
            ))
        })
    }
}

/// The command line that names a stack in the same way: `letterbox stack COMMAND --stack NAME …`.
pub fn command(name: &str, args: &StackArgs) -> String {
    let mut line = format!("{} stack {name} --stack {}", program(), word(&args.stack));
    for (option, value) in [("--profile", &args.aws.profile), ("--region", &args.aws.region)] {
        if let Some(value) = value {
            line += &format!(" {option} {}", word(value));
        }
    }
    line
}
