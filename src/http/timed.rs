//! A socket that gives up on a peer that says nothing, or takes nothing.
//!
//! hyper limits the time for an HTTP/1 header, but only once it knows that the peer speaks HTTP/1: until
//! the first byte that differs from HTTP/2's preface it waits for ever. And it has no limit for a peer
//! that does not read its answer.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

/// How an HTTP/2 connection begins (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream with two time limits.
#[derive(Debug)]
pub(super) struct Timed<S> {
    stream: S,
    opening: Option<Opening>,
    write_limit: Duration,
    /// Set while the peer takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// The time until the peer has shown which version it speaks.
#[derive(Debug)]
struct Opening {
    /// What is left of the preface, after what the peer sent of it.
    preface: &'static [u8],
    deadline: Pin<Box<Sleep>>,
}

impl<S> Timed<S> {
    /// `opening`: time to show the version. `write_limit`: time in which the peer must take some bytes
    /// of what is written.
    pub(super) fn new(stream: S, opening: Duration, write_limit: Duration) -> Self {
        let deadline = Box::pin(tokio::time::sleep(opening));
        Self { stream, opening: Some(Opening { preface: PREFACE, deadline }), write_limit, stalled: None }
    }

    /// Lets time run while a write waits.
    fn watch<T>(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.stalled = None;
            return wrote;
        }
        let limit = self.write_limit;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        let Some(opening) = &mut this.opening else { return read };
        if read.is_pending() {
            ready!(opening.deadline.as_mut().poll(cx));
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer says nothing")));
        }
        let new = buf.filled().get(before..).unwrap_or_default();
        match opening.preface.strip_prefix(new) {
            Some(rest) if !rest.is_empty() && !new.is_empty() => opening.preface = rest,
            _ => this.opening = None,
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.watch(cx, wrote)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.watch(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
