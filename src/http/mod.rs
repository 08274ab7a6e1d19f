//! The HTTP API: translation only. No SQL, no rules of the business.
//!
//! A handler builds a command, calls a service and builds a response. Permission is a type in its
//! signature ([`extract::Permit`]), errors become problem documents in one place (`errors`), and the
//! OpenAPI document is made of the same declarations as the routes ([`openapi`]). [`serve`] holds the
//! connections: time limits, a cap, and a drain at shutdown.

pub mod actions;
mod activity;
mod arrival;
pub mod codes;
mod cookies;
mod errors;
pub mod extract;
mod middleware;
mod oauth_error;
pub mod openapi;
mod problem;
mod rate_limit;
mod routes;
mod serve;
mod state;
mod timed;
mod timers;
mod unread;

pub use arrival::Arrival;
pub use problem::{FieldError, Problem, ProblemBody};
pub use routes::{ALIASES, POST_REFRESH, Routers, routers};
pub use serve::{ServerLimits, serve};
pub use state::AppState;
