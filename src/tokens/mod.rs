//! Access tokens (RFC 9068), context tokens, and the keys that sign them.
//!
//! ```text
//! pending ──→ active ──→ retiring ──→ retired        only `active` signs; the first three verify
//! ```
//! - Ed25519 (RFC 8037), or ECDSA on P-256 where verifiers know nothing newer. The verifier knows no symmetric
//!   algorithm, so a public key is never a secret, and takes the algorithm from the key.
//! - Private parts are stored sealed under the master key, each bound to its row, and forgotten at the end.
//! - Keys are parsed once and held in memory. Every node looks for changes every few seconds, and at once when
//!   the bus tells; a token with an unknown `kid` makes it look at most once in 30 seconds.
//! - A key is published for twice the time that verifiers may keep the key set before it signs, and verifies
//!   for as long as a token that it signed can live: a rotation fails nobody (threat T47). Revoking a key is
//!   for emergencies: it fails everybody who holds a token of it, at once.
//! - A change of state is one serializable transaction that looks before it acts, so of many nodes one acts.
//! - A verifier is typed by the kind of token it takes: another kind fails on `typ`, then on its claims.
//!
//! INVARIANT: verification is one function ([`crate::jws::verify`], shared with `enforce`), in the order of
//! identity.md §2.3, and total: any text is accepted or refused, none panics.
//!
//! A verified token is *authentic*, not yet *live*: whether its session still stands is `sessions`' to say.

mod contexts;
mod error;
mod follow;
mod issue;
mod keys;
mod lifecycle;
mod model;
mod schedule;
mod service;
mod services;
mod store;
mod verify;

pub use crate::jws::{Algorithm, Audience};
pub use contexts::{ContextSubject, ContextToken, Onward};
pub use error::TokenError;
pub use keys::JwkSet;
pub use model::{
    AccessClaims, AccessSubject, AccessToken, CLIENT, JWKS_MAX_AGE, KeyState, KeyStateError, SigningKey,
    TokenSettings,
};
pub use service::{TokenParts, TokenService};
pub use services::{Act, Exchange, MAX_ACTORS, Presented, ServiceClaims, ServiceSubject, ServiceToken};
