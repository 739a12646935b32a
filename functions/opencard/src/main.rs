//! The Lambda function of OpenCard.

use std::process::ExitCode;

fn main() -> ExitCode {
    letterbox_intake::run::<opencard::OpenCard>()
}
