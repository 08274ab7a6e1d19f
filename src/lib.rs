//! Bailiwick: a policy-engine-centric authorization server.

pub mod base;
pub mod bus;
pub mod config;
pub mod http;
pub mod kv;
pub mod policy;
pub mod storage;
pub mod telemetry;
pub mod worker;
