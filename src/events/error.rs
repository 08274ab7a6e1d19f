//! What can go wrong with events.

use std::fmt;

use crate::{
    base::EntropyError,
    storage::{Retryable, StorageError},
};

/// An event that was not written; let it undo the transaction.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no randomness for the event's id.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl Retryable for EventError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            Self::Entropy(_) => None,
        }
    }
}

/// An event that a consumer could not handle, with the error of its domain. The consumer is given the event again
/// later, until it can.
#[derive(Debug)]
pub struct HandleError(Box<dyn Failure>);

impl HandleError {
    /// What a domain's own error means here: `.map_err(HandleError::of)`.
    pub fn of<E: Retryable + std::error::Error + Send + Sync + 'static>(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for HandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event was not handled")
    }
}

impl std::error::Error for HandleError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

impl From<StorageError> for HandleError {
    fn from(error: StorageError) -> Self {
        Self::of(error)
    }
}

impl Retryable for HandleError {
    fn storage(&self) -> Option<&StorageError> {
        self.0.database()
    }
}

/// An error of any domain, in which a failure of the database can still be seen.
trait Failure: std::error::Error + Send + Sync {
    fn database(&self) -> Option<&StorageError>;
}

impl<E: Retryable + std::error::Error + Send + Sync> Failure for E {
    fn database(&self) -> Option<&StorageError> {
        self.storage()
    }
}
