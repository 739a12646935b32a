//! `letterbox`: serve all functions on this machine, send them deliveries, read the queue, debug single messages.

use std::{ffi::OsString, process::ExitCode};

use clap::Parser;
use letterbox::{
    commands::{CommandError, Program},
    terminal::{complain, printable},
};

fn main() -> ExitCode {
    let program = match Program::try_parse() {
        Ok(program) => program,
        Err(error) => return rejected(&error),
    };
    let Err(error) = program.run() else { return ExitCode::SUCCESS };
    if !matches!(error, CommandError::Reported) {
        complain(&error.to_string());
    }
    error.exit_code()
}

/// Prints help, the version, or what is wrong with the command line. clap quotes arguments in its errors, which a script
/// may have from a stranger: the error is that of the same arguments in printable form.
fn rejected(error: &clap::Error) -> ExitCode {
    let printable = std::env::args_os().map(|arg| OsString::from(printable(&arg.to_string_lossy())));
    if let Err(error) = Program::try_parse_from(printable) {
        error.exit();
    }
    // Nothing is wrong but what was replaced.
    let text = error.to_string();
    complain(text.lines().next().unwrap_or_default().trim_start_matches("error: "));
    ExitCode::from(CommandError::BAD_USAGE)
}
