//! Connections: accepted, limited, and drained at shutdown.
//!
//! | a peer that … | is closed after |
//! |---|---|
//! | connects and says nothing | `header_timeout` |
//! | sends a header byte by byte, the first or a later one | `header_timeout` |
//! | sends a header that is too long, or too many | 431 at once |
//! | does not take its answer | `write_timeout` |
//! | keeps a connection without a request | `idle_timeout`, with HTTP/2 up to twice that |
//! | keeps one so while at most one of `max_connections` is left | `header_timeout` |
//!
//! Time for a request's body and for its answer is the business of middleware; what a handler leaves of a body, of
//! `unread`. At `max_connections` no connection is accepted; new ones wait in the system's backlog, so a short peak
//! costs a peer a delay and not an error. Plain HTTP/1.1 and HTTP/2 with prior knowledge; TLS ends in front of us.
//!
//! A client of HTTP/1 that uses a connection just when we close it gets no answer, and may not repeat a POST (RFC 9110
//! §9.2.2). So the usual rest is longer than the 60 to 90 seconds that proxies and clients keep theirs.

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use futures_util::{StreamExt, stream::FuturesUnordered};
use hyper::{
    Request, Response, StatusCode, Version,
    body::Incoming,
    header::{CONNECTION, HeaderValue},
    rt::Executor,
    service::service_fn,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service;

use super::{
    activity::{Activity, Patience, Running, Tracked},
    arrival::Arrival,
    timed::Timed,
    timers::Timers,
    unread::Unread,
};
use crate::config::ServerConfig;

/// How long accepting rests after a failure such as "too many open files".
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);
/// How often a silent HTTP/2 peer is asked whether it still lives.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// How long its answer may take.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a body that nobody has read may take to come.
const UNREAD_PATIENCE: Duration = Duration::from_secs(1);
/// The smallest header buffer that hyper takes, bytes.
const SMALLEST_BUFFER: usize = 8 * 1024;

/// What a listener allows.
#[derive(Debug, Clone)]
pub struct ServerLimits {
    /// Time to send a request's header; also how long a connection may rest while the last is being given out.
    pub header_timeout: Duration,
    /// Time in which a peer must take some bytes of its answer.
    pub write_timeout: Duration,
    /// Time that a connection may rest between requests.
    pub idle_timeout: Duration,
    /// Time that requests under way are given at shutdown.
    pub drain_timeout: Duration,
    /// Connections open at once.
    pub max_connections: usize,
    /// Headers of one request.
    pub max_headers: usize,
    /// All headers of one request together, bytes (8 KiB at least).
    pub max_header_bytes: usize,
    /// Requests under way at once on one HTTP/2 connection.
    pub max_concurrent_streams: u32,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_mins(2),
            drain_timeout: Duration::from_secs(20),
            max_connections: 10_000,
            max_headers: 100,
            max_header_bytes: 32 * 1024,
            max_concurrent_streams: 128,
        }
    }
}

impl From<&ServerConfig> for ServerLimits {
    fn from(config: &ServerConfig) -> Self {
        Self {
            header_timeout: Duration::from_secs(config.header_timeout_secs),
            idle_timeout: Duration::from_secs(config.idle_timeout_secs),
            drain_timeout: Duration::from_secs(config.drain_timeout_secs),
            max_connections: config.max_connections,
            ..Self::default()
        }
    }
}

/// What every connection of a listener shares.
struct Server {
    router: Router,
    builder: Builder<Streams>,
    limits: ServerLimits,
    /// A permit for each connection that may still be accepted.
    free: Arc<Semaphore>,
    shutdown: CancellationToken,
    /// Cancelled when the time to drain is over.
    cut: CancellationToken,
}

/// Why a connection is ended from our side.
enum Ending {
    /// The time to drain is over.
    Cut,
    /// The server stops.
    Shutdown,
    /// No request was under way for too long.
    Quiet,
}

/// Starts the tasks of HTTP/2 streams, which end with the connections when the drain is over.
#[derive(Clone)]
struct Streams {
    tracker: TaskTracker,
    cut: CancellationToken,
}

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        self.tracker.spawn(self.cut.clone().run_until_cancelled_owned(stream));
    }
}

