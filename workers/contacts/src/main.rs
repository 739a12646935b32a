//! The Lambda function of the contact sync.

use std::process::ExitCode;

fn main() -> ExitCode {
    contacts::lambda::run()
}
