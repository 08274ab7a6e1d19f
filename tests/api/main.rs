//! The API through its routers, on both backends: one file a tag, and what all tags share.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking; the exemption of clippy.toml does not reach helper functions"
)]

#[path = "../support/mod.rs"]
mod support;
#[path = "../support/totp.rs"]
mod totp;

mod accounts;
mod app;
mod client;
mod compat;
#[cfg(feature = "enforce")]
mod contexts;
mod contract;
mod entities;
mod event_stream;
mod exchange;
mod forge;

mod api_keys;
mod auth;
mod authorize;
mod bad_input;
mod batch;
mod devices;
#[cfg(feature = "enforce")]
mod enforce;
mod gate;
mod guards;
mod health;
mod identity;
mod internal;
mod journeys;
mod keys;
mod logs;
mod mail_tls;
mod mailbox;
mod matrix;
mod metrics;
mod middleware;
mod oauth;
mod oauth_clients;
mod own_data;
mod passwords;
mod policy_stores;
mod profiles;
mod recovery;
mod refresh;
mod revocations;
mod roles;
mod samples;
mod sdk;
#[path = "../security/mod.rs"]
mod security;
mod sessions;
mod setup;
mod sockets;
mod transfer;
mod users;
mod verify;