/// Serves `router` on `listener` until `shutdown`; then accepts nothing more, closes idle connections,
/// answers what is under way, and after `drain_timeout` drops the rest. Returns when no connection is
/// left. Handlers find the peer in the request's [`Arrival`]. Connections run on `tracker`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: &ServerLimits,
    shutdown: CancellationToken,
    tracker: &TaskTracker,
) {
    let cut = CancellationToken::new();
    let streams = Streams { tracker: tracker.clone(), cut: cut.clone() };
    let builder = builder(streams, limits);
    let slots = u32::try_from(limits.max_connections).unwrap_or(u32::MAX).max(1);
    let free = Arc::new(Semaphore::new(slots as usize));
    let server =
        Arc::new(Server { router, builder, limits: limits.clone(), free: Arc::clone(&free), shutdown, cut });

    let accepting = accept_all(&listener, &server, tracker);
    server.shutdown.run_until_cancelled(accepting).await;
    drop(listener);

    let drained = tokio::time::timeout(limits.drain_timeout, free.acquire_many(slots)).await.is_ok();
    if !drained {
        let open = (slots as usize).saturating_sub(free.available_permits());
        tracing::warn!(open, "connections did not end in time and are dropped");
        server.cut.cancel();
        // An error would mean a closed semaphore; nobody closes it.
        let _ = free.acquire_many(slots).await;
    }
}

fn builder(streams: Streams, limits: &ServerLimits) -> Builder<Streams> {
    let mut builder = Builder::new(streams);
    // No time-out for a header: `Activity` knows when it began, and hyper would arm a timer for each. An answer in one
    // piece costs less than a list of pieces.
    builder
        .http1()
        .writev(false)
        .max_headers(limits.max_headers)
        .max_buf_size(limits.max_header_bytes.max(SMALLEST_BUFFER));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.max_concurrent_streams)
        .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

async fn accept_all(listener: &TcpListener, server: &Arc<Server>, tracker: &TaskTracker) {
    // The slot first: without one, the connection stays in the backlog.
    while let Ok(slot) = Arc::clone(&server.free).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, peer)) => {
                tracker.spawn(Arc::clone(server).connection(stream, peer, slot));
            }
            Err(error) if is_of_the_peer(&error) => tracing::debug!(%error, "a connection was lost"),
            Err(error) => {
                tracing::error!(%error, "connections cannot be accepted, resting");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether only that one connection failed, so that the next may be accepted at once.
fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

impl Server {
    /// One connection from its first byte to its last. Holds its slot until then.
    async fn connection(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, _slot: OwnedSemaphorePermit) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, %peer, "the connection ended before it began");
            return;
        }
        let (activity, timers, unread) = (Arc::new(Activity::new()), Timers::default(), Unread::default());
        let service = service_fn(|request: Request<Incoming>| {
            let arrival = Arrival::from(peer).with(timers.clone());
            answer(self.router.clone(), (activity.begin(), unread.clone()), arrival, request)
        });
        let io = TokioIo::new(Timed::new(stream, self.limits.write_timeout, Arc::clone(&activity)));
        let mut connection = pin!(self.builder.serve_connection(io, service));
        // A stream of one: it is looked at when it has something to say, and not for every request.
        let mut ending = FuturesUnordered::from_iter([self.ending(&activity)]);
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            Some(ending) = ending.next() => {
                let patience = match ending {
                    Ending::Cut => return,
                    Ending::Shutdown => Duration::MAX, // `cut` ends it
                    Ending::Quiet if activity.speaks_http2() => self.limits.idle_timeout,
                    Ending::Quiet => Duration::ZERO,
                };
                connection.as_mut().graceful_shutdown();
                let ended = tokio::time::timeout(patience, connection);
                self.cut.run_until_cancelled(ended).await.and_then(Result::ok).unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, %peer, "the connection broke");
        }
    }

    /// Waits for what ends a connection from our side.
    async fn ending(&self, activity: &Activity) -> Ending {
        let ServerLimits { header_timeout: header, idle_timeout: idle, .. } = self.limits;
        let patience = || {
            // Whoever accepts holds the last one.
            let crowded = self.free.available_permits() == 0;
            Patience { header, rest: if crowded { header.min(idle) } else { idle } }
        };
        tokio::select! {
            () = self.cut.cancelled() => Ending::Cut,
            () = self.shutdown.cancelled() => Ending::Shutdown,
            () = activity.quiet(patience) => Ending::Quiet,
        }
    }
}

async fn answer(
    mut router: Router,
    (running, unread): (Running, Unread),
    arrival: Arrival,
    request: Request<Incoming>,
) -> Result<Response<Tracked>, Infallible> {
    // The streams of an HTTP/2 connection do not wait for each other's bodies.
    let is_alone = request.version() < Version::HTTP_2;
    let mut request =
        request.map(|body| if is_alone { Body::new(unread.body(body)) } else { Body::new(body) });
    request.extensions_mut().insert(arrival);
    let mut response = router.call(request).await?; // a router is always ready
    // After a body that was waited for in vain, no more is waited.
    let is_late = response.status() == StatusCode::REQUEST_TIMEOUT;
    let patience = if is_late { Duration::ZERO } else { UNREAD_PATIENCE };
    if is_alone && !unread.takes_in(patience).await {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| running.until_sent(body)))
}
