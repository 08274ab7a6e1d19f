//! Tag `profiles`: what people say of themselves.

mod bodies;
mod operations;

pub(super) use operations::router;
