//! Tag `auth`: sign-up, sign-in, refresh, sign-out and the caller's password.

mod bodies;
mod operations;

pub(super) use operations::{password_at, router};
