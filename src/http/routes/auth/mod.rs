//! Tag `auth`: sign-up, sign-in, refresh, sign-out, the caller's password, and recovery.

mod bodies;
mod operations;
mod recovery;

pub(super) use bodies::Accepted;
pub(super) use operations::{password_at, router};
pub(super) use recovery::EmailRequest;
