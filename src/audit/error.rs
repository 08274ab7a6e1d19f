//! Why a record could not be written.

use crate::{
    base::EntropyError,
    storage::{Retryable, StorageError},
};

/// A record that was not written; the change it belongs to must not happen either.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no randomness for the record's id.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl Retryable for AuditError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            Self::Entropy(_) => None,
        }
    }
}
