//! Who is waited for, and for how long.

use std::{
    io,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    routing::{get, post},
};
use bailiwick::http::ServerLimits;
use futures_util::{StreamExt, stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::oneshot,
    time::timeout,
};

use super::{PATIENCE, REQUEST, SHORT, hello, limits, server};

/// The first header of a connection, and a later one.
#[tokio::test]
async fn a_header_sent_byte_by_byte_is_not_waited_for() {
    let server = server(ServerLimits { header_timeout: SHORT, ..limits() }, hello()).await;
    for asked_before in [false, true] {
        let mut client = server.client().await;
        if asked_before {
            client.get_hello().await;
        }
        let began = Instant::now();
        let header = b"GET / HTTP/1.1\r\nX-Slow: ".iter().copied().chain(std::iter::repeat(b'a'));
        for byte in header {
            // Each byte is on time; the header is not.
            if client.0.write_all(&[byte]).await.is_err() {
                break;
            }
            match timeout(Duration::from_millis(10), client.0.read_u8()).await {
                Err(_) => assert!(began.elapsed() < PATIENCE, "it is waited for"),
                Ok(Err(_)) => break,
                Ok(Ok(byte)) => panic!("an answer to nothing: {byte}"),
            }
        }
        assert!(began.elapsed() >= SHORT);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_later_header_that_stops_half_way_is_not_waited_for() {
    let server = server(ServerLimits { header_timeout: SHORT, ..limits() }, hello()).await;
    let mut client = server.client().await;
    client.get_hello().await;
    client.send(b"GET / HT").await;
    client.read_to_end().await;
    server.stop().await;
}

/// Nothing, a piece of HTTP/2's preface, half a header: all are closed.
#[tokio::test]
async fn silent_peers_are_closed() {
    let server = server(ServerLimits { header_timeout: SHORT, ..limits() }, hello()).await;
    for opening in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", b"GET / HT", b"PRIX"] {
        let mut client = server.client().await;
        let began = Instant::now();
        client.send(opening).await;
        client.read_to_end().await;
        assert!(began.elapsed() >= SHORT / 2, "{opening:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_connection_without_requests_is_closed() {
    let server = server(ServerLimits { idle_timeout: SHORT, ..limits() }, hello()).await;
    let mut client = server.client().await;
    client.get_hello().await;
    client.get_hello().await;
    let began = Instant::now();
    assert!(client.read_to_end().await.is_empty());
    assert!(began.elapsed() >= SHORT / 2);
    server.stop().await;
}

/// Clients keep connections; one that we close while its next request is on its way gets no answer.
#[tokio::test]
async fn a_connection_rests_longer_than_a_header_may_take() {
    let router = hello().route("/", post(async |body: String| body));
    let server = server(ServerLimits { header_timeout: SHORT / 4, ..limits() }, router).await;
    let mut client = server.client().await;
    // A body in pieces is not the beginning of a header.
    client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n").await;
    for piece in [&b"he"[..], b"ll", b"o"] {
        assert!(timeout(SHORT / 2, client.0.read_u8()).await.is_err(), "it was cut");
        client.send(piece).await;
    }
    client.read_until("hello").await;
    for _ in 0..2 {
        assert!(timeout(SHORT, client.0.read_u8()).await.is_err(), "it was cut");
        client.get_hello().await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_connection_at_rest_makes_room() {
    let limits = ServerLimits { header_timeout: SHORT, max_connections: 2, ..limits() };
    let server = server(limits, hello()).await;
    let (mut one, mut two) = (server.client().await, server.client().await);
    one.get_hello().await;
    two.get_hello().await;
    // The time that it waits is that of a header, not that of a rest.
    server.client().await.get_hello().await;
    server.stop().await;
}

/// HTTP/2 has no limit between requests by itself.
#[tokio::test]
async fn an_http_2_connection_without_requests_is_closed() {
    let server = server(ServerLimits { idle_timeout: SHORT, ..limits() }, hello()).await;
    let mut client = server.client().await;
    // The preface and an empty SETTINGS frame, then nothing; the farewell's ping stays unanswered.
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    let said = client.read_to_end().await;
    assert_eq!(said[3], 4, "it spoke HTTP/2: {said:?}");
    server.stop().await;
}

/// A peer that takes nothing of an endless answer is given up, and the answer is no longer made.
#[tokio::test]
async fn a_peer_that_does_not_read_is_closed() {
    struct Told(Option<oneshot::Sender<()>>);
    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.take().unwrap().send(());
        }
    }
    let (dropped, was_dropped) = oneshot::channel();
    let told = Arc::new(Mutex::new(Some(Told(Some(dropped)))));
    let endless = get(async move || {
        let told = told.lock().unwrap().take();
        Body::from_stream(stream::repeat(Bytes::from_static(&[b'x'; 16_000])).map(move |chunk| {
            let _held = &told;
            Ok::<_, io::Error>(chunk)
        }))
    });
    let server =
        server(ServerLimits { write_timeout: SHORT, ..limits() }, Router::new().route("/", endless)).await;
    let mut client = server.client().await;
    client.send(REQUEST).await;
    timeout(PATIENCE, was_dropped).await.expect("it is given up").unwrap();
    server.stop().await;
}

/// An answer that is still being written is not idle, however slowly it comes.
#[tokio::test]
async fn a_slow_stream_is_not_idle() {
    let (release, gate) = oneshot::channel::<()>();
    let gate = Arc::new(Mutex::new(Some(gate)));
    let slow = get(async move || {
        let gate = gate.lock().unwrap().take().unwrap();
        let last = stream::once(async move {
            gate.await.unwrap();
            Ok::<_, io::Error>(Bytes::from_static(b"last"))
        });
        Body::from_stream(stream::once(async { Ok(Bytes::from_static(b"first")) }).chain(last))
    });
    let server =
        server(ServerLimits { idle_timeout: SHORT / 4, ..limits() }, Router::new().route("/", slow)).await;
    let mut client = server.client().await;
    client.send(REQUEST).await;
    client.read_until("first\r\n").await;
    let early = timeout(SHORT, client.0.read_u8()).await;
    assert!(early.is_err(), "it was cut: {early:?}");
    release.send(()).unwrap();
    client.read_until("last\r\n").await;
    server.stop().await;
}
