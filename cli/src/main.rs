//! `letterbox`: serve all functions on this machine, send them deliveries, read the queue, debug single messages.

use std::process::ExitCode;

use clap::Parser;
use letterbox::{
    commands::{CommandError, Program},
    terminal::complain,
};

fn main() -> ExitCode {
    let Err(error) = Program::parse().run() else { return ExitCode::SUCCESS };
    if !matches!(error, CommandError::Reported) {
        complain(&error.to_string());
    }
    error.exit_code()
}
