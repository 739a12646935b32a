//! The connections of the local server: limits their number, closes the longest waiting one to make room for a new one,
//! and closes idle ones.

use std::{
    collections::BTreeMap,
    io,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, body::Body};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    time::{self, Instant},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

/// The time limit for a request's headers, and the idle timeout of a connection.
pub const STALLED: Duration = Duration::from_secs(30);

/// The maximum number of open connections, if the process may have that many file descriptors.
pub const MOST: usize = 1000;

/// File descriptors reserved for files and for connections to a queue.
const OTHER_DESCRIPTORS: usize = 64;

/// The maximum is never lower than this.
const FEWEST: usize = 16;

/// Added to the idle timeout of a connection, so that the sender of a stalled body still receives a response.
const FOR_THE_RESPONSE: Duration = Duration::from_secs(2);

/// The longest pause after an error of the listener, such as no free file descriptor.
const AFTER_AN_ERROR: Duration = Duration::from_millis(100);

/// One open connection.
#[derive(Debug)]
pub struct Connection {
    /// When it began to wait for a request or for the rest of one.
    since: Moment,
    /// When a byte was last sent or received.
    moved: Moment,
    /// The number of deliveries on it that are being answered.
    answering: AtomicUsize,
    /// Closes it.
    closed: CancellationToken,
}

impl Connection {
    fn new() -> Self {
        Self {
            since: Moment::now(),
            moved: Moment::now(),
            answering: AtomicUsize::new(0),
            closed: CancellationToken::new(),
        }
    }

    /// Keeps the connection open until the guard is dropped.
    #[must_use]
    pub fn answering(self: &Arc<Self>) -> Answering {
        self.answering.fetch_add(1, Ordering::Relaxed);
        Answering(Arc::clone(self))
    }

    fn may_be_closed(&self) -> bool {
        self.answering.load(Ordering::Relaxed) == 0
    }

    /// Returns once the connection has been idle for too long.
    async fn stalled(&self) {
        let limit = STALLED + FOR_THE_RESPONSE;
        loop {
            let still_for = self.moved.get().elapsed();
            if still_for >= limit && self.may_be_closed() {
                return;
            }
            time::sleep(limit.saturating_sub(still_for).max(FOR_THE_RESPONSE)).await;
        }
    }
}

/// A time that several tasks read and update.
#[derive(Debug)]
struct Moment(Mutex<Instant>);

impl Moment {
    fn now() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    fn get(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// Keeps a connection open while a delivery on it is being answered.
#[derive(Debug)]
pub struct Answering(Arc<Connection>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.since.set_now();
        self.0.answering.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The open connections by number; a later one has a higher number.
struct Open {
    most: usize,
    connections: Mutex<BTreeMap<u64, Arc<Connection>>>,
    /// Notified when a connection is closed.
    freed: Notify,
}

impl Open {
    /// Registers a connection. At the maximum, first closes the connection that has waited longest for a request or for the
    /// rest of one.
    async fn admit(&self, number: u64) -> Arc<Connection> {
        loop {
            {
                let mut open = self.lock();
                if open.len() < self.most {
                    let connection = Arc::new(Connection::new());
                    open.insert(number, Arc::clone(&connection));
                    return connection;
                }
                close_one(&open);
            }
            // If all are being answered, one of them finishes within its provider's deadline.
            self.freed.notified().await;
        }
    }

    /// Closes a connection because the system has no room for another one; returns once one is closed, or after a pause.
    async fn make_room(&self) {
        close_one(&self.lock());
        let _ = time::timeout(AFTER_AN_ERROR, self.freed.notified()).await;
    }

    fn remove(&self, number: u64) {
        self.lock().remove(&number);
        self.freed.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<Connection>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the connection that has waited longest for a request or for the rest of one, unless one is being closed.
fn close_one(open: &BTreeMap<u64, Arc<Connection>>) {
    let is_one_closing = open.values().any(|connection| connection.closed.is_cancelled());
    let candidates = open.values().filter(|connection| connection.may_be_closed());
    let oldest = candidates.min_by_key(|connection| connection.since.get());
    if let (false, Some(oldest)) = (is_one_closing, oldest) {
        oldest.closed.cancel();
    }
}

/// Serves HTTP/1.1 and HTTP/2 (without TLS) until `ending` is true; then ends each connection once its requests are
/// answered, or all of them after `grace`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    mut ending: watch::Receiver<bool>,
    grace: Duration,
) {
    let open = Arc::new(Open { most: most(), connections: Mutex::default(), freed: Notify::new() });
    let tasks = TaskTracker::new();
    for number in 0.. {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ended(&mut ending) => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            // The client has already disconnected.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            // No file descriptor is free, or no memory.
            Err(_) => {
                open.make_room().await;
                continue;
            }
        };
        let connection = tokio::select! {
            connection = open.admit(number) => connection,
            () = ended(&mut ending) => break,
        };
        let (open, router, ending) = (Arc::clone(&open), router.clone(), ending.clone());
        tasks.spawn(async move {
            run(stream, &connection, router, ending).await;
            open.remove(number);
        });
    }
    drop(listener);
    tasks.close();
    // A client that keeps its connection open must not delay the shutdown.
    let _ = time::timeout(grace, tasks.wait()).await;
}

/// Serves one connection to its end.
async fn run(
    stream: TcpStream,
    connection: &Arc<Connection>,
    router: Router,
    mut ending: watch::Receiver<bool>,
) {
    // A response is one small write, so delaying it for more data gains nothing.
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(Watched { stream, connection: Arc::clone(connection) });
    let on_request = Arc::clone(connection);
    let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        on_request.since.set_now();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Arc::clone(&on_request));
        let (router, connection) = (router.clone(), Arc::clone(&on_request));
        async move {
            let response = router.oneshot(request).await;
            connection.since.set_now();
            response
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(STALLED);
    builder.http2().timer(TokioTimer::new());
    let mut served = pin!(builder.serve_connection(io, service));
    let mut is_ending = false;
    loop {
        tokio::select! {
            // An error here concerns only this client.
            _ = served.as_mut() => return,
            () = connection.closed.cancelled() => return,
            () = connection.stalled() => return,
            () = ended(&mut ending), if !is_ending => {
                is_ending = true;
                served.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Returns when the server shuts down.
async fn ended(ending: &mut watch::Receiver<bool>) {
    drop(ending.wait_for(|ending| *ending).await);
}

/// The maximum number of connections within the process's limit of file descriptors.
fn most() -> usize {
    #[cfg(unix)]
    let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    let descriptors = None::<u64>;
    let descriptors = descriptors.map_or(usize::MAX, |number| usize::try_from(number).unwrap_or(usize::MAX));
    MOST.min(descriptors.saturating_sub(OTHER_DESCRIPTORS)).max(FEWEST)
}

/// A stream that records when it last transferred data.
struct Watched {
    stream: TcpStream,
    connection: Arc<Connection>,
}

impl Watched {
    fn moved<T>(&self, polled: Poll<T>) -> Poll<T> {
        if polled.is_ready() {
            self.connection.moved.set_now();
        }
        polled
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.moved(polled)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, buffer);
        self.moved(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.moved(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
