//! One suite, every backend: the database layer, each domain's store, kv and bus.

#[path = "../support/mod.rs"]
mod support;

mod audit;
mod storage;
