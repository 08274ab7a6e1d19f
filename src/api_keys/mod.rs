//! API keys: how programs say who they are.
//!
//! ```text
//!  bwk_<env>_<id22><secret43><crc6>
//!    │
//!    ├─ form and checksum ─ wrong ─────────────────────────────────────► invalid
//!    ├─ id known a moment ago? ─ no ─ failures of this address left? ──► too many attempts
//!    │      │ yes                          └ yes: SQL
//!    ├─ SHA-256 of the secret, in constant time ───────────────────────► invalid
//!    ├─ revoked · run out · owner or tenant kept out ──────────────────► revoked, expired
//!    ├─ address not on the key's list ─────────────────────────────────► not allowed from there
//!    └─ too fast for the key ──────────────────────────────────────────► come back
//! ```
//! A key belongs to a user, or to the tenant itself. Three things limit it, and each only narrows:
//! - its *roles*: chosen among its creator's; what counts is what its owner still has at the time;
//! - its *scopes* ([`Scopes`]): names of actions or of groups of them, whatever the roles permit;
//! - its lists: addresses, requests a second, an end.
//!
//! - INVARIANT: SQL is the truth. What is held in memory counts for ten seconds, and only while the
//!   [`IdentityNews`](crate::bus::IdentityNews) of the key, its owner and its tenant have not moved: a revocation
//!   bites on this node with its commit, on others by the bus, and by the end of those seconds if that is lost
//!   (threat T29).
//! - INVARIANT: the limit of failures stands before the look-up and counts look-ups that are under way
//!   (threat T20). It and the rate of a key are counted in each node by itself and never wait for anything.
//! - A secret has 256 random bits, so a plain SHA-256 of it may be stored (R92). It is shown once.
//!
//! Statements here read `users.status` and `tenants.status`: whether a key counts is one question.

mod error;
mod key;
mod limit;
mod model;
mod scopes;
mod service;
mod store;
mod usage;
mod verify;

pub use error::ApiKeyError;
pub use key::PresentedKey;
pub use limit::Metered;
pub use model::{
    ApiKey, Change, CreatedKey, KeyCaller, KeyChange, KeyLimits, KeyName, NewApiKey, Rate, Slot,
};
pub use scopes::{SCOPE_GROUPS, Scopes, UnknownScope};
pub use service::{ApiKeyParts, ApiKeyService};
pub use verify::KeyUse;
