//! Tag `api-keys`: keys by which programs call this API.

mod bodies;
mod operations;

pub(super) use bodies::ApiKeyBody;
pub(super) use operations::router;
