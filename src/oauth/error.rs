//! Why there is no token.

use crate::{
    authn::AuthnError,
    authorize::AuthorizeError,
    base::{DecisionId, EntropyError},
    clients::ClientError,
    sessions::SessionError,
    storage::StorageError,
    tokens::TokenError,
};

/// A token that was not issued, or about which nothing is said.
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// The policies say no.
    #[error("the policies do not allow this")]
    Denied {
        /// The decision that says so.
        decision: DecisionId,
    },
    /// The client may not use this grant.
    #[error("the client may not use this grant")]
    GrantNotAllowed,
    /// What was presented is no refresh or access token that this client may use.
    #[error("what was presented is not good for this: {0}")]
    InvalidGrant(&'static str),
    /// Scopes that the client or the token does not have, or that no policy permits.
    #[error("the scope is beyond what is permitted")]
    InvalidScope,
    /// Whom the token is to be for is not among the audiences of the client.
    #[error("the client may not ask for tokens for this audience")]
    InvalidTarget,
    /// The client is not what it was.
    #[error(transparent)]
    Client(ClientError),
    /// A refresh token is not accepted.
    #[error(transparent)]
    Authn(AuthnError),
    /// Nobody can decide.
    #[error(transparent)]
    Authorize(#[from] AuthorizeError),
    /// There is no key to sign with.
    #[error(transparent)]
    Token(TokenError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// Infrastructure keeps its own variant, whichever domain it came through.
macro_rules! lift {
    ($error:ident, $variant:ident) => {
        impl From<$error> for OAuthError {
            fn from(error: $error) -> Self {
                match error {
                    $error::Storage(error) => Self::Storage(error),
                    $error::Entropy(error) => Self::Entropy(error),
                    error => Self::$variant(error),
                }
            }
        }
    };
}
lift!(ClientError, Client);
lift!(TokenError, Token);
lift!(AuthnError, Authn);

impl From<SessionError> for OAuthError {
    fn from(error: SessionError) -> Self {
        AuthnError::from(error).into()
    }
}
