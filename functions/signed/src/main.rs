//! The Lambda function of described senders.

use std::process::ExitCode;

fn main() -> ExitCode {
    letterbox_intake::run::<signed::Signed>()
}
