//! The end of a server.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use axum::{Router, routing::get};
use bailiwick::http::ServerLimits;
use tokio::{
    net::TcpStream,
    sync::{Notify, oneshot},
    time::timeout,
};

use super::{PATIENCE, REQUEST, SHORT, hello, limits, server};

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
