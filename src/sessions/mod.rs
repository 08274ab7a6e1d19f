//! Sessions: one sign-in on one device, from login to logout.
//!
//! ```text
//!          rotate (each refresh: version + 1)
//!            ┌──┐
//! open ──→ live ─┴─→ ended: revoked · reuse proven · user's epoch moved on · unused too long · too old
//! ```
//! SQL is the truth. What makes it fast is a hot copy in [`Kv`](crate::kv::Kv) and two maps in memory; what
//! makes that safe is that neither can make a dead session live for longer than one poll:
//!
//! | where | says | reaches other nodes by |
//! |---|---|---|
//! | `sessions`, `users.token_epoch` | the truth | – |
//! | [`revocations`](crate::revocations) | news of the last minutes | a poll every few seconds |
//! | [`Bus`](crate::bus::Bus) | "look again" | at once; may be lost or forged, so it only sends us to SQL |
//! | hot copy | a session that was live, tagged | shared, if `Kv` is |
//!
//! - INVARIANT: a refresh token that was used twice, outside the retry window, ends its session; one that
//!   we cannot prove to have issued changes nothing (identity.md §2.4, threat T13).
//! - INVARIANT: a session whose epoch is not its user's is dead, whatever else is written anywhere. The
//!   epoch is compared in the statement that opens, and in the one that rotates.
//! - A use moves the idle end, batched; see `usage`. No copy says a later end than SQL does.
//! - A session that a tenant's own server opened with an API key ends with the key, and its tokens are good for the
//!   pages of one origin at most.
//! - While `Kv` is away, sessions are read from SQL. While SQL is away nothing is live and nothing is
//!   revoked: the answer is [`SessionError::Storage`].
//!
//! Statements here read `users.token_epoch`, `users.status`, `tenants.status` and the end of `api_keys`: the
//! comparison must be part of the statement that writes. They write none of these tables.

mod devices;
mod epoch;
mod error;
mod evict;
mod fingerprint;
mod follow;
mod hot;
mod model;
mod refresh;
mod retention;
mod revoke;
mod rotate;
mod service;
mod store;
mod usage;
mod uses;

pub use devices::{Device, DeviceChange, DeviceName, PublicKey, PublicKeyError};
pub use epoch::View;
pub use error::SessionError;
pub use hot::{KeySalt, SaltError, session_key};
pub use model::{
    ClientInfo, Ended, Grant, LiveSession, NewSession, OpenedBy, PastSession, Session, SessionSettings,
};
pub use service::{SessionParts, SessionService};
