//! `letterbox serve`: all functions on one port.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::{self, Body},
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use clap::Args;
use http::{StatusCode, Uri, header};
use http_body_util::LengthLimitError;
use letterbox_codec::{Reject, Request, Timestamp};
use letterbox_intake::{
    Answer, Record, ambient, aws, gateway::DEFAULT_SOURCE, queue::sqs::Sqs, settings::queue_url,
};
use tokio::{net::TcpListener, signal};

use crate::{
    args::{DATABASE, DEFAULT_URL},
    credentials,
    providers::{self, Handle, PROVIDERS, Parts},
    queue::LocalQueue,
    store::Store,
    terminal::plain,
};

/// `letterbox serve`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterbox serve
  letterbox serve --port 8080 --credentials my-credentials.json
  letterbox serve --queue-url https://sqs.eu-central-1.amazonaws.com/123456789012/letterbox

Without --credentials the demo credentials of events/ are used: anyone can sign with them.
GET /healthz answers 200 while the server runs. Ctrl-C or SIGTERM ends it; what was acknowledged is on the queue.")]
pub struct Serve {
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 9000)]
    pub port: u16,
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub listen: IpAddr,
    /// A JSON file: provider → its credentials JSON. Only the providers in it are served
    #[arg(long, value_name = "FILE")]
    pub credentials: Option<PathBuf>,
    /// The SQLite file of the embedded queue
    #[arg(long, value_name = "FILE", default_value = DATABASE)]
    pub database: PathBuf,
    /// Put events on this SQS queue instead; region, keys and endpoint come from the usual AWS_* variables
    #[arg(long, value_name = "URL", value_parser = queue_url, conflicts_with = "database")]
    pub queue_url: Option<String>,
    /// OpenCard's card catalogue; a built-in sample otherwise
    #[arg(long, value_name = "FILE", env = "CARDS")]
    pub cards: Option<PathBuf>,
}

/// The gateway's own limit of a body, in bytes.
const LARGEST_BODY: usize = 10 * 1024 * 1024;

/// What an SQS queue far from this machine may take; each provider's own deadline still holds.
const FAR_QUEUE: Duration = Duration::from_secs(6);

/// How long deliveries that are under way may take once the server is told to end.
const GRACE: Duration = Duration::from_secs(10);

/// The handler of each provider, by its name in the route.
type Handlers = Arc<BTreeMap<&'static str, Box<dyn Handle>>>;

/// Serves until Ctrl-C or SIGTERM.
pub fn run(args: &Serve) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let served = runtime.block_on(serve(args));
    runtime.shutdown_timeout(GRACE);
    served
}

async fn serve(args: &Serve) -> Result<(), String> {
    let (queue, place) = match &args.queue_url {
        Some(url) => (
            LocalQueue::Sqs(Sqs::connect(&aws::config().await, url.clone(), None, FAR_QUEUE).await),
            url.clone(),
        ),
        None => (LocalQueue::Store(Store::create(&args.database)?), args.database.display().to_string()),
    };
    let handlers = handlers(args, &Arc::new(queue))?;

    let address = SocketAddr::new(args.listen, args.port);
    let listener = TcpListener::bind(address).await.map_err(|error| {
        format!("cannot listen on {address}: {error}; --port takes another, 0 a free one")
    })?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    print(&banner(args, address, &handlers, &place));

    let ended = Arc::new(tokio::sync::Notify::new());
    let router = Router::new()
        .route("/healthz", get(|| async { axum::Json(serde_json::json!({ "status": "ok" })) }))
        .route("/{provider}", any(deliver))
        .route("/{provider}/{source}", any(deliver))
        .fallback(|| async {
            error(StatusCode::NOT_FOUND, "no such route: POST /<provider> or /<provider>/<source>")
        })
        .with_state(handlers);
    let server = axum::serve(listener, router).with_graceful_shutdown({
        let ended = Arc::clone(&ended);
        async move {
            end_signal().await;
            ended.notify_one();
        }
    });
    tokio::select! {
        end = server => end.map_err(|error| error.to_string())?,
        // A client that holds its connection open must not hold up the end.
        () = async { ended.notified().await; tokio::time::sleep(GRACE).await } => {}
    }
    print("letterbox: ended; every acknowledged delivery is on the queue\n");
    Ok(())
}

