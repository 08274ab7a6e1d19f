//! ★ The policy engine: versioned stores of Cedar policies, compiled to snapshots that decide.
//!
//! ```text
//! files ─ Bundle ─ compile ─► Snapshot ─┐
//!                                       ├─ decide ─► Verdict ─ explain ─► Explanation
//! request ─ Snapshot::query ─► Query ───┤
//! entities ─ EntitySlice::new ──────────┘
//! ```
//!
//! Everything in this picture is pure: no I/O, no clock, no look-up; the same input gives the same
//! verdict. Default is deny, a forbid beats any permit, and a forbid that errs denies.
//!
//! # From an edited file to a live decision (policy-lifecycle.md §2)
//! ```text
//!  folder ─watch─┐                      ┌────────── roll back ───────────┐
//!  API, CLI ─────┴▶ publish ─▶ tested ──┴─activate─▶ active ──other──▶ retired
//!                     │ check, tests                   │
//!                     └▶ refused: nothing stored       └▶ every node swaps its snapshot
//! ```
//! - A version is its content: immutable, named by its digest, numbered 1, 2, 3, … within its store.
//! - Activate and roll back are one operation that adds a row; the last row of a store is the truth.
//! - Each node answers from a compiled snapshot in memory. It follows the truth by the bus and a poll,
//!   never goes back to an older activation, and keeps the last good snapshot whatever fails.
//! - The lifecycle writes its audit record in the transaction of the change.

mod bundle;
mod compile;
mod engine;
mod entities;
mod explain;
mod index;
mod manifest;
mod model;
mod names;
mod pace;
mod query;
mod snapshot;
mod stack;
pub mod testing;

mod compiler;
mod error;
mod folder;
mod keeper;
mod live;
mod nodes;
mod obligation;
mod rest;
mod service;
mod shipped;
mod status;
mod store;
mod stored;
mod versions;
mod watch;

pub use bundle::{Bundle, BundleError};
pub use cedar_policy::{Entity, EntityUid};
pub use compile::{Compiled, compile};
pub use engine::{decide, decide_all, evaluate, evaluate_all};
pub use entities::{
    Change, CheckedEntity, EntityKey, EntityRecord, EntityRow, EntitySlice, EntityTable, KeptEntity, Layers,
    MAX_INLINE_ENTITIES, MAX_INLINE_PARENTS, Revision, TableBuilder, TableError,
};
pub use explain::{ClauseView, Determined, Explanation, LinkView, NamedValue, NearMiss, PolicyView, explain};
pub use manifest::Manifest;
pub use model::{
    Determining, Effect, Finding, Findings, IdentityTypes, NameError, PolicyError, PolicyId, Severity,
    StoreName, Verdict, VersionNumber,
};
pub use query::{
    Query, QueryProblem, QueryProblemKind, RequestParts, SERVER_CONTEXT, ServerContext, entity_uid,
};
pub use snapshot::{Link, PolicyRecord, Snapshot};

pub use error::PolicyServiceError;
pub use folder::{FolderError, read_folder, stores_in};
pub use live::{LivePolicies, LoadedStore};
pub use nodes::{Node, NodeStatus};
pub use obligation::StepUp;
pub use service::PolicyService;
pub use shipped::{shipped, shipped_stores};
pub use status::{ActiveVersion, Health, Source, StoreStatus, StoreSummary};
pub use versions::{
    ActivatedBy, Activation, GitState, Provenance, Published, VersionDetail, VersionState, VersionSummary,
};
pub use watch::FolderWatch;
