//! The engine: the shipped stores, equality with Cedar, and what the compiler finds.

#[path = "../support/mod.rs"]
mod support;

mod corpus;
mod differential;
mod findings;
mod requests;
mod shipped;
