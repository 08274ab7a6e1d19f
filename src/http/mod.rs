//! HTTP: translation only, no SQL and no rules.

mod activity;
mod serve;
mod timed;

pub use serve::{ServerLimits, serve};
