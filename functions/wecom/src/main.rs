//! The Lambda function of WeCom.

use std::process::ExitCode;

fn main() -> ExitCode {
    letterbox_intake::run::<wecom::WeCom>()
}
