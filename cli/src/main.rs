//! The program `letterbox`: parses the command line, runs the command, and sets the exit code.

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

/// Prints help, the version, or the error of the command line. clap quotes arguments in its errors, and a script may pass
/// untrusted ones, so the command line is parsed again with the arguments in printable form.
fn rejected(error: &clap::Error) -> ExitCode {
    let printable = std::env::args_os().map(|arg| OsString::from(printable(&arg.to_string_lossy())));
    if let Err(error) = Program::try_parse_from(printable) {
        error.exit();
    }
    // Only the replaced characters were invalid.
    let text = error.to_string();
    complain(text.lines().next().unwrap_or_default().trim_start_matches("error: "));
    ExitCode::from(CommandError::BAD_USAGE)
}
