//! What the process says about itself.
//!
//! Log lines go to standard error, as text for people or as one JSON object a line. [`field`] holds the
//! names under which the same thing is always logged, [`metrics`] what is counted. With the feature `otel` spans
//! are exported as traces too.
//!
//! # Invariants
//! - SECURITY: no secret, no token, no password and no database URL is ever a field; the types that hold
//!   them do not print them. People appear as `user_id`, never by address or name.
//! - A failure is logged once, where it is handled.

pub mod field;
pub mod metrics;
#[cfg(feature = "otel")]
mod otel;
mod subscriber;

#[cfg(feature = "otel")]
pub use otel::continue_trace;
pub use subscriber::{Telemetry, TelemetryError, init};
