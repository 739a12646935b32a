//! `letterbox doctor`: reports why a delivery was refused, or what is wrong with a stack.

pub mod args;
mod input;
mod stack;

use self::args::Doctor;
use super::CommandError;
use crate::{doctor::Report, terminal::write};

/// Diagnoses one delivery, or one stack.
pub fn run(args: &Doctor) -> Result<(), CommandError> {
    if let Some(name) = &args.stack.stack {
        return stack::run(name, args);
    }
    let report = examine(args).map_err(CommandError::Usage)?;
    let text = if args.json { report.to_json() } else { report.to_text() };
    // A closed standard output does not change the result.
    let _ = write(text.as_bytes());
    if report.opens { Ok(()) } else { Err(CommandError::Reported) }
}

/// Reads the delivery that the command line names, and diagnoses it.
fn examine(args: &Doctor) -> Result<Report, String> {
    if args.key.credentials.is_none() {
        eprintln!("demo credentials: --credentials FILE for your own");
    }
    let delivery = input::delivery(args)?;
    let reply = args.reply.as_deref().map(input::reply).transpose()?;
    Ok(Report::new(&delivery, reply.as_ref()))
}
