//! `letterbox serve`: runs all functions on one port, or shows the archive of a deployed stack.

mod stack;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use axum::{
    Router, middleware,
    routing::{any, get},
};
use clap::Args;
use http::StatusCode;
use letterbox_codec::Secret;
use letterbox_intake::{Queue, ambient, aws, gateway::DEFAULT_SOURCE, queue::sqs::Sqs, settings::queue_url};
use letterbox_registry::PROVIDERS;
use tokio::{net::TcpListener, runtime::Runtime, signal, sync::watch, time::Instant};

use super::CommandError;
use crate::{
    credentials,
    local::{
        connections,
        console::Console,
        history::{
            Bounds,
            readers::Readers,
            recorder::{Ending, Recorder},
            sqlite::Deliveries,
        },
        page::{
            self, entrance,
            guard::{Guard, TokenParser},
        },
        queue::sqlite::Store,
        reception::{Reception, deliver},
        response::error,
    },
    options::{DATABASE, DEFAULT_URL},
    shell::{program, word},
    stack::account::AwsOptions,
};

/// `letterbox serve`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterbox serve
  letterbox serve --port 8080 --credentials my-credentials.json
  letterbox serve --queue-url https://sqs.eu-central-1.amazonaws.com/123456789012/letterbox
  letterbox serve --listen 0.0.0.0 --token \"$(openssl rand -hex 16)\"
  letterbox serve --stack letterbox --region eu-central-1

GET / shows a page with the recent deliveries. Without a token, only this machine can open it.
Without --credentials the server uses the demo credentials of events/, with which anyone can sign.
With --stack, the page shows the deliveries in the archive of that stack, and can replay them; nothing is received here. \
It uses your AWS credentials, and says what they do not allow.
GET /healthz returns 200 while the server runs. Ctrl-C or SIGTERM ends the server within 10 s, a second one at once; \
every acknowledged delivery is then on the queue.

Limits: a body has at most 10 MiB. The headers of a request may take 30 s; the server closes a connection after 30 s \
without a byte. At most 1000 connections are open (fewer if `ulimit -n` is low); for a new one, the server closes the \
one that has waited longest for a request.")]
pub struct Serve {
    /// The port to listen on; 0 picks a free one
    #[arg(long, default_value_t = 9000)]
    pub port: u16,
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub listen: IpAddr,
    /// A JSON file, from provider to its credentials; only the providers in it are served. Without it, the demo credentials
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
    /// The SQLite file of the embedded queue; the delivery history is in letterbox-deliveries.db beside it
    #[arg(long, value_name = "FILE", default_value = DATABASE)]
    pub database: PathBuf,
    /// Put events on this SQS queue instead; region, keys and endpoint come from the usual AWS_* variables
    #[arg(long, value_name = "URL", value_parser = |url: &str| queue_url(url).map_err(|expected| format!("expected {expected}")))]
    pub queue_url: Option<String>,
    /// OpenCard's card catalogue; without it, a built-in sample
    #[arg(long, value_name = "FILE", env = "CARDS")]
    pub cards: Option<PathBuf>,
    /// The token to require for the page: at least 16 letters, digits, -, _, . or ~. Generated if --listen is not the loopback address
    #[arg(long, env = "LETTERBOX_TOKEN", hide_env_values = true, value_parser = TokenParser)]
    pub token: Option<Secret>,
    /// The bounds of the delivery history.
    #[command(flatten)]
    pub keep: Keep,
    /// The stack to show instead.
    #[command(flatten)]
    pub stack: StackArgs,
}

/// Which stack, and how to reach it.
#[derive(Debug, Args)]
pub struct StackArgs {
    /// Show the deliveries of a deployed stack, from its archive, instead of receiving any
    #[arg(long, value_name = "NAME", conflicts_with_all = [
        "credentials", "database", "queue_url", "cards", "keep", "keep_days",
    ])]
    pub stack: Option<String>,
    /// The account and the region.
    #[command(flatten)]
    pub aws: AwsOptions,
}

/// The bounds of the delivery history.
#[derive(Debug, Args)]
pub struct Keep {
    /// How many deliveries the history stores
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub keep: u32,
    /// For how many days it stores them
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub keep_days: u32,
}

impl Keep {
    fn bounds(&self) -> Bounds {
        let age = Duration::from_secs(u64::from(self.keep_days) * 24 * 60 * 60);
        Bounds { number: self.keep, age, bytes: HISTORY_BYTES }
    }
}

