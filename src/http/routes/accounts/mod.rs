//! Tag `accounts`: the accounts of others, for administrators.

mod bodies;
mod operations;

pub(super) use operations::router;