fn handlers(args: &Serve, queue: &Arc<LocalQueue>) -> Result<Handlers, String> {
    let credentials = credentials::load(args.credentials.as_deref())?;
    let mut handlers: BTreeMap<&'static str, Box<dyn Handle>> = BTreeMap::new();
    for (name, credentials) in &credentials {
        let row = providers::find(name)?;
        let document = match (row.document, &args.cards) {
            (Some(_), Some(file)) => {
                let place = file.display().to_string();
                let content = fs::read(file).map_err(|error| format!("{place}: {error}"))?;
                Some((place, content))
            }
            _ => None,
        };
        let queue = Arc::clone(queue);
        let parts = Parts {
            credentials,
            document: document.as_ref().map(|(place, content)| (place.as_str(), content.as_slice())),
            queue,
            ambient: None,
        };
        handlers.insert(row.name, (row.start)(parts)?);
    }
    Ok(Arc::new(handlers))
}

/// What is served where, and how to try it.
fn banner(args: &Serve, mut address: SocketAddr, handlers: &Handlers, queue: &str) -> String {
    // Nobody can send to the address that stands for all of them.
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        });
    }
    let url = format!("http://{address}");
    let mut text = format!("letterbox {} on {url}, events on {queue}\n", env!("CARGO_PKG_VERSION"));
    if args.credentials.is_none() {
        text += "demo credentials: anyone can sign with them; --credentials FILE for your own\n";
    }
    let to = if url == DEFAULT_URL { String::new() } else { format!(" --to {url}") };
    for row in PROVIDERS.iter().filter(|row| handlers.contains_key(row.name)) {
        let Some(handler) = handlers.get(row.name) else { continue };
        text += &format!("\n  {}\n", row.name);
        for source in handler.sources() {
            let path = if source == DEFAULT_SOURCE { String::new() } else { format!("/{source}") };
            text += &format!("    POST {url}/{}{path}\n", row.name);
        }
        text += &format!("    try: cargo run -- send {} {}{to}\n", row.name, row.try_sample);
    }
    text + "\nRead the queue: cargo run -- events. End: Ctrl-C.\n\n"
}

/// One delivery: the gateway's part, then the same handler that runs in Lambda.
async fn deliver(
    State(handlers): State<Handlers>,
    Path(route): Path<Vec<String>>,
    request: axum::extract::Request,
) -> Response {
    let (parts, content) = request.into_parts();
    let handler = route.first().and_then(|provider| handlers.get(provider.as_str()));
    let Some(handler) = handler else { return error(StatusCode::NOT_FOUND, "unknown provider") };
    let source = route.get(1).map_or(DEFAULT_SOURCE, String::as_str);
    let content = match body::to_bytes(content, LARGEST_BODY).await {
        Ok(content) => content,
        Err(failed) => return told(handler.refuse(&unread(&failed))),
    };
    let mut request = Request::new(content);
    *request.method_mut() = parts.method;
    *request.uri_mut() = absolute(&parts.uri, parts.headers.get(header::HOST));
    *request.headers_mut() = parts.headers;

    told(handler.handle(source, &request).await)
}

/// Why a body could not be read.
fn unread(failed: &axum::Error) -> Reject {
    if std::error::Error::source(failed).is_some_and(<dyn std::error::Error>::is::<LengthLimitError>) {
        Reject::TooLarge { limit: LARGEST_BODY }
    } else {
        Reject::malformed("body", "to come whole")
    }
}

/// Shows the operator's part of an answer, and hands on the platform's.
fn told(answer: Answer) -> Response {
    print(&line(&answer.record));
    answer.response.map(Body::from)
}

/// The URL that the sender called.
fn absolute(uri: &Uri, host: Option<&http::HeaderValue>) -> Uri {
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Uri::builder().scheme("http").authority(host).path_and_query(path).build().unwrap_or_else(|_| uri.clone())
}

/// What the terminal shows of a delivery.
fn line(record: &Record) -> String {
    let now = ambient::system().map_or(Timestamp(0), |ambient| ambient.now).to_string();
    let time = now.get(11..19).unwrap_or_default();
    let what = record.kind.as_deref().or(record.reason).unwrap_or("-");
    let why = match (&record.kind, record.reason) {
        (Some(_), Some(reason)) => format!("  {reason}"),
        _ => String::new(),
    };
    let detail = record.detail.as_deref().map(|detail| format!("  ({detail})")).unwrap_or_default();
    let id = record.id.as_deref().map(|id| format!("  {id}")).unwrap_or_default();
    let route = format!("{}/{}", record.provider, record.source);
    let text = format!(
        "{time}Z  {:<9} {}  {route:<20}  {:>6.1} ms  {what}{why}{detail}{id}",
        record.outcome, record.status, record.milliseconds
    );
    plain(&text) + "\n"
}

/// Writes to standard output; a reader that has gone away is no reason to end.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn error(status: StatusCode, text: &str) -> Response {
    (status, axum::Json(serde_json::json!({ "error": text }))).into_response()
}

/// Ctrl-C, or SIGTERM where there is one.
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
