//! Tag `authorize`: decisions of the policy engine.

mod answer;
mod batch;
mod batch_bodies;
mod bodies;
mod items;
mod operations;
mod question;

pub(super) use bodies::AuthorizeResponse;
pub(super) use operations::router;
pub(super) use question::{principal_of, store_named};
