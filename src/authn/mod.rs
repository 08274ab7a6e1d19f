//! Signing up, in, on and out: who is calling, and how they proved it.
//!
//! | use case | costs | ends in |
//! |---|---|---|
//! | register | one hash | a user, or the same answer for a known address |
//! | login | one hash, on every path | a session, its first tokens |
//! | refresh | none | the next refresh token, a new access token |
//! | identify | none; a hash look-up when the token was verified a moment ago | [`Caller`] |
//! | change password | two hashes | a new epoch: every session is over |
//! | logout | none | one session over, or all |
//! | second factor | none | the session that a right password alone did not open |
//! | verify an address, reset a password | none; one hash | by a link that works once |
//! | leave | none | an account that is closed, or erased |
//! | open a session for a user of a tenant's own | none | a session for the pages of one origin |
//! | validate, for another service | as identify | a holder, a context token, a socket that may stand |
//! | set up | one hash | the first administrator |
//!
//! - INVARIANT: a failed login is [`AuthnError::InvalidCredentials`] after exactly one hash, whether the
//!   user is unknown, has no password, is locked or typed a wrong one (threat T9). What is the matter with
//!   an account is told only after its right password (identity.md C20).
//! - INVARIANT: no hash is computed inside a transaction.
//! - Hashing runs in a bounded pool of threads; when its queue is full the answer is
//!   [`AuthnError::Overloaded`], at once (threat T10).
//!
//! Besides its tables this imports `users`, `roles`, `tenants`, `sessions`, `tokens`, `api_keys`, `mail` and `audit`.

mod account;
mod administration;
mod anomaly;
mod callers;
mod contexts;
mod erasure;
mod error;
mod export;
mod gate;
mod guessable;
mod identify;
mod import;
mod known_device;
mod links;
mod lockout;
mod login;
mod mfa;
mod model;
mod onboarding;
mod passwords;
mod post;
mod recent;
mod recovery;
mod rewrap;
mod rules;
mod sdk;
mod service;
mod setup;
mod shared_claims;
mod sockets;
mod store;
mod stored;
mod throttle;
mod validate;

pub use error::AuthnError;
pub use export::AccountExport;
pub use gate::{Entrant, Gate, proves_second_factor};
pub use import::{IMPORT_CHUNK, Imported, ReadLine, Refusal, UserLine, user_line};
pub use links::{Link, Purpose, PurposeError};
pub use mfa::{Enrolment, MfaLogin, Proof, SecondFactor, StepUp};
pub use model::{Caller, Login, PasswordChange, Registered, Registration, SignedIn, UserCaller};
pub use onboarding::{NewClient, RegisteredClient};
pub use passwords::{PasswordError, Passwords, Verdict};
pub use rules::{PasswordProblem, PasswordRules};
pub use sdk::{NewSdkSession, SdkSession, UserData};
pub use service::{AuthnParts, AuthnService};
pub use sockets::{Handshake, Socket, SocketContext, SocketId, SocketIdError};
pub use throttle::Reached;
pub use validate::{TokenFault, Validity};
