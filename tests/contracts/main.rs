//! One suite, every backend: the database layer, each domain's store, kv and bus.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking; the exemption of clippy.toml does not reach helper functions"
)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "`json!` written in place reads better than a reference to it"
)]

#[path = "../support/source.rs"]
mod source;
#[path = "../support/mod.rs"]
mod support;

mod audit;
mod authn;
mod bus;
mod callers;
mod entities;
mod events;
mod identity;
mod keys;
mod kv;
mod personal_data;
mod policy;
mod profiles;
mod roles;
mod schema;
mod serve;
mod session_news;
mod session_retention;
mod session_usage;
mod sessions;
mod storage;
mod texts;
mod tokens;
mod users;
