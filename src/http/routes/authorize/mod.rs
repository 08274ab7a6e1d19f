//! Tag `authorize`: decisions of the policy engine.

mod answer;
mod bodies;
mod operations;
mod question;

pub(super) use operations::router;
