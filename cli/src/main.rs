//! `letterbox`: serve all functions on this machine, send them deliveries, read the queue, debug single messages.

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory, Parser};
use letterbox::{
    commands::{Command, Program, completions, doctor, events, open, seal, send, serve, sign},
    terminal::{complain, printable},
};

/// The exit code of a command line that clap rejects.
const BAD_USAGE: u8 = 2;

fn main() -> ExitCode {
    let program = match Program::try_parse() {
        Ok(program) => program,
        Err(error) => return rejected(&error),
    };
    let done = match program.command {
        Command::Serve(args) => serve::run(&args),
        Command::Send(args) => send::run(&args),
        Command::Sign(args) => sign::run(&args),
        Command::Open(args) => open::run(&args),
        Command::Seal(args) => seal::run(&args),
        Command::Events(args) => events::run(&args),
        // It has an exit code more than the others.
        Command::Doctor(args) => return doctor::run(&args),
        Command::Completions(args) => completions::run(&args, Program::command()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// Prints help, the version, or what is wrong with the command line. clap quotes arguments in its errors, which a script
/// may have from a stranger: the error is that of the same arguments in printable form.
fn rejected(error: &clap::Error) -> ExitCode {
    let printable = std::env::args_os().map(|arg| OsString::from(printable(&arg.to_string_lossy())));
    match Program::try_parse_from(printable) {
        Err(error) => error.exit(),
        // Nothing is wrong but what was replaced.
        Ok(_) => {
            let text = error.to_string();
            complain(text.lines().next().unwrap_or_default().trim_start_matches("error: "));
            ExitCode::from(BAD_USAGE)
        }
    }
}
