//! `letterbox serve` without `--stack`: runs all functions on one port.

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::any};
use http::StatusCode;
use letterbox_codec::Secret;
use letterbox_intake::{Queue, aws, gateway::DEFAULT_SOURCE, queue::sqs::Sqs};
use letterbox_registry::PROVIDERS;
use tokio::{signal, sync::watch, task, time::Instant};

use super::{
    args::Serve,
    server::{EndSignals, GRACE, generated_token, guard, listen, rest, runtime, serve_until_signal},
};
use crate::{
    commands::CommandError,
    credentials,
    local::{
        console::Console,
        history::{
            readers::Readers,
            recorder::{Ending, Recorder},
            sqlite::Deliveries,
        },
        page,
        queue::embedded::Embedded,
        reception::{Reception, deliver},
        response::error,
    },
    options::DEFAULT_URL,
    shell::{program, word},
};

/// The timeout of a call to SQS from this machine; each provider's own deadline still applies.
const SQS_TIMEOUT: Duration = Duration::from_secs(6);

/// Serves until Ctrl-C or SIGTERM.
pub fn run(args: &Serve) -> Result<(), CommandError> {
    let runtime = runtime()?;
    let console = Console::start();
    let served = runtime.block_on(serve(args, &console));
    let end = Instant::now() + GRACE;
    let (records, end) = match served {
        Ok((records, signalled)) => (Ok(records), signalled + GRACE),
        Err(error) => (Err(error), end),
    };
    runtime.shutdown_timeout(rest(end));
    records?.wait(rest(end));
    console.print("letterbox: ended; every acknowledged delivery is on the queue\n".to_owned());
    console.flush(rest(end));
    Ok(())
}

/// Returns the recorder's [`Ending`], and the time of the signal.
async fn serve(args: &Serve, console: &Console) -> Result<(Ending, Instant), CommandError> {
    let _file_size_signal = file_size_signal()?;
    let credentials = credentials::load(args.credentials.as_deref()).map_err(CommandError::Usage)?;
    let history = Deliveries::create(&args.database).map_err(CommandError::Usage)?;
    let (queue, place): (Arc<dyn Queue>, _) = if let Some(url) = &args.queue_url {
        let sqs = Sqs::connect(&aws::config().await, url.clone(), None, SQS_TIMEOUT).await;
        (Arc::new(sqs), url.clone())
    } else {
        let embedded = Embedded::create(&args.database).map_err(CommandError::Usage)?;
        (Arc::new(embedded), args.database.display().to_string())
    };
    let (recorder, records) =
        Recorder::start(history, args.keep.bounds(), credentials.clone(), console.clone())
            .map_err(CommandError::Failed)?;
    let cards = args.cards.as_deref();
    let reception = Reception::new(&credentials, cards, &queue, recorder, console.clone())
        .map_err(CommandError::Usage)?;
    let reception = Arc::new(reception);

    let (listener, url) = listen(args).await?;
    let generated = generated_token(args)?;
    let signals = EndSignals::listen()?;
    console.print(banner(args, &url, generated.as_ref(), &reception, &place));

    let (end, ending) = watch::channel(false);
    let context = page::history::PageContext {
        reception: Arc::clone(&reception),
        history: Readers::new(&args.database),
        credentials,
        url,
        ending: ending.clone(),
    };
    let page = page::history::router(context, guard(args, generated));
    let router = Router::new()
        .route("/{provider}", any(deliver))
        .route("/{provider}/", any(deliver))
        .route("/{provider}/{source}", any(deliver))
        .route("/{provider}/{source}/", any(deliver))
        .fallback(|| async {
            error(StatusCode::NOT_FOUND, "no such route: POST /<provider> or /<provider>/<source>")
        })
        .with_state(reception)
        .merge(page);
    let signalled = serve_until_signal(listener, router, signals, end, ending).await?;
    // Closing the queue waits for the disk, which may hang: the shutdown of the runtime waits for this thread, but not
    // beyond its limit.
    task::spawn_blocking(move || drop(queue));
    Ok((records, signalled))
}

/// Handles the signal of a write beyond the file size limit (`ulimit -f`), which would end the program. The write itself
/// still fails with an error.
#[cfg(unix)]
fn file_size_signal() -> Result<signal::unix::Signal, CommandError> {
    let kind = signal::unix::SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    signal::unix::signal(kind).map_err(CommandError::failed)
}

#[cfg(not(unix))]
fn file_size_signal() -> Result<(), CommandError> {
    Ok(())
}

/// The text at start: the routes, and commands to try them. Shows the token only if the server generated it; a token that
/// the user set must not appear in the terminal or its log.
fn banner(args: &Serve, url: &str, generated: Option<&Secret>, reception: &Reception, queue: &str) -> String {
    let mut text = format!("letterbox {} on {url}, events on {queue}\n", env!("CARGO_PKG_VERSION"));
    if args.credentials.is_none() {
        text += "demo credentials: anyone can sign with them; --credentials FILE for your own\n";
    }
    let token = generated.map(|token| format!("?token={}", token.expose())).unwrap_or_default();
    text += &format!("recent deliveries: {url}/{token}\n");
    let program = program();
    let to = if url == DEFAULT_URL { String::new() } else { format!(" --to {}", word(url)) };
    for facts in PROVIDERS.iter().map(|provider| provider.facts()) {
        let Some(sources) = reception.sources(facts.name) else { continue };
        text += &format!("\n  {}\n", facts.name);
        for source in sources {
            let path = if source == DEFAULT_SOURCE { String::new() } else { format!("/{source}") };
            text += &format!("    POST {url}/{}{path}\n", facts.name);
        }
        text += &format!("    try: {program} send {} {}{to}\n", facts.name, facts.first_sample);
    }
    text + &format!("\nRead the queue: {program} events. End: Ctrl-C.\n\n")
}
