//! Tag `policy-stores`: versions of policies, and which one is active (policy-lifecycle.md §2).

mod bodies;
mod operations;

pub(super) use operations::router;
