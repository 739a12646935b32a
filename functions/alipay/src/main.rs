//! The Lambda function of Alipay.

use std::process::ExitCode;

fn main() -> ExitCode {
    letterbox_intake::run::<alipay::Alipay>()
}
