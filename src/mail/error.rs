//! What can go wrong with mail.

use crate::{
    base::EntropyError,
    storage::{Retryable, StorageError},
};

/// A mail that was not queued; let it undo the transaction.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no randomness for an id.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl Retryable for MailError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            Self::Entropy(_) => None,
        }
    }
}

/// A mail that was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The address, or the text, is none that can be sent; trying again is of no use.
    #[error("the mail cannot be written")]
    Unwritable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server refused for good.
    #[error("the mail server refuses the mail")]
    Refused(#[source] lettre::transport::smtp::Error),
    /// The server did not answer, or asks to come back.
    #[error("the mail server does not take the mail now")]
    Later(#[source] lettre::transport::smtp::Error),
}
