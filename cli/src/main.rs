//! `letterbox`: serve all functions on this machine, send them sample deliveries, read the queue.

use std::process::ExitCode;

use clap::Parser;
use letterbox::{
    args::{Command, Program},
    doctor, events, send, serve,
};

fn main() -> ExitCode {
    let done = match Program::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Send(args) => send::run(&args),
        Command::Events(args) => events::run(&args),
        // It has an exit code more than the others.
        Command::Doctor(args) => return doctor::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("letterbox: {error}");
            ExitCode::FAILURE
        }
    }
}
