//! Tag `accounts`: the accounts of others, for administrators.

mod bodies;
mod operations;
mod sessions;

pub(super) use operations::router;
