//! Tag `authorize`: decisions of the policy engine.

mod answer;
mod batch;
mod batch_bodies;
mod bodies;
mod items;
mod operations;
mod question;

pub(super) use operations::router;
