//! The Lambda function of Twilio.

use std::process::ExitCode;

fn main() -> ExitCode {
    letterbox_intake::run::<twilio::Twilio>()
}
