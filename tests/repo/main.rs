//! Rules of the repository that the compiler does not know. No database, no server: text and data.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking; the exemption of clippy.toml does not reach helper functions"
)]

#[path = "../support/source.rs"]
mod source;

mod documents;
mod events;
mod imports;
mod pure;
mod requirements;
mod shape;
mod tables;
