//! What can go wrong with a client.

use crate::{
    audit::AuditError,
    base::EntropyError,
    storage::{Retryable, StorageError},
};

/// A client that is not there, not who it says, or could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No such client and proof. Says nothing else, on purpose.
    #[error("the client is unknown, or did not prove who it is")]
    Unproven,
    /// The token was revoked, or its client is not what it was when it was issued.
    #[error("the token of the client was revoked")]
    Revoked,
    /// The tenant has no such client.
    #[error("there is no such client")]
    NotFound,
    /// The tenant has no role of this name.
    #[error("there is no role `{0}`")]
    UnknownRole(String),
    /// A client that signs assertions has no secret.
    #[error("this client proves itself by its own key and has no secret")]
    NoSecret,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no randomness for an id or a secret.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl From<AuditError> for ClientError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Storage(error) => Self::Storage(error),
            AuditError::Entropy(error) => Self::Entropy(error),
        }
    }
}

impl Retryable for ClientError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            _ => None,
        }
    }
}
