//! The end of a server: what is under way is answered, and nobody waits for ever.

use std::{net::TcpStream, time::Duration};

use serde_json::json;

use crate::{
    client::{PASSWORD, connect, head, read_to_end, read_until, write},
    server::{Installation, Server},
    turn::Turn,
    wait,
};

const LIMIT: Duration = Duration::from_secs(20);

/// A sign-in whose body the server is waiting for: the rest of the body, and the connection.
fn half_a_login(server: &Server) -> (TcpStream, String) {
    let body = json!({"identifier": "alice@example.com", "password": PASSWORD}).to_string();
    let (first, rest) = body.split_at(20);
    let mut stream = connect(server.public.address());
    let headers = format!("content-length: {}\r\nexpect: 100-continue\r\n", body.len());
    assert!(write(&mut stream, &head("/v1/auth/login", &headers)));
    // The server asks for the body only when a handler reads it: the request is under way.
    assert!(read_until(&mut stream, "\r\n\r\n").starts_with("HTTP/1.1 100 "));
    assert!(write(&mut stream, first));
    (stream, rest.to_owned())
}

fn wait_until_closed(server: &Server) {
    wait::until_true("the listener closes", LIMIT, || TcpStream::connect(server.public.address()).is_err());
}

#[test]
fn a_request_under_way_is_answered_before_the_end() {
    let _turn = Turn::shared();
    let mut server = Installation::new(&[]).start();
    server.public.user("alice");
    let (mut stream, rest) = half_a_login(&server);
    server.terminate();
    wait_until_closed(&server);
    assert!(write(&mut stream, &rest));
    let answer = read_to_end(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("\"access_token\""), "{answer}");
    let status = server.ended(LIMIT);
    assert_eq!(status.code(), Some(0), "{}", server.log());
}

#[test]
fn a_request_that_never_ends_is_dropped_when_the_time_to_drain_is_over() {
    let _turn = Turn::shared();
    let settings = [
        ("server.drain_timeout_secs", "1"),
        ("server.body_timeout_secs", "3600"),
        ("server.request_timeout_secs", "3600"),
    ];
    let mut server = Installation::new(&settings).start();
    server.public.user("alice");
    let (mut stream, _) = half_a_login(&server);
    server.terminate();
    let answer = read_to_end(&mut stream);
    assert!(!answer.contains("200 OK"), "{answer}");
    let status = server.ended(LIMIT);
    assert_eq!(status.code(), Some(0), "{}", server.log());
}

#[test]
fn an_idle_connection_does_not_hold_the_end_up() {
    let _turn = Turn::shared();
    let settings = [("server.drain_timeout_secs", "3600"), ("server.header_timeout_secs", "3600")];
    let mut server = Installation::new(&settings).start();
    let mut idle = connect(server.public.address());
    assert!(write(&mut idle, "GET /.well-known/jwks.json HTTP/1.1\r\nhost: localhost\r\n\r\n"));
    read_until(&mut idle, "}]}");
    server.terminate();
    let status = server.ended(LIMIT);
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert_eq!(read_to_end(&mut idle), "");
}
