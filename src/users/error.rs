//! What can go wrong with a user.

use crate::{
    audit::AuditError,
    base::EntropyError,
    storage::{Retryable, StorageError},
};

/// A user that could not be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// Another user of the tenant has this address, in this or a look-alike spelling.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// Another user of the tenant has this name, in this or a look-alike spelling.
    #[error("the user name is taken")]
    UsernameTaken,
    /// The tenant has no such user.
    #[error("there is no such user")]
    NotFound,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no randomness for an id.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl From<AuditError> for UserError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Storage(error) => Self::Storage(error),
            AuditError::Entropy(error) => Self::Entropy(error),
        }
    }
}

impl Retryable for UserError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            _ => None,
        }
    }
}
