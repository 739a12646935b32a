//! `letterbox events`: what the embedded queue holds.

use std::{io::Write, path::PathBuf, thread, time::Duration};

use clap::Args;
use letterbox_codec::json::Object;

use super::CommandError;
use crate::{
    local::queue::sqlite::Store,
    options::DATABASE,
    terminal::{printable, printable_json},
};

/// `letterbox events`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterbox events
  letterbox events --json | jq .data
  letterbox events --json --follow")]
pub struct Events {
    /// Print each queue message (a CloudEvents object) on a line of its own
    #[arg(long)]
    pub json: bool,
    /// Continue to print events as they arrive
    #[arg(long)]
    pub follow: bool,
    /// The SQLite file of the embedded queue
    #[arg(long, value_name = "FILE", default_value = DATABASE)]
    pub database: PathBuf,
}

/// How many messages are read at a time.
const PAGE: u32 = 500;

/// How often `--follow` looks.
const PAUSE: Duration = Duration::from_millis(200);

/// Prints the queue, oldest first. A reader that goes away ends it.
pub fn run(args: &Events) -> Result<(), CommandError> {
    let store = Store::open(&args.database).map_err(CommandError::Usage)?;
    let mut out = std::io::stdout().lock();
    let mut last = 0;
    loop {
        let page = store.after(last, PAGE).map_err(CommandError::Failed)?;
        if page.is_empty() {
            if !args.follow {
                if last == 0 && !args.json {
                    eprintln!("no events yet: `letterbox send --list` names samples to send");
                }
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
        for message in page {
            last = message.sequence;
            let line = if args.json { one_line(&message.body) } else { row(message.sequence, &message.body) };
            if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
                return Ok(());
            }
        }
    }
}

/// Line breaks can stand only between the tokens of a JSON text: a space means the same there. What a terminal would obey
/// or hide is written as an escape, also for a program, whose output may end on a terminal.
fn one_line(json: &str) -> String {
    printable_json(json).replace('\n', " ")
}

/// Place, time, type, source, subject and id.
fn row(sequence: i64, body: &str) -> String {
    let event = Object::parse(body).ok();
    let get = |name: &str| {
        let label = event.as_ref().and_then(|event| event.label(name).ok().flatten());
        label.map_or_else(|| "-".to_owned(), |label| printable(&label))
    };
    format!(
        "{sequence:>5}  {:<24}  {:<28}  {:<18}  {}  {}",
        get("time"),
        get("type"),
        get("source"),
        get("subject"),
        get("id")
    )
}
