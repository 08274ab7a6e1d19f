//! A second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for the day it is lost.
//!
//! ```text
//!  enrol ─► secret, shown once ─► confirm with a code ─► on; ten recovery codes, shown once
//!
//!  right password ─► on? ─ no ──► session
//!                     └ yes ─► mfa_token ─► code, or recovery code ─► session
//!                              5 min, 5 tries
//! ```
//! - A code works once: the step that it is of must be later than the last one used, which is compared and set in
//!   one statement (threat T43). A code of the step before and after is taken, of no other.
//! - The mfa token names no session and opens nothing but this step; of it and of recovery codes the database has
//!   digests, of the secret a sealed value.
//! - Wrong codes are counted in SQL as wrong passwords are, and limited to 20 an hour for each user.
//! - Turning it on and off, and new recovery codes, need a sign-in of the last five minutes.

mod operations;
mod store;
mod totp;
mod verify;

pub(super) use operations::place;
pub use operations::{Enrolment, SecondFactor};
pub(super) use store::{Secret, reseal, secrets_after};
pub use verify::{MfaLogin, Proof, StepUp};
