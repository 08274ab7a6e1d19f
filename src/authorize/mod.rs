//! The PDP: answers "may this principal do this action to this resource?" from the active policies.
//!
//! ```text
//!  store ──► Pinned: a snapshot, a revision of the pushed entities (no lock, once a request or batch)
//!              │
//!  Ask ────────┴─► query, read and checked by the schema
//!                                  │
//!  identity (users, roles, tenant) ┴─► entity slice ◄── pushed entities, entities of the request
//!                                           │
//!                                             decide ──► Answer: decision, id, version, policies, errors
//! ```
//!
//! Invariants:
//! - One request sees one version, and its answer names it.
//! - What cannot be decided is an error, never an allow: no active version, an unreachable database.
//! - A share of the decisions is made twice (`policy.verify_index`); where the two differ, the answer is deny.
//! - The same path answers callers ([`AuthorizeService::check`]) and guards our own API
//!   ([`AuthorizeService::guard`], on the `system` store).

mod batch;
mod error;
mod gate;
mod guard;
mod identity;
mod model;
mod service;
mod verify;

pub use error::AuthorizeError;
pub use gate::PolicyGate;
pub use guard::{Guard, GuardMemo};
pub use identity::IdentityCache;
pub use model::{Answer, Ask, Denial, EntityRef, Guarded, Permission, Pinned};
pub use service::AuthorizeService;
pub use verify::{FullWalk, Sampling, WRONG_INDEX};
