//! The real binary: real processes, real sockets, everything on loopback.
//!
//! No test sleeps for a fixed time; what takes time is asked for again and again until a deadline that
//! a slow machine meets too. Each test has its own data folder, ports, database and Redis prefix.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking and may say what it measured; the exemption of clippy.toml does not reach helper functions"
)]

#[path = "../support/mod.rs"]
mod support;
#[path = "../support/totp.rs"]
mod totp;

mod client;
mod proxy;
mod server;
mod turn;
mod wait;
mod webdriver;

mod crash;
mod docs_page;
mod hash_storm;
mod keys;
mod nodes;
mod oauth;
mod oauth_nodes;
mod outages;
mod revocations;
mod slow_clients;
mod start;
mod stop;
mod streams;
mod swap;
mod tour;
mod users;
