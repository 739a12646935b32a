//! The Lambda function of Discord.

use std::process::ExitCode;

fn main() -> ExitCode {
    letterbox_intake::run::<discord::Discord>()
}
