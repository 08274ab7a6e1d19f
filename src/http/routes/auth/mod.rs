//! Tag `auth`: sign-up, sign-in, refresh, sign-out, the caller's password, recovery and the second factor.

mod bodies;
mod operations;
mod recovery;
mod second_factor;

pub(super) use bodies::Accepted;
pub(super) use operations::{password_at, router};
pub(super) use recovery::EmailRequest;
