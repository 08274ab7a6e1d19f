//! Tag `auth`: sign-up, sign-in, refresh, sign-out, the caller's password, recovery and the second factor.

mod bodies;
mod operations;
mod recovery;
mod second_factor;

pub(super) use bodies::{Accepted, TokenResponse, Tokens, tokens_sample};
pub(super) use operations::{password_at, router, trade};
pub(super) use recovery::EmailRequest;
