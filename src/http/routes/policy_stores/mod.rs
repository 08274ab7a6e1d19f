//! Tag `policy-stores`: versions of policies, and which one is active (policy-lifecycle.md §2).

mod operations;
mod status;
mod versions;

pub(super) use operations::router;
