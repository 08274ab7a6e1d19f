//! A query: who wants to do what with which thing, under which circumstances. Checked against the schema.
//!
//! What a caller sends is checked strictly: an unknown action or type, a pair that the action does
//! not apply to, or a context that does not fit is a [`QueryProblem`] that points at the place. An
//! unknown *id* is none: such an entity has no attributes and no parents.
//!
//! The attribute `bailiwick` of the context is the server's: [`ServerContext`] is put there, as far
//! as the schema declares it, and a caller who sends it is refused. JSON is taken as text, which may be
//! nested to any depth; what follows it, `serde_json`, stops at 127 levels.

mod context;
mod fast;
mod model;
mod problem;
mod read;
mod server;

pub use model::{Query, RequestParts};
pub use problem::{QueryProblem, QueryProblemKind};
pub(super) use problem::{chain, escape, parse};
pub use read::entity_uid;
pub use server::{SERVER_CONTEXT, ServerContext};
pub(super) use server::{ServerShape, server_attributes};
