//! The Lambda function of WeChat Pay.

use std::process::ExitCode;

fn main() -> ExitCode {
    letterbox_intake::run::<wechatpay::WeChatPay>()
}
