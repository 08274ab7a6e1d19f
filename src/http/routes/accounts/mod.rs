//! Tag `accounts`: the accounts of others, for administrators.

mod bodies;
mod operations;
mod sessions;
mod transfer;

pub(super) use operations::router;
