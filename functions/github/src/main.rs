//! The Lambda function of GitHub.

use std::process::ExitCode;

fn main() -> ExitCode {
    letterbox_intake::run::<github::GitHub>()
}
