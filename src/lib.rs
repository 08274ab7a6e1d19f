//! Bailiwick: a policy-engine-centric authorization server.
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
//! | [`sessions`], [`tokens`] | refresh and revocation; access tokens and their keys |
//! | [`users`], [`roles`] | who there is and what they were granted |
//! | [`audit`] | who did what, written in the transaction that does it |
//! | [`http`] | the API: translation only |
//! | [`storage`], [`kv`], [`bus`] | devices; they know no table, no key and no meaning |
//! | [`base`], [`config`], [`telemetry`] | ids, time, secrets; settings; logs |
//! | [`app`], [`worker`], [`cli`] | composition, background loops, the command line |
//!
//! Three rules hold the shape, and `tests/repo` checks them: no domain imports `http`; a table is named
//! only in its owner's `store.rs`; the engine imports no I/O.

pub mod app;
pub mod audit;
pub mod authn;
pub mod authorize;
pub mod base;
pub mod bus;
pub mod cli;
pub mod config;
pub mod http;
pub mod kv;
pub mod policy;
pub mod roles;
pub mod sessions;
pub mod storage;
pub mod telemetry;
pub mod tokens;
pub mod users;
pub mod worker;
