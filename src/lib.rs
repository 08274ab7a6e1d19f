//! Bailiwick: a policy-engine-centric authorization server.

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
