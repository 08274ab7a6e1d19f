//! Bailiwick: a policy-engine-centric authorization server.
//!
//! Feature `server` (default) is the server. Feature `enforce` is the library by which another service lets in
//! only who the server let in; it builds alone. They share [`jws`], and nothing else.

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
pub mod config;
#[cfg(feature = "enforce")]
pub mod enforce;
#[cfg(feature = "server")]
pub mod http;
#[cfg(any(feature = "enforce", feature = "server"))]
pub mod jws;
#[cfg(feature = "server")]
pub mod kv;
#[cfg(feature = "server")]
pub mod policy;
#[cfg(feature = "server")]
pub mod roles;
#[cfg(feature = "server")]
pub mod sessions;
#[cfg(feature = "server")]
pub mod storage;
#[cfg(feature = "server")]
pub mod telemetry;
#[cfg(feature = "server")]
pub mod tokens;
#[cfg(feature = "server")]
pub mod users;
#[cfg(feature = "server")]
pub mod worker;
