//! People who sign in: who they are, and the hash of what they sign in with.
//!
//! ```text
//! pending ──→ active ⇄ locked
//!    └───────→ active ⇄ disabled
//! ```
//! Only an `active` user signs in, refreshes, or keeps a session alive.
//!
//! - An address or user name is compared by its norm (`*_norm`), so look-alike spellings meet in one row;
//!   what was typed is kept for display.
//! - `token_epoch` counts the times that everything issued to a user was withdrawn at once. A session or
//!   token of another epoch is dead (identity.md C1). It only grows.
//! - A user whom a tenant's own server names has that server's id and perhaps nothing else; see `external`.
//! - INVARIANT: every statement names the tenant.
//!
//! Password hashing is `authn`'s; here a hash is an opaque text that no type prints.

mod email;
mod error;
mod external;
mod external_store;
mod model;
mod service;
mod store;
mod username;

pub use email::{Email, EmailError};
pub use error::UserError;
pub use external::{ExternalId, ExternalIdError, ExternalUser, Told, ToldOfUser};
pub use model::{Credentials, DisplayName, NameError, NewUser, Phc, User, UserChange, UserStatus};
pub use service::UserService;
pub use username::{Username, UsernameError};
