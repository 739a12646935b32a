//! The stack that a page shows.

use crate::{
    shell::{program, word},
    stack::{Account, Stack, account::AwsOptions, archive::Archive},
};

/// The stack that a page shows.
pub struct Target {
    /// The account and region of the stack.
    pub account: Account,
    /// The stack.
    pub stack: Stack,
    /// Its archive.
    pub archive: Archive,
    /// How the command line named account and region.
    pub aws: AwsOptions,
}

impl Target {
    /// The command line of `letterbox stack COMMAND` for this stack.
    pub fn command(&self, name: &str) -> String {
        let mut line = format!("{} stack {name} --stack {}", program(), word(&self.stack.name));
        for (option, value) in [("--profile", &self.aws.profile), ("--region", &self.aws.region)] {
            if let Some(value) = value {
                line += &format!(" {option} {}", word(value));
            }
        }
        line
    }
}
