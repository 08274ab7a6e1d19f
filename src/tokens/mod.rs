//! Access tokens (RFC 9068) and the keys that sign them.
//!
//! ```text
//! pending ──→ active ──→ retiring ──→ retired        only `active` signs; the first three verify
//! ```
//! - Ed25519 only (RFC 8037). The verifier knows no symmetric algorithm, so a public key is never a secret.
//! - Private parts are stored sealed under the master key, each bound to its row.
//! - Keys are parsed once and held in memory. A token with an unknown `kid` makes a node look for new keys
//!   at most once in 30 seconds.
//! - A verifier is typed by the kind of token it takes: another kind fails on `typ`, then on its claims.
//!
//! INVARIANT: verification is one function ([`crate::jws::verify`], shared with `enforce`), in the order of
//! identity.md §2.3, and total: any text is accepted or refused, none panics.
//!
//! A verified token is *authentic*, not yet *live*: whether its session still stands is `sessions`' to say.

mod error;
mod issue;
mod keys;
mod model;
mod service;
mod store;
mod verify;

pub use crate::jws::Audience;
pub use error::TokenError;
pub use keys::JwkSet;
pub use model::{AccessClaims, AccessSubject, AccessToken, CLIENT, TokenSettings};
pub use service::TokenService;
