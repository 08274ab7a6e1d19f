//! Why a session cannot be opened, kept or ended.

use crate::{
    audit::AuditError,
    base::EntropyError,
    storage::{Retryable, StorageError},
};

/// A session that is not there for the caller.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Not a refresh token of ours. Nothing was changed.
    #[error("the refresh token is not valid")]
    RefreshInvalid,
    /// The session was unused for too long, or is too old.
    #[error("the refresh token has expired")]
    RefreshExpired,
    /// The refresh token was used before; the session is ended now.
    #[error("the refresh token was used before")]
    RefreshReused,
    /// It came from somewhere that does not look like where the session was; the session is ended now.
    #[error("the refresh came from another kind of client")]
    FingerprintMismatch,
    /// It came from somewhere that does not look like where the session is: sign in there.
    #[error("the refresh came from another kind of client, which must sign in")]
    StepUpRequired,
    /// It came from a page of another origin than the one that the session is for.
    #[error("the session is for pages of another origin")]
    OtherOrigin,
    /// The session was ended.
    #[error("the session was ended")]
    Revoked,
    /// The session was unused for too long, or is too old.
    #[error("the session has expired")]
    Expired,
    /// What the session was to be opened with changed meanwhile; sign in again.
    #[error("the credentials changed while the session was opened")]
    Outdated,
    /// The user has no such session.
    #[error("there is no such session")]
    NotFound,
    /// The database failed: neither live nor revoked.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no randomness for an id or a secret.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl From<AuditError> for SessionError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Storage(error) => Self::Storage(error),
            AuditError::Entropy(error) => Self::Entropy(error),
        }
    }
}

impl Retryable for SessionError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            _ => None,
        }
    }
}
