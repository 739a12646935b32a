//! The Lambda function of Payment.

use std::process::ExitCode;

fn main() -> ExitCode {
    letterbox_intake::run::<payment::Payment>()
}