/// The maximum size of the stored deliveries, in bytes.
const HISTORY_BYTES: u64 = 256 * 1024 * 1024;

/// The timeout of a call to SQS from this machine; each provider's own deadline still applies.
const SQS_TIMEOUT: Duration = Duration::from_secs(6);

/// The time limit of the shutdown, from the signal on.
const GRACE: Duration = Duration::from_secs(10);

/// The minimum time for each step of the shutdown.
const SHORTEST_GRACE: Duration = Duration::from_millis(500);

/// Serves until Ctrl-C or SIGTERM.
pub fn run(args: &Serve) -> Result<(), CommandError> {
    if let Some(name) = &args.stack.stack {
        return stack::run(name, args);
    }
    let AwsOptions { profile, region } = &args.stack.aws;
    for (option, value) in [("--profile", profile), ("--region", region)] {
        if value.is_some() {
            return Err(CommandError::Usage(format!("{option} goes with --stack")));
        }
    }
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

fn runtime() -> Result<Runtime, CommandError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CommandError::failed)
}

/// The time until `end`, but always enough for one step of the shutdown.
fn rest(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now()).max(SHORTEST_GRACE)
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
        let store = Store::create(&args.database).map_err(CommandError::Usage)?;
        (Arc::new(store), args.database.display().to_string())
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
    let signalled = serve_until_signal(listener, router, end, ending).await?;
    Ok((records, signalled))
}

/// Listens, and returns the URL of the server as well.
async fn listen(args: &Serve) -> Result<(TcpListener, String), CommandError> {
    let address = SocketAddr::new(args.listen, args.port);
    let listener = TcpListener::bind(address).await.map_err(|error| {
        CommandError::Failed(format!(
            "cannot listen on {address}: {error}; choose another with --port; 0 picks a free one"
        ))
    })?;
    let url = url(listener.local_addr().map_err(CommandError::failed)?);
    Ok((listener, url))
}

/// A token for a page that other machines can reach, if the user has set none.
fn generated_token(args: &Serve) -> Result<Option<Secret>, CommandError> {
    if args.token.is_none() && !args.listen.is_loopback() { random_token().map(Some) } else { Ok(None) }
}

/// The access rule of the page.
fn guard(args: &Serve, generated: Option<Secret>) -> Guard {
    args.token.clone().or(generated).map_or(Guard::Loopback, Guard::Token)
}

/// Serves the routes until Ctrl-C or SIGTERM, and tells `end` of it. Returns the time of the signal.
async fn serve_until_signal(
    listener: TcpListener,
    page: Router,
    end: watch::Sender<bool>,
    mut ending: watch::Receiver<bool>,
) -> Result<Instant, CommandError> {
    let router = page
        .route("/healthz", get(|| async { axum::Json(serde_json::json!({ "status": "ok" })) }))
        .layer(middleware::map_response(entrance::add_security_headers))
        .layer(middleware::from_fn(entrance::require_one_host));
    tokio::spawn(async move {
        end_signal().await;
        end.send_replace(true);
        end_signal().await;
        std::process::exit(EXIT_INTERRUPTED);
    });
    let server = tokio::spawn(connections::serve(listener, router, ending.clone(), GRACE));
    drop(ending.wait_for(|ending| *ending).await);
    let signalled = Instant::now();
    server.await.map_err(CommandError::failed)?;
    Ok(signalled)
}

/// The exit code with which a shell reports that Ctrl-C ended a program.
const EXIT_INTERRUPTED: i32 = 130;

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

/// The URL of the server on this machine.
fn url(mut address: SocketAddr) -> String {
    // The unspecified address (0.0.0.0 or ::) is only for listening.
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        });
    }
    format!("http://{address}")
}

/// A random token of 128 bits.
fn random_token() -> Result<Secret, CommandError> {
    let ambient = ambient::system().map_err(CommandError::failed)?;
    let (token, _) = ambient.split::<16, 0>();
    Secret::new(hex::encode(token)).map_err(CommandError::failed)
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

/// Waits for Ctrl-C, or on Unix for SIGTERM.
async fn end_signal() {
    #[cfg(unix)]
    let terminated = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<Option<()>>();
    tokio::select! {
        _ = signal::ctrl_c() => {}
        _ = terminated => {}
    }
}
