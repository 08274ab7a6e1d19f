//! The decision: a pure function of (snapshot, query, entity slice). No clock, no look-up, no I/O.
//!
//! `cedar.rs` is the only file that names `cedar-policy-core`, whose API may change with any release
//! (it is pinned).
//!
//! Why evaluating only the candidates of the index is exact: the constraints of a policy's scope
//! never err and come first in its condition, so a policy whose scope does not match is false and
//! adds nothing to decision, reasons or errors. The tests compare with Cedar's own authorizer.
//!
//! Where this differs from Cedar: an error in a forbid denies ([`decide`]), while Cedar skips the
//! policy and may allow. [`evaluate`] answers as Cedar does.

pub(super) mod cedar;
mod decide;
pub(super) mod packed;
mod reflect;

pub(super) use decide::{Program, policy_offset, template_offset};
pub use decide::{decide, evaluate};
pub(super) use reflect::{AttributeShape, ValueShape, context_shape, declares};
