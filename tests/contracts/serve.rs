//! Connections, by raw sockets: what peers may do, and what happens at shutdown.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Extension, Router,
    body::{Body, Bytes},
    http::StatusCode,
    routing::{get, post},
};
use bailiwick::http::{Arrival, ServerLimits, serve};
use futures_util::{StreamExt, stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, oneshot},
    task::JoinSet,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::support::setting;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(200);
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// A server on a port of its own.
struct Server {
    addr: SocketAddr,
    shutdown: CancellationToken,
    tracker: TaskTracker,
    run: JoinSet<()>,
}

/// A client without opinions about HTTP.
struct Client(TcpStream);

/// Limits that nothing here reaches by accident.
fn limits() -> ServerLimits {
    ServerLimits {
        header_timeout: PATIENCE * 3,
        write_timeout: PATIENCE * 3,
        idle_timeout: PATIENCE * 3,
        drain_timeout: PATIENCE * 3,
        max_connections: 1_000,
        ..ServerLimits::default()
    }
}

async fn server(limits: ServerLimits, router: Router) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (shutdown, tracker, mut run) = (CancellationToken::new(), TaskTracker::new(), JoinSet::new());
    let (until, on) = (shutdown.clone(), tracker.clone());
    run.spawn(async move { serve(listener, router, &limits, until, &on).await });
    Server { addr, shutdown, tracker, run }
}

fn hello() -> Router {
    Router::new().route("/", get(async || "hello"))
}

impl Server {
    async fn client(&self) -> Client {
        Client(timeout(PATIENCE, TcpStream::connect(self.addr)).await.unwrap().unwrap())
    }

    /// Waits until it has ended, which is soon; nothing it started is left.
    async fn ended(mut self) {
        timeout(PATIENCE, self.run.join_next()).await.expect("it ends in time").unwrap().unwrap();
        self.tracker.close();
        timeout(PATIENCE, self.tracker.wait()).await.expect("no task is left");
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.ended().await;
    }
}

impl Client {
    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Reads until `end` is there.
    async fn read_until(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !text.ends_with(end) {
            let byte = timeout(PATIENCE, self.0.read_u8()).await.expect("an answer").expect("not closed");
            text.push(char::from(byte));
        }
        text
    }

    /// Reads to the end of the connection, which comes in time.
    async fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await.expect("it is closed") {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
        }
        bytes
    }

    async fn get_hello(&mut self) {
        self.send(REQUEST).await;
        let answer = self.read_until("hello").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
}

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

/// One that refuses whatever is posted, and reads none of it.
fn refusing() -> Router {
    hello().route("/", post(async || StatusCode::UNAUTHORIZED))
}

/// A refusal leaves the connection as it was, though the body comes after the header.
#[tokio::test]
async fn a_body_that_nobody_reads_is_taken_in() {
    let server = server(limits(), refusing()).await;
    let mut client = server.client().await;
    for (header, body) in [
        ("Content-Length: 5", "hello"),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
        ("Content-Length: 0", ""),
    ] {
        client.send(format!("POST / HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n").as_bytes()).await;
        if !body.is_empty() {
            let early = timeout(SHORT / 4, client.0.read_u8()).await;
            assert!(early.is_err(), "{header}: it is answered before the body is there");
        }
        client.send(body.as_bytes()).await;
        let answer = client.read_until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 401 ") && !answer.contains("connection: close"), "{answer}");
        client.get_hello().await;
    }
    server.stop().await;
}

