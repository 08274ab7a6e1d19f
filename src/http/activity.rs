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

/// Nothing was heard since the last request began.
const SILENT: u64 = 0;
/// Something was heard, and nobody has asked since when.
const HEARD: u64 = u64::MAX;

/// The requests of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    /// Requests that began, ever.
    begun: AtomicUsize,
    running: AtomicUsize,
    /// Since when a header is being sent: `SILENT`, `HEARD`, or milliseconds after `opened`.
    heard: AtomicU64,
    speaks_http2: AtomicBool,
}

/// How long a connection may have no request under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For the first request of a connection, and for each header that has begun.
    pub(super) header: Duration,
    /// Between requests.
    pub(super) rest: Duration,
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
            begun: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            heard: AtomicU64::new(SILENT),
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

    /// Notes that the peer has sent something.
    pub(super) fn heard(&self) {
        if self.running.load(Ordering::Relaxed) == 0 && self.heard.load(Ordering::Relaxed) == SILENT {
            self.heard.store(HEARD, Ordering::Relaxed);
        }
    }

    /// Notes that more is wanted from the peer. If what was heard is a part of a header only, its time runs from here:
    /// a header that comes in one piece costs no look at the clock.
    pub(super) fn wants_more(&self) {
        if self.heard.load(Ordering::Relaxed) == HEARD {
            let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(HEARD - 1);
            self.heard.store(now.max(SILENT + 1), Ordering::Relaxed);
        }
    }

    /// Notes that a request has begun: its header is there.
    pub(super) fn begin(self: &Arc<Self>) -> Running {
        self.heard.store(SILENT, Ordering::Relaxed);
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.running.fetch_add(1, Ordering::SeqCst);
        Running(Arc::clone(self))
    }

    /// Returns once nothing was under way for as long as `patience` allows, which is asked for again at each look. A
    /// rest is seen to begin at one of these looks, so that requests need no clock; it may last longer by the time
    /// between two.
    pub(super) async fn quiet(&self, patience: impl Fn() -> Patience) {
        let (mut begun, mut since) = (0, self.opened);
        loop {
            let (Patience { header, rest }, now) = (patience(), Instant::now());
            let seen = self.begun.load(Ordering::Relaxed);
            if seen != begun || self.running.load(Ordering::SeqCst) > 0 {
                (begun, since) = (seen, now);
            }
            let until = match self.heard.load(Ordering::Relaxed) {
                _ if self.speaks_http2() => since + rest,
                _ if begun == 0 => self.opened + header,
                SILENT | HEARD => since + rest,
                at => self.opened + Duration::from_millis(at) + header,
            };
            if until <= now {
                return;
            }
            sleep_until(until.min(now + header.min(rest))).await;
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
