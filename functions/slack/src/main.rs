//! The Lambda function of Slack.

use std::process::ExitCode;

fn main() -> ExitCode {
    letterbox_intake::run::<slack::Slack>()
}
