//! Tag `roles`: roles of the tenant, and who has them.

mod bodies;
mod operations;

pub(super) use operations::router;
