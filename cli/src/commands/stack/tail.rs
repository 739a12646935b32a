//! `letterbox stack tail`: prints deliveries as they arrive.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use clap::Args;
use letterbox_codec::Timestamp;
use letterbox_intake::ambient;
use tokio::{signal, time::sleep};

use super::{
    args::{KindArgs, StackArgs},
    session::Session,
};
use crate::{
    commands::CommandError,
    delivery_line::DeliveryLine,
    stack::{
        AwsError,
        logs::{DeliveryLog, Tail as Logs},
    },
    terminal::{DOUBTFUL, QUIET, note, printable_json},
    time,
};

/// The shortest time between two readings.
const PAUSE: Duration = Duration::from_secs(1);

/// The pause after a failed reading.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(5);

/// `letterbox stack tail`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  letterbox stack tail --stack letterbox
  letterbox stack tail --stack letterbox --since 10m --outcome refused,failed
  letterbox stack tail --stack letterbox --provider github,payment --json | jq -c '[.source, .type]'

The lines come from the log groups of the functions, some seconds after the deliveries. --text is looked for in the log line, \
which has neither URL nor body. End: Ctrl-C.

AWS permissions: cloudformation:DescribeStacks and ListStackResources; logs:FilterLogEvents on the log groups of the functions.")]
pub struct Tail {
    /// The stack.
    #[command(flatten)]
    pub stack: StackArgs,
    /// Begin with the deliveries since this time; without it, with those from now on
    #[arg(long, value_name = "TIME", value_parser = time::past)]
    pub since: Option<Timestamp>,
    /// Which deliveries.
    #[command(flatten)]
    pub kind: KindArgs,
    /// Print each log line as it is: one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Prints until Ctrl-C.
pub fn run(args: &Tail) -> Result<(), CommandError> {
    let filter = args.kind.filter().map_err(CommandError::Usage)?;
    let since = match args.since {
        Some(since) => since,
        None => ambient::system().map_err(CommandError::failed)?.now,
    };
    Session::run(&args.stack, async |session| {
        let mut logs = Logs::of(&session.account, &session.stack, &args.kind.provider, since);
        if logs.groups() == 0 {
            return Err(CommandError::usage("the stack has no function of such a provider"));
        }
        note(
            QUIET,
            &format!("following {} log groups of {}; end: Ctrl-C", logs.groups(), session.stack.name),
        );
        loop {
            let polled = tokio::select! {
                polled = logs.poll() => polled,
                _ = signal::ctrl_c() => return Ok(()),
            };
            let pause = match polled {
                Ok(found) => {
                    if show(args, found.iter().filter(|log| log.passes(&filter))).is_err() {
                        // The pipe is closed.
                        return Ok(());
                    }
                    PAUSE
                }
                Err(error @ (AwsError::Unreachable { .. } | AwsError::Other(_))) => {
                    note(DOUBTFUL, &error.to_string());
                    PAUSE_AFTER_ERROR
                }
                Err(error) => return Err(error.into()),
            };
            tokio::select! {
                () = sleep(pause) => {}
                _ = signal::ctrl_c() => return Ok(()),
            }
        }
    })
}

fn show<'l>(args: &Tail, logs: impl Iterator<Item = &'l DeliveryLog>) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for log in logs {
        let text = match args.json {
            true if out.is_terminal() => printable_json(&log.json),
            true => log.json.clone(),
            false => line(log).to_string(),
        };
        writeln!(out, "{text}")?;
    }
    out.flush()
}

fn line(log: &DeliveryLog) -> DeliveryLine<'_> {
    DeliveryLine {
        time: log.time(),
        outcome: log.outcome.as_str(),
        status: log.status,
        provider: &log.provider,
        source: &log.source,
        milliseconds: log.milliseconds,
        kind: log.kind.as_deref(),
        reason: log.reason.as_deref().or(log.replayed.then_some("replayed")),
        detail: log.detail.as_deref(),
        id: log.id.as_deref(),
        ..DeliveryLine::default()
    }
}
