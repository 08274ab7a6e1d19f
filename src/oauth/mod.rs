//! The authorization server of OAuth 2.0: tokens for clients, and what may be said about tokens.
//!
//! | use case | for | by |
//! |---|---|---|
//! | client credentials | the client itself | RFC 6749 §4.4 |
//! | refresh | the holder of a refresh token | RFC 6749 §6 |
//! | exchange | a user, through a chain of at most three programs | RFC 8693 |
//! | introspect | whoever has to know whether a token counts | RFC 7662 |
//! | revoke | whoever is done with a token | RFC 7009 |
//!
//! Every one of them is a decision of the system store ([`decide`](OAuthService)): a denial is no token. So is every
//! scope: those that the policies do not permit are left out (X15).
//!
//! - INVARIANT: a token reaches no further than what it was made from. Scopes are among those of the client, and of
//!   the exchanged token where that is narrowed already; a session stands for all that its user may do. Audiences are
//!   among the client's. Roles are those of this moment (threat T56).
//! - INVARIANT: an exchanged token is never for us: nobody acts on this server with it.
//! - INVARIANT: a token of another tenant is a token that does not exist.

mod error;
mod exchange;
mod issue;
mod model;
mod tell;

pub use error::OAuthError;
pub use model::{Asked, ExchangeAsked, Introspected, Issued, OAuthParts, OAuthService};
