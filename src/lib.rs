//! Bailiwick: a policy-engine-centric authorization server.
//!
//! Feature `server` (default) is the server. Feature `enforce` is the library by which another service lets in
//! only who the server let in; it builds alone. They share [`jws`], and nothing else.
//!
//! ```text
//!  main ──► cli ──► app ─┬─► http ──► authn ──► sessions ──► tokens
//!                        │     │        └─────► users, roles
//!                        │     └────► authorize (PDP) ──► policy ★ ──► Cedar
//!                        └─► worker: loops that follow other nodes, the folder watch, listeners
//!
//!  under all of them: storage (SQLite | Postgres), kv (memory | Redis), bus (in-process | Redis | Postgres)
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`policy`] | versioned stores of Cedar policies, compiled to snapshots that decide; the heart |
//! | [`authorize`] | the policy decision point: a question in, a decision out |
//! | [`authn`] | sign-up, sign-in, who is calling |
//! | [`tenants`] | who shares the installation, and from where each may be reached |
//! | [`api_keys`] | how programs say who they are |
//! | [`sessions`], [`tokens`] | refresh and revocation; access tokens and their keys |
//! | [`entities`] | what applications push: documents, folders, teams; a hot copy on every node |
//! | [`users`], [`roles`] | who there is and what they were granted |
//! | [`profiles`] | what people say of themselves, sealed |
//! | [`mail`] | what users are written, queued with what it is about |
//! | [`audit`], [`events`] | who did what, and what others do because of it; written in the transaction that does it |
//! | [`revocations`] | what ended before its time, told to nodes and services in one order |
//! | [`idempotency`] | what was asked for once is done once |
//! | [`http`] | the API: translation only |
//! | [`storage`], [`kv`], [`bus`] | devices; they know no table, no key and no meaning |
//! | [`base`], [`config`], [`telemetry`] | ids, time, secrets; settings; logs |
//! | [`enforce`], [`jws`] | the library for other services; reading signed tokens, for both |
//! | [`app`], [`worker`], [`cli`] | composition, background loops, the command line |
//!
//! Three rules hold the shape, and `tests/repo` checks them: no domain imports `http`; a table is named
//! only in its owner's `store.rs`; the engine imports no I/O.
#![cfg_attr(
    not(feature = "server"),
    expect(rustdoc::broken_intra_doc_links, reason = "most modules that the table names are the server's")
)]

#[cfg(feature = "server")]
pub mod api_keys;
#[cfg(feature = "server")]
pub mod app;
#[cfg(feature = "server")]
pub mod audit;
#[cfg(feature = "server")]
pub mod authn;
#[cfg(feature = "server")]
pub mod authorize;
#[cfg(feature = "server")]
pub mod base;
#[cfg(feature = "server")]
pub mod bus;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod clients;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "enforce")]
pub mod enforce;
#[cfg(feature = "server")]
pub mod entities;
#[cfg(feature = "server")]
pub mod events;
#[cfg(feature = "server")]
pub mod http;
#[cfg(feature = "server")]
pub mod idempotency;
#[cfg(any(feature = "enforce", feature = "server"))]
pub mod jws;
#[cfg(feature = "server")]
pub mod kv;
#[cfg(feature = "server")]
pub mod mail;
#[cfg(feature = "server")]
pub mod oauth;
#[cfg(feature = "server")]
pub mod policy;
#[cfg(feature = "server")]
pub mod profiles;
#[cfg(feature = "server")]
pub mod revocations;
#[cfg(feature = "server")]
pub mod roles;
#[cfg(feature = "server")]
pub mod sessions;
#[cfg(feature = "server")]
pub mod storage;
#[cfg(feature = "server")]
pub mod telemetry;
#[cfg(feature = "server")]
pub mod tenants;
#[cfg(feature = "server")]
pub mod tokens;
#[cfg(feature = "server")]
pub mod users;
#[cfg(feature = "server")]
pub mod worker;
