//! Tag `oauth-clients`: programs that get tokens of their own.

mod bodies;
mod operations;

pub(super) use operations::router;
