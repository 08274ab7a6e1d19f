//! Why a record could not be written.

use crate::{
    base::EntropyError,
    events::EventError,
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

impl From<EventError> for AuditError {
    fn from(error: EventError) -> Self {
        match error {
            EventError::Storage(error) => Self::Storage(error),
            EventError::Entropy(error) => Self::Entropy(error),
        }
    }
}

impl Retryable for AuditError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            Self::Entropy(_) => None,
        }
    }
}
