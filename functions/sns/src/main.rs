//! The Lambda function of Amazon SNS.

use std::process::ExitCode;

fn main() -> ExitCode {
    letterbox_intake::run::<sns::Sns>()
}
