//! What a connection is doing, so that one that does nothing can be told from one that is slow.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};

/// The requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Activity {
    running: AtomicUsize,
    begun: AtomicU64,
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
    pub(super) fn begin(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::SeqCst);
        self.begun.fetch_add(1, Ordering::SeqCst);
        Running(Arc::clone(self))
    }

    /// Returns once nothing was under way and nothing began for `limit` (and twice that at most).
    pub(super) async fn idle_for(&self, limit: Duration) {
        loop {
            let begun = self.begun.load(Ordering::SeqCst);
            tokio::time::sleep(limit).await;
            if self.running.load(Ordering::SeqCst) == 0 && self.begun.load(Ordering::SeqCst) == begun {
                return;
            }
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
