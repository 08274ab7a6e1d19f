//! Clients of OAuth 2.0: programs of a tenant's that get tokens of their own, or act for its users.
//!
//! ```text
//!  secret, or assertion ─ authenticate ─► Client ─ a grant (see `oauth`) ─► token ─ check_live ─► ServiceCaller
//! ```
//! - A client proves who it is by a secret of 256 random bits, of which a digest is stored, or by an assertion that
//!   its own key signed (RFC 7523). A new secret leaves the one before it good for a while, if so wished.
//! - INVARIANT: who is no client, and who is one with a wrong secret, cost the same work and get the same answer
//!   (threat T57).
//! - INVARIANT: an assertion is good for once. That is a row in SQL, so it holds on all nodes, and while SQL is away
//!   nobody gets in.
//! - INVARIANT: a token of a client counts while the client is active and in the epoch of the token, its tenant is
//!   active, and the token was not revoked by itself. A node holds these facts for seconds, and no longer than the
//!   [`IdentityNews`](crate::bus::IdentityNews) of the client have not moved.
//!
//! A client is found by its id alone where it proves itself: the secret proves whose it is. Statements here read
//! `tenants.status`: whether a client counts is one question.

mod authenticate;
mod error;
mod live;
mod model;
mod service;
mod store;

pub use authenticate::Proof;
pub use error::ClientError;
pub use live::ServiceCaller;
pub use model::{
    AuthMethod, Client, ClientChange, ClientName, ClientStatus, Grant, Made, NewClient, WordError, audience,
    jwks, scope_word,
};
pub use service::{ClientParts, ClientService};
