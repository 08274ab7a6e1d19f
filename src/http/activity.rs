//! What a connection is doing, so that one that does nothing can be told from one that is slow.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, sleep_until};

/// The requests of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    running: AtomicUsize,
    /// When the last request ended, milliseconds after `opened`, rounded up.
    ended_ms: AtomicU64,
    speaks_http2: AtomicBool,
}

/// How long a connection may have no request under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Until a request's header is there: HTTP/1, and whoever has not shown what they speak.
    pub(super) http1: Duration,
    /// Between requests.
    pub(super) http2: Duration,
}

/// A request that is under way while this lives.
#[derive(Debug)]
pub(super) struct Running(Arc<Activity>);

/// A response body that counts as under way until it has been handed over.
#[derive(Debug)]
pub(super) struct Tracked {
    body: Body,
    _running: Running,
}

impl Activity {
    /// A connection that was opened just now.
    pub(super) fn new() -> Self {
        Self {
            opened: Instant::now(),
            running: AtomicUsize::new(0),
            ended_ms: AtomicU64::new(0),
            speaks_http2: AtomicBool::new(false),
        }
    }

    /// Notes that the peer has sent the preface of HTTP/2.
    pub(super) fn saw_http2(&self) {
        self.speaks_http2.store(true, Ordering::SeqCst);
    }

    /// Whether the peer has sent the preface of HTTP/2.
    pub(super) fn speaks_http2(&self) -> bool {
        self.speaks_http2.load(Ordering::SeqCst)
    }

    pub(super) fn begin(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::SeqCst);
        Running(Arc::clone(self))
    }

    /// Returns once nothing was under way for as long as `patience` allows.
    pub(super) async fn quiet(&self, patience: Patience) {
        loop {
            let limit = if self.speaks_http2() { patience.http2 } else { patience.http1 };
            let since = if self.running.load(Ordering::SeqCst) > 0 {
                Instant::now()
            } else {
                self.opened + Duration::from_millis(self.ended_ms.load(Ordering::SeqCst))
            };
            if since + limit <= Instant::now() {
                return;
            }
            sleep_until(since + limit).await;
        }
    }
}

impl Running {
    pub(super) fn until_sent(self, body: Body) -> Tracked {
        Tracked { body, _running: self }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let ended = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.ended_ms.store(ended.saturating_add(1), Ordering::SeqCst);
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl hyper::body::Body for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
