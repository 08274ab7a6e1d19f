//! Identity as entities (authorize.md §3): users, API keys, their roles with the hierarchy, and their tenant.
//!
//! ```text
//!  texts of the question ─ named ─► ids of users ─ entities of this version? ─► slice
//!                                                      │ no
//!                                     facts in memory? ┴ no ─► SQL
//! ```
//! - Two bounds on how old a fact may be: seconds by the clock, and the stamps of
//!   [`IdentityNews`](crate::bus::IdentityNews), which move with the commit of a change on this node and
//!   with its message on the others. So a role that is granted or revoked counts from the next decision on.
//! - A key has a role while its owner has it, so what it may do is known from both.
//! - Users and keys of other tenants are not seen. An id that is none of ours has no attributes and no parents.
//! - While SQL is away, what is in memory answers until its seconds are over; then nobody knows, which is
//!   an error and never an allow.

mod cache;
mod facts;
mod named;
mod records;

pub use cache::IdentityCache;
pub(super) use cache::{IdentityEntities, Made};
pub(super) use named::Named;
