//! What was left unread of a request's body.
//!
//! A refusal does not wait for the body, which may not even be there yet. hyper closes such a connection after the answer
//! and does not say so: the next request of its client has no answer. So what is left is taken in, if it is little and
//! soon there; else the answer says that the connection closes (RFC 9112 §9.6). HTTP/2 ends the one stream by itself.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// More than this is not taken in, bytes.
const MOST: u64 = 64 * 1024;

/// Where the one request that a connection has under way leaves its body.
#[derive(Debug, Clone, Default)]
pub(super) struct Unread(Arc<Mutex<Option<Incoming>>>);

/// The body of a request, which is kept when it is dropped before its end.
#[derive(Debug)]
pub(super) struct RequestBody {
    body: Option<Incoming>,
    unread: Unread,
}

impl Unread {
    /// A body that is left here when it is not read to its end.
    pub(super) fn body(&self, body: Incoming) -> RequestBody {
        RequestBody { body: Some(body), unread: self.clone() }
    }

    /// Takes in what was left, or lets go of it when that is too much or takes longer than `patience`. Whether all of
    /// it has come, so that the next request can.
    pub(super) async fn takes_in(&self, patience: Duration) -> bool {
        let left = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match left {
            None => true,
            Some(left) if left.size_hint().lower() > MOST => false,
            Some(left) => {
                let taken = tokio::time::timeout(patience, take_in(left));
                Box::pin(taken).await.unwrap_or(false) // seldom: it has no room in the futures of all requests
            }
        }
    }
}

async fn take_in(mut body: Incoming) -> bool {
    let mut most = MOST;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        let length = frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
        let Some(rest) = most.checked_sub(length) else { return false };
        most = rest;
    }
    true
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None), // only once it is dropped
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            *self.unread.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}
