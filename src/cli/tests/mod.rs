//! Tests of the command line that need no process of their own.

use std::{
    ffi::OsString,
    io::{Read, Write},
    net::TcpListener,
    process::ExitCode,
};

use clap::{CommandFactory, Parser};

use super::{args::Cli, health, report, run};
use crate::config::{ConfigError, KeyringError, Problem};

fn status(arguments: &[&str]) -> ExitCode {
    let arguments = ["bailiwick"].iter().chain(arguments).map(OsString::from);
    run(arguments.collect::<Vec<_>>())
}

/// A server that answers one request with `status`.
fn serve_once(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/readyz", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]).unwrap();
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nlocation: /\r\n\r\n").unwrap();
    });
    url
}

#[test]
fn the_grammar_is_sound() {
    Cli::command().debug_assert();
    assert!(Cli::try_parse_from(["bailiwick", "config", "check", "--config", "x"]).is_ok());
    assert!(Cli::try_parse_from(["bailiwick", "--config", "x", "config", "check"]).is_ok());
}

#[test]
fn misuse_is_2_and_failure_is_1() {
    for misuse in [&[][..], &["no-such-command"], &["config"], &["health", "--timeout", "0"]] {
        assert_eq!(status(misuse), ExitCode::from(2), "{misuse:?}");
    }
    assert_eq!(status(&["--version"]), ExitCode::SUCCESS);
    assert_eq!(status(&["config", "check", "--config", "/absent/bailiwick.toml"]), ExitCode::from(1));
}

#[test]
fn health_is_what_the_server_says() {
    for (answer, wanted) in [("200 OK", 0), ("503 Service Unavailable", 1), ("302 Found", 1)] {
        assert_eq!(status(&["health", "--url", &serve_once(answer)]), ExitCode::from(wanted), "{answer}");
    }
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(status(&["health", "--url", &format!("http://{free}/readyz")]), ExitCode::from(1));
    assert_eq!(health::reachable("0.0.0.0:8082".parse().unwrap()).to_string(), "127.0.0.1:8082");
    assert_eq!(health::reachable("[::]:8082".parse().unwrap()).to_string(), "[::1]:8082");
}

#[test]
fn a_failure_is_one_chain_and_a_hint() {
    let cause = KeyringError::Missing { key: "secrets.master_key" };
    let text = report::text(&anyhow::Error::new(cause).context("the server does not start"));
    assert!(
        text.starts_with("error: the server does not start: `secrets.master_key` is not set, ")
            && text.contains("\n\nhint: give every node the same")
            && text.contains("BAILIWICK__SECRETS__MASTER_KEY")
    );
    let problem = Problem { key: "log.filter".to_owned(), origin: None, message: "wrong".to_owned() };
    let text = report::text(&ConfigError(vec![problem]).into());
    assert!(text.starts_with("error: the configuration cannot be used\n  `log.filter`: wrong\n\nhint: "));
    assert_eq!(report::text(&anyhow::anyhow!("a").context("b")), "error: b: a\n");
}
