//! `letterbox doctor`: why was it refused?

pub mod args;
mod input;

use std::process::ExitCode;

use self::args::Doctor;
use crate::{
    doctor::Report,
    terminal::{complain, write},
};

/// The exit code of bad usage, as clap has it.
const BAD_USAGE: u8 = 2;

/// Judges one delivery: 0 it opens, 1 it is refused, 2 bad usage.
pub fn run(args: &Doctor) -> ExitCode {
    let report = match examine(args) {
        Ok(report) => report,
        Err(error) => {
            complain(&error);
            return ExitCode::from(BAD_USAGE);
        }
    };
    let text = if args.json { report.to_json() } else { report.to_text() };
    // A reader that has gone away changes nothing about the finding.
    let _ = write(text.as_bytes());
    if report.opens { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn examine(args: &Doctor) -> Result<Report, String> {
    if args.key.credentials.is_none() {
        eprintln!("demo credentials: --credentials FILE for your own");
    }
    let delivery = input::delivery(args)?;
    let reply = args.reply.as_deref().map(input::reply).transpose()?;
    Ok(Report::of(&delivery, reply.as_ref()))
}
