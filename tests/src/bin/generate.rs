//! Writes the generated files; with `--check`, only compares them.

use std::{env, process::ExitCode};

use letterbox_tests::generate::{self, Generated};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let act = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Generated::write,
        ["--check"] => Generated::check,
        _ => {
            eprintln!("generate: expected no argument, or --check");
            return ExitCode::from(2);
        }
    };
    match generate::all().and_then(|files| files.iter().try_for_each(act)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("generate: {error}");
            ExitCode::FAILURE
        }
    }
}
