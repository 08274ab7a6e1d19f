//! Tag `client`: the caller's own tenant.

mod bodies;
mod operations;

pub(super) use bodies::{TenantBody, tenant_sample};
pub(super) use operations::router;
