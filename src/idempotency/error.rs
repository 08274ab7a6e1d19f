//! Why a request with a key is not carried out.

use crate::{
    base::EntropyError,
    storage::{Retryable, StorageError},
};

/// A request that is not carried out, and whose answer is not there to be given again.
#[derive(Debug, thiserror::Error)]
pub enum IdempotencyError {
    /// The key stands for another request.
    #[error("the `Idempotency-Key` was used for another request")]
    Mismatch,
    /// The request that claimed the key is still being carried out, or may be.
    #[error("a request with this `Idempotency-Key` is being carried out")]
    InProgress,
    /// The request was carried out, and the server failed before it could keep the answer.
    #[error("the request with this `Idempotency-Key` was carried out, and its answer was lost")]
    AnswerLost,
    /// The database failed; nothing was carried out.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no randomness to seal an answer.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl Retryable for IdempotencyError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            _ => None,
        }
    }
}
