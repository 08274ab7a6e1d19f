//! Tag `sdk`: sessions that a tenant's own server opens for its users, with an API key.

mod bodies;
mod operations;

pub(super) use operations::router;
