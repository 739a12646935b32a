//! The Lambda function of the gap filler.

use std::process::ExitCode;

fn main() -> ExitCode {
    gaps::lambda::run()
}
