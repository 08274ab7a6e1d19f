//! The audit log: who did what to what, written in the transaction that does it.
//!
//! A leaf: of other domains it knows [`events`](crate::events), for whoever records an action that is an event has
//! told it by that. A caller names the action with a fixed word (`role_granted`,
//! `refresh_reused`) and puts what else matters into `detail`.
//!
//! INVARIANT: a change and its record commit together or not at all, so the log has neither gaps nor
//! ghosts. It never holds a secret: no password, no token, no digest of one.

mod error;
mod model;
mod store;

pub use error::AuditError;
pub use model::{Actor, Entry, Record};
pub use store::{about, has_request, list, record};
