//! The decision: a pure function of (snapshot, query, entity slice). No clock, no look-up, no I/O.
//!
//! ```text
//! query, slice ─► index ─► postings by condition ─► each condition once ─► permits, forbids, errors ─► Verdict
//!                 scope     (condition, policy)      tree, else Cedar
//! ```
//!
//! `cedar.rs` is the only file that names `cedar-policy-core`, whose API may change with any release
//! (it is pinned).
//!
//! Why evaluating only what the index names is exact: the constraints of a policy's scope never err
//! and come first in its condition, so a policy whose scope does not match is false and adds nothing
//! to decision, reasons or errors. The one exception is of no use to anyone: with almost no stack
//! left, Cedar's own walk reports the recursion limit for policies that the index never visits. The
//! tests compare with Cedar's own authorizer, and [`evaluate_all`] is the same walk for a server that
//! wants to check itself.
//!
//! Where this differs from Cedar: an error in a forbid denies ([`decide`]), while Cedar skips the
//! policy and may allow. [`evaluate`] answers as Cedar does.

mod bare;
pub(super) mod cedar;
mod condition;
mod decide;
mod offset;
pub(super) mod packed;
mod program;
mod reflect;
mod values;

pub use decide::{decide, decide_all, evaluate, evaluate_all};
pub(super) use offset::{policy_offset, template_offset};
pub(super) use program::Program;
pub(super) use reflect::{AttributeShape, ValueShape, context_shape, declares};
pub(super) use values::{
    EntityShape, Record, RecordShape, Reference, References, Shape, Tags, Text, extension,
};
