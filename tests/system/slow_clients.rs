//! Threat T34: peers that are slow, silent or too much, against the real listener.

use std::{
    io::Read,
    time::{Duration, Instant},
};

use crate::{
    client::{connect, head, read_to_end, read_until, write},
    server::Installation,
    turn::Turn,
    wait,
};

/// Over any time that a peer is given here, on a busy machine.
const LIMIT: Duration = Duration::from_secs(15);

#[test]
fn t34_a_header_that_comes_byte_by_byte_is_not_waited_for() {
    let _turn = Turn::shared();
    let server = Installation::new(&[("server.header_timeout_secs", "1")]).start();
    let request = "GET /.well-known/jwks.json HTTP/1.1\r\n";
    for (asked_before, opening) in [(false, request), (false, "PRI * HTTP/2.0"), (false, ""), (true, request)]
    {
        let mut stream = connect(server.public.address());
        if asked_before {
            assert!(write(&mut stream, &format!("{request}host: localhost\r\n\r\n")));
            read_until(&mut stream, "]}");
        }
        stream.set_nonblocking(true).unwrap();
        let mut drops = opening.chars().chain("x-slow: ".chars()).chain(std::iter::repeat('a'));
        let began = Instant::now();
        let mut sent_at: Option<Instant> = None;
        let mut answer = Vec::new();
        wait::until_true("the connection closes", LIMIT, || {
            if sent_at.is_none_or(|at| at.elapsed() >= Duration::from_millis(100)) {
                let next: String = drops.by_ref().take(1).collect();
                sent_at = Some(Instant::now());
                if !opening.is_empty() && !write(&mut stream, &next) {
                    return true;
                }
            }
            let mut part = [0; 1024];
            match stream.read(&mut part) {
                Ok(0) => true,
                Ok(count) => {
                    answer.extend_from_slice(&part[..count]);
                    false
                }
                Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
            }
        });
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains(" 200 "), "{answer}");
        assert!(began.elapsed() >= Duration::from_millis(900), "closed before its time was over");
    }
    server.public.get("/.well-known/jwks.json").expect(200);
}

/// A gateway keeps its connections for longer than a header may take.
#[test]
fn t34_a_connection_that_was_asked_before_may_rest() {
    let _turn = Turn::shared();
    let server = Installation::new(&[("server.header_timeout_secs", "1")]).start();
    let request = "GET /.well-known/jwks.json HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut stream = connect(server.public.address());
    assert!(write(&mut stream, request));
    read_until(&mut stream, "]}");
    // Closed for certain is one that never asked.
    read_to_end(&mut connect(server.public.address()));
    assert!(write(&mut stream, request));
    assert!(read_until(&mut stream, "]}").starts_with("HTTP/1.1 200 "));
}

#[test]
fn t34_a_body_that_never_ends_is_a_problem() {
    let _turn = Turn::shared();
    let server = Installation::new(&[("server.body_timeout_secs", "1")]).start();
    for headers in ["content-length: 100\r\n", "transfer-encoding: chunked\r\n"] {
        let mut stream = connect(server.public.address());
        let part = if headers.contains("chunked") { "5\r\n{\"ide\r\n" } else { "{\"ide" };
        assert!(write(&mut stream, &(head("/v1/auth/login", headers) + part)));
        let answer = read_to_end(&mut stream);
        assert!(answer.starts_with("HTTP/1.1 408 "), "{headers}{answer}");
        assert!(answer.contains("\"code\":\"request_timeout\""), "{answer}");
    }
}

#[test]
fn t34_a_body_over_the_limit_is_a_problem() {
    let _turn = Turn::shared();
    let server = Installation::new(&[]).start();
    let limit = 64 * 1024;
    for size in [limit + 1, 2 * 1024 * 1024] {
        let announced = head("/v1/auth/login", &format!("content-length: {size}\r\nconnection: close\r\n"));
        let chunked = head("/v1/auth/login", "transfer-encoding: chunked\r\nconnection: close\r\n");
        let filler = " ".repeat(size);
        let requests = [announced + &filler, format!("{chunked}{size:x}\r\n{filler}\r\n0\r\n\r\n")];
        for request in requests {
            let mut stream = connect(server.public.address());
            let mut writer = stream.try_clone().unwrap();
            // The server may answer and close before it has taken it all.
            let sender = std::thread::spawn(move || write(&mut writer, &request));
            let answer = read_to_end(&mut stream);
            sender.join().unwrap();
            assert!(answer.starts_with("HTTP/1.1 413 "), "{size}: `{answer}`");
            assert!(answer.contains("\"code\":\"payload_too_large\""), "{answer}");
        }
    }
    // Just under the limit the body is read, and found not to be JSON.
    let mut stream = connect(server.public.address());
    let whole = head("/v1/auth/login", &format!("content-length: {limit}\r\nconnection: close\r\n"));
    assert!(write(&mut stream, &(whole + &" ".repeat(limit))));
    let answer = read_to_end(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[test]
fn t34_headers_without_end_are_refused() {
    let _turn = Turn::shared();
    let server = Installation::new(&[]).start();
    let many = "x-a: b\r\n".repeat(500);
    let long = format!("x-a: {}\r\n", "b".repeat(200_000));
    for headers in [many, long] {
        let mut stream = connect(server.public.address());
        let mut writer = stream.try_clone().unwrap();
        let request = head("/v1/auth/login", &headers);
        let sender = std::thread::spawn(move || write(&mut writer, &request));
        let answer = read_to_end(&mut stream);
        sender.join().unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    server.public.get("/.well-known/jwks.json").expect(200);
}

#[test]
fn t34_five_hundred_idle_connections_do_not_keep_others_out() {
    let _turn = Turn::shared();
    let server = Installation::new(&[("server.header_timeout_secs", "60")]).start();
    let idle: Vec<_> = (0..500).map(|_| connect(server.public.address())).collect();
    let alice = server.public.user("alice");
    assert_eq!(server.public.may_view_handbook(&alice.token).expect(200)["decision"], "allow");
    server.admin.get("/readyz").expect(200);
    drop(idle);
    server.stop();
}
