//! `letterbox stack deliveries`: lists the archive of a stack, or shows one delivery in full.

use std::{
    io::{IsTerminal, Write},
    num::NonZeroU64,
};

use clap::Args;

use super::{
    args::{FilterArgs, StackArgs},
    opened,
    progress::Shown,
    session::Session,
    shown::{line, summary},
};
use crate::{
    commands::CommandError,
    stack::archive::{Archive, Filter, Order},
    terminal::printable_json,
};

/// `letterbox stack deliveries`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  letterbox stack deliveries --stack letterbox
  letterbox stack deliveries --stack letterbox --since 1d --outcome refused,failed
  letterbox stack deliveries --stack letterbox --provider github --type 'github.pull_*' --text acme/widget
  letterbox stack deliveries --stack letterbox --since 2026-11-26 --until 2026-11-27 --json | jq -r .reason | sort | uniq -c
  letterbox stack deliveries --stack letterbox --id JKJaXmPLvHcESHA=

The last word of a line is the id of the delivery; with --id, the command shows the delivery in full: request, event, and for \
a refused one the cause, judged with today's credentials at the time of receipt. Narrow the search with \
--since if the archive is large.

A delivery is in the archive one to a few minutes after its receipt; `letterbox stack tail` shows it at once. Deliveries to \
unknown sources are not in the archive. Values of headers that hold a secret are masked.

AWS permissions: cloudformation:DescribeStacks and ListStackResources; s3:ListBucket and s3:GetObject on the archive \
bucket; for the cause of one delivery secretsmanager:GetSecretValue.")]
pub struct Deliveries {
    /// The stack.
    #[command(flatten)]
    pub stack: StackArgs,
    /// Which deliveries.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Show the delivery with this id, or with an event of this id, in full
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// End after so many deliveries
    #[arg(long, value_name = "N")]
    pub limit: Option<NonZeroU64>,
    /// Print each record of the archive on a line of its own, as JSON; one delivery with its diagnosis
    #[arg(long)]
    pub json: bool,
}

/// Lists, or shows one.
pub fn run(args: &Deliveries) -> Result<(), CommandError> {
    let filter = args.filter.filter().map_err(CommandError::Usage)?;
    Session::run(&args.stack, async |session| {
        let archive = session.archive()?;
        match &args.id {
            Some(id) => {
                opened::show(
                    args.json,
                    &args.stack,
                    &session,
                    &archive,
                    Filter { id: Some(id.clone()), ..filter },
                )
                .await
            }
            None => list(args, &archive, filter).await,
        }
    })
}

async fn list(args: &Deliveries, archive: &Archive, filter: Filter) -> Result<(), CommandError> {
    let mut reader = archive.read(Order::NewestFirst, filter);
    let shown = Shown::spinner();
    let is_terminal = std::io::stdout().is_terminal();
    let mut out = std::io::BufWriter::new(std::io::stdout());
    let mut count = 0_u64;
    while args.limit.is_none_or(|limit| count < limit.get()) {
        let Some(delivery) = reader.next().await? else { break };
        let line = match args.json {
            true if is_terminal => printable_json(&delivery.to_json()),
            true => delivery.to_json(),
            false => line(&delivery).to_string(),
        };
        let written = shown.suspend(|| {
            let written = writeln!(out, "{line}");
            // It is watched, or read by another program as it comes.
            if is_terminal || count < 100 { written.and_then(|()| out.flush()) } else { written }
        });
        if written.is_err() {
            // The reader of the pipe has enough.
            return Ok(());
        }
        count = count.saturating_add(1);
        shown.reading(reader.progress());
    }
    drop(shown);
    if out.flush().is_ok() {
        summary(count, reader.progress());
    }
    Ok(())
}
