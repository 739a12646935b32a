//! The Lambda function of Feishu and Lark.

use std::process::ExitCode;

fn main() -> ExitCode {
    letterbox_intake::run::<feishu::Feishu>()
}
