//! Tag `accounts`: the accounts of others, for administrators.

mod bodies;
mod operations;
mod transfer;

pub(super) use operations::router;
