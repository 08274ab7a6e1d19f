//! Bailiwick: a policy-engine-centric authorization server.

pub mod audit;
pub mod base;
pub mod bus;
pub mod cli;
pub mod config;
pub mod kv;
pub mod policy;
pub mod roles;
pub mod sessions;
pub mod storage;
pub mod telemetry;
pub mod tokens;
pub mod users;
pub mod worker;
