//! ★ The policy engine: versioned stores of Cedar policies, compiled to snapshots that decide.
//!
//! ```text
//! files ─ Bundle ─ compile ─► Snapshot ─┐
//!                                       ├─ decide ─► Verdict ─ explain ─► Explanation
//! request ─ Snapshot::query ─► Query ───┤
//! entities ─ EntitySlice::build ────────┘
//! ```
//!
//! Everything in this picture is pure: no I/O, no clock, no look-up; the same input gives the same
//! verdict. Default is deny, a forbid beats any permit, and a forbid that errs denies.

mod bundle;
mod compile;
mod engine;
mod entities;
mod index;
mod manifest;
mod model;
mod query;
mod snapshot;
pub mod testing;

pub use bundle::{Bundle, BundleError};
pub use cedar_policy::EntityUid;
pub use compile::{Compiled, compile};
pub use engine::{decide, evaluate};
pub use entities::{EntityRecord, EntitySlice, MAX_INLINE_ENTITIES, MAX_INLINE_PARENTS};
pub use manifest::Manifest;
pub use model::{
    Determining, Effect, Finding, Findings, IdentityTypes, NameError, PolicyError, PolicyId, Severity,
    StoreName, Verdict, VersionNumber,
};
pub use query::{
    Query, QueryProblem, QueryProblemKind, RequestParts, SERVER_CONTEXT, ServerContext, entity_uid,
};
pub use snapshot::{Link, PolicyRecord, Snapshot};