/// Where it is too much, or does not come, the client is told that the connection closes.
#[tokio::test]
async fn a_body_that_is_not_taken_in_closes_the_connection() {
    let server = server(limits(), refusing()).await;
    for length in ["10", "10000000"] {
        let mut client = server.client().await;
        client
            .send(format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n").as_bytes())
            .await;
        let answer = String::from_utf8(client.read_to_end().await).unwrap();
        assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("connection: close"), "{answer}");
    }
    let mut client = server.client().await;
    client.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    let endless = async { while client.0.write_all(chunk.as_bytes()).await.is_ok() {} };
    timeout(PATIENCE, endless).await.expect("it is not taken in without end");
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

#[tokio::test]
async fn long_headers_are_431() {
    let server =
        server(ServerLimits { max_header_bytes: 8 * 1024, max_headers: 20, ..limits() }, hello()).await;
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(16 * 1024));
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: a\r\n".repeat(20));
    for request in [long, many] {
        let mut client = server.client().await;
        client.send(request.as_bytes()).await;
        let answer = client.read_until("\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn many_idle_connections_hold_up_nobody() {
    let server = server(limits(), hello()).await;
    let mut idle = Vec::new();
    for n in 0..200 {
        let mut client = server.client().await;
        if n % 2 == 0 {
            client.get_hello().await;
        }
        idle.push(client);
    }
    server.client().await.get_hello().await;
    // And they are no hindrance at shutdown, though the time to drain is long.
    server.stop().await;
    for mut client in idle {
        client.read_to_end().await;
    }
}

#[tokio::test]
async fn above_the_cap_a_connection_waits_for_a_slot() {
    let server = server(ServerLimits { max_connections: 2, ..limits() }, hello()).await;
    let (mut one, mut two) = (server.client().await, server.client().await);
    one.get_hello().await;
    two.get_hello().await;
    let mut three = server.client().await;
    three.send(REQUEST).await;
    let early = timeout(SHORT, three.0.read_u8()).await;
    assert!(early.is_err(), "it was served above the cap: {early:?}");
    drop(one);
    assert!(three.read_until("hello").await.starts_with("HTTP/1.1 200 "));
    server.stop().await;
}

#[tokio::test]
async fn handlers_see_the_peer() {
    let peer = get(async |Extension(arrival): Extension<Arrival>| arrival.peer().unwrap().to_string());
    let server = server(limits(), Router::new().route("/", peer)).await;
    let mut client = server.client().await;
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    let answer = String::from_utf8(client.read_to_end().await).unwrap();
    assert!(answer.ends_with(&client.0.local_addr().unwrap().to_string()), "{answer}");
    server.stop().await;
}

/// A handler that says when it began, and answers when it is told to.
fn held() -> (Router, Arc<Notify>, oneshot::Receiver<()>) {
    let (tell, under_way) = oneshot::channel();
    let (release, tell) = (Arc::new(Notify::new()), Arc::new(Mutex::new(Some(tell))));
    let gate = Arc::clone(&release);
    let handler = get(move || async move {
        let told = tell.lock().unwrap().take().unwrap().send(());
        told.unwrap();
        gate.notified().await;
        "answered"
    });
    (Router::new().route("/", handler), release, under_way)
}

#[tokio::test]
async fn what_is_under_way_at_shutdown_is_answered() {
    let (router, release, under_way) = held();
    let server = server(limits(), router).await;
    let mut client = server.client().await;
    client.send(REQUEST).await;
    under_way.await.unwrap();
    server.shutdown.cancel();
    let closed = async { while TcpStream::connect(server.addr).await.is_ok() {} };
    timeout(PATIENCE, closed).await.expect("nothing more is accepted");
    release.notify_one();
    let answer = String::from_utf8(client.read_to_end().await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("answered"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    server.ended().await;
}

#[tokio::test]
async fn idle_connections_close_at_shutdown() {
    let server = server(limits(), hello()).await;
    let (mut used, mut silent) = (server.client().await, server.client().await);
    used.get_hello().await;
    silent.send(b"P").await;
    server.shutdown.cancel();
    used.read_to_end().await;
    silent.read_to_end().await;
    server.ended().await;
}

#[tokio::test]
async fn what_does_not_end_is_cut_after_the_drain() {
    let (router, _release, under_way) = held();
    let server = server(ServerLimits { drain_timeout: SHORT, ..limits() }, router).await;
    let mut client = server.client().await;
    client.send(REQUEST).await;
    under_way.await.unwrap();
    let began = Instant::now();
    server.shutdown.cancel();
    assert!(client.read_to_end().await.is_empty());
    assert!(began.elapsed() >= SHORT);
    server.ended().await;
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

/// Where the process may open few files, accepting rests, and goes on when files are closed.
#[tokio::test]
async fn too_many_open_files_pass() {
    const TEST: &str = "serve::too_many_open_files_pass";
    const CHILD: &str = "BAILIWICK_TEST_FEW_FILES";
    if setting(CHILD).is_none() {
        let mut child = tokio::process::Command::new("sh");
        child.args(["-c", r#"ulimit -n 64 && exec "$0" "$@""#]).arg(std::env::current_exe().unwrap());
        child.args(["--exact", TEST]).env(CHILD, "1").kill_on_drop(true);
        let done = timeout(PATIENCE * 2, child.output()).await.expect("it ends").unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
        return;
    }
    let mut server = server(limits(), hello()).await;
    let mut open = Vec::new();
    while let Ok(client) = TcpStream::connect(server.addr).await {
        open.push(client);
        assert!(open.len() < 64, "files are few here");
    }
    // No file is left for the server's own ends: it fails to accept, and is not ended by that.
    assert!(timeout(SHORT, server.run.join_next()).await.is_err(), "it has ended");
    drop(open);
    let again = async {
        loop {
            if let Ok(client) = TcpStream::connect(server.addr).await {
                break Client(client).get_hello().await;
            }
        }
    };
    timeout(PATIENCE, again).await.expect("it accepts again");
    server.stop().await;
}
