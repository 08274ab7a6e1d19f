//! Connections, by raw sockets: what peers may do, and what happens at shutdown.

mod stop;
mod unread;
mod waits;

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use axum::{Extension, Router, routing::get};
use bailiwick::http::{Arrival, ServerLimits, serve};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
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
