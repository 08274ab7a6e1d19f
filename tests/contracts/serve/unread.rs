//! Bodies that nobody reads.

use axum::{Router, http::StatusCode, routing::post};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{PATIENCE, SHORT, hello, limits, server};

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
