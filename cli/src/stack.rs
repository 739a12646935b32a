//! The deployed stack: the AWS account that it is in, and what `CloudFormation` reports of it, as plain data.

pub mod account;
pub mod archive;
pub mod certificate;
pub mod credentials;
pub mod error;
pub mod logs;
mod model;
mod read;
mod recent;
pub mod redrive;
pub mod replay;
pub mod secrets;

pub use self::{
    account::Account,
    error::AwsError,
    model::{Output, Resource, Stack},
    read::read,
};

/// The name that `samconfig.toml` gives a stack.
pub const DEFAULT_NAME: &str = "letterbox";

/// The start of the names that the template has for a provider: its parameter, `GithubUrl`, `GithubFunction`.
///
/// A provider's name is one lower-case word.
pub fn logical_name(provider: &str) -> String {
    let mut name = provider.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_the_template_start_with_a_capital() {
        assert_eq!(logical_name("github"), "Github");
        assert_eq!(logical_name(""), "");
    }
}
