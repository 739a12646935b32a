//! The Lambda function of DingTalk.

use std::process::ExitCode;

fn main() -> ExitCode {
    letterbox_intake::run::<dingtalk::DingTalk>()
}
