//! Why a token is not accepted, or not issued.

use crate::{
    audit::AuditError,
    base::EntropyError,
    storage::{Retryable, StorageError},
};

/// A token that is not accepted, or could not be issued.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Not a token of ours. The word says what was wrong with it, for the log.
    #[error("the token is not valid: {0}")]
    Invalid(&'static str),
    /// A token of ours, past its time.
    #[error("the token has expired")]
    Expired,
    /// Well formed, but another kind of token.
    #[error("the token is of another type")]
    WrongType,
    /// A stored key does not open: another master key, or altered rows. Fatal at start.
    #[error("signing key `{kid}` cannot be used with this master key")]
    KeyUnusable {
        /// The key.
        kid: String,
    },
    /// No key of this id is in use.
    #[error("there is no such key in use")]
    KeyNotFound,
    /// There is no key to sign with.
    #[error("there is no active signing key")]
    NoKey,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no randomness for a key or an id.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl From<AuditError> for TokenError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Storage(error) => Self::Storage(error),
            AuditError::Entropy(error) => Self::Entropy(error),
        }
    }
}

impl Retryable for TokenError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            _ => None,
        }
    }
}
