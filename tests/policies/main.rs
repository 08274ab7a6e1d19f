//! The engine: the shipped stores, equality with Cedar, and what the compiler finds.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking; the exemption of clippy.toml does not reach helper functions"
)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "`json!` written in place reads better than a reference to it"
)]

#[path = "../support/mod.rs"]
mod support;

mod candidates;
mod corpus;
mod differential;
mod explain;
mod findings;
mod hostile_policies;
mod hostile_requests;
mod matrix;
mod requests;
mod shipped;
mod slices;
