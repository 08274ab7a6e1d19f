//! Tag `entities`: what applications push into a policy store.

mod bodies;
mod bulk;
mod operations;

pub(super) use operations::router;
