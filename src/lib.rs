//! Bailiwick: a policy-engine-centric authorization server.

pub mod base;
pub mod cli;
pub mod config;
pub mod policy;
pub mod storage;
