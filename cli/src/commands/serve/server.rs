//! The server of the page: where it listens, which requests may see the page, and how it ends.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use axum::{Router, middleware, routing::get};
use letterbox_codec::Secret;
use letterbox_intake::ambient;
use tokio::{net::TcpListener, runtime::Runtime, signal, sync::watch, time::Instant};

use super::args::Serve;
use crate::{
    commands::CommandError,
    local::{
        connections,
        page::{entrance, guard::Guard},
    },
};

/// The time limit of the shutdown, from the signal on.
pub const GRACE: Duration = Duration::from_secs(10);

/// The minimum time for each step of the shutdown.
const SHORTEST_GRACE: Duration = Duration::from_millis(500);

/// The runtime of the server.
pub fn runtime() -> Result<Runtime, CommandError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CommandError::failed)
}

/// The time until `end`, but always enough for one step of the shutdown.
pub fn rest(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now()).max(SHORTEST_GRACE)
}

/// Listens, and returns the URL of the server as well.
pub async fn listen(args: &Serve) -> Result<(TcpListener, String), CommandError> {
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
pub fn generated_token(args: &Serve) -> Result<Option<Secret>, CommandError> {
    if args.token.is_none() && !args.listen.is_loopback() { random_token().map(Some) } else { Ok(None) }
}

/// The access rule of the page.
pub fn guard(args: &Serve, generated: Option<Secret>) -> Guard {
    args.token.clone().or(generated).map_or(Guard::Loopback, Guard::Token)
}

/// Serves the routes until one of the signals, and tells `end` of it. Returns the time of the signal.
pub async fn serve_until_signal(
    listener: TcpListener,
    page: Router,
    mut signals: EndSignals,
    end: watch::Sender<bool>,
    mut ending: watch::Receiver<bool>,
) -> Result<Instant, CommandError> {
    let router = page
        .route("/healthz", get(|| async { axum::Json(serde_json::json!({ "status": "ok" })) }))
        .layer(middleware::map_response(entrance::add_security_headers))
        .layer(middleware::from_fn(entrance::require_one_host));
    tokio::spawn(async move {
        signals.next().await;
        end.send_replace(true);
        signals.next().await;
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

/// Ctrl-C and, on Unix, SIGTERM. Before [`EndSignals::listen`] they end the process at once, so it is called before the
/// server says that it is ready.
pub struct EndSignals {
    #[cfg(unix)]
    interrupt: signal::unix::Signal,
    #[cfg(unix)]
    terminate: signal::unix::Signal,
}

impl EndSignals {
    /// Listens from now on. Must run inside a Tokio runtime.
    #[cfg(unix)]
    pub fn listen() -> Result<Self, CommandError> {
        let listen = |kind| signal::unix::signal(kind).map_err(CommandError::failed);
        Ok(Self {
            interrupt: listen(signal::unix::SignalKind::interrupt())?,
            terminate: listen(signal::unix::SignalKind::terminate())?,
        })
    }

    #[cfg(not(unix))]
    pub fn listen() -> Result<Self, CommandError> {
        Ok(Self {})
    }

    /// Waits for the next one.
    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        let _ = signal::ctrl_c().await;
    }
}
