//! Profiles: what people say of themselves, and what applications keep about them (R110 to R115).
//!
//! ```text
//!  merge patch ─ normal form, rules ─► merged ─ sealed by column and user ─► row, revision + 1
//!  row ─ opened, or refused with an alarm ─► claims and metadata
//! ```
//! - **Claims** have the names and forms of OIDC Core §5.1. **Metadata** is an object of the applications',
//!   of bounded size and depth. The name that is shown, the address and whether one may sign in are of `users`.
//! - A user without a row has an empty profile of revision 0, as one who has never said anything: a profile is there
//!   as long as its user.
//! - INVARIANT: nothing of it stands in the database as plain text. A column is sealed for
//!   `profiles:<column>:<user id>`, so what is moved to another row or column does not open; `key_id` names the key.
//! - INVARIANT: a profile that does not open is an error that is counted (`bailiwick_seals_refused_total`): never an
//!   empty profile, and never somebody else's.
//! - Policies decide who reads and changes a profile, and do not see what is in it.

mod claims;
mod consumer;
mod error;
mod metadata;
mod model;
mod sealed;
mod service;
mod store;

pub use error::{ProfileError, Wrong};
pub use metadata::{MAX_METADATA_BYTES, MAX_METADATA_DEPTH};
pub use model::{Profile, Resealed};
pub use service::{ProfileParts, ProfileService};
