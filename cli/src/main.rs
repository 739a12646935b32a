//! `letterbox`: serve all functions on this machine, send them deliveries, read the queue, debug single messages.

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use letterbox::{
    commands::{Command, Program, completions, doctor, events, open, seal, send, serve, sign},
    terminal::complain,
};

fn main() -> ExitCode {
    let done = match Program::parse().command {
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
