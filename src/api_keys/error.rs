//! What can go wrong with an API key.

use super::Metered;
use crate::{
    audit::AuditError,
    base::EntropyError,
    storage::{Retryable, StorageError},
};

/// A key that is not accepted, or that could not be made, changed or revoked.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyError {
    /// The text is no key of ours. Says nothing else, on purpose.
    #[error("the API key is not valid")]
    Invalid,
    /// The key was revoked.
    #[error("the API key was revoked")]
    Revoked,
    /// The key's owner or tenant is kept out.
    #[error("the owner of the API key, or its tenant, is kept out")]
    Disabled,
    /// The key has run out.
    #[error("the API key has expired")]
    Expired,
    /// The key may not be used from this address.
    #[error("the API key may not be used from this address")]
    IpNotAllowed,
    /// The key is used faster than it may be.
    #[error("the API key is used too fast")]
    TooFast(Metered),
    /// Too many unknown keys came from this address.
    #[error("too many unknown API keys came from this address")]
    TooManyFailures(Metered),
    /// The tenant has no such key, or it was revoked.
    #[error("there is no such API key")]
    NotFound,
    /// The owner has as many keys as may be.
    #[error("there are {most} API keys already, as many as there may be")]
    LimitReached {
        /// The most.
        most: u32,
    },
    /// The tenant has such a key of its own.
    #[error("there is a secondary API key already")]
    SlotTaken,
    /// The tenant has no secondary key that could become the primary one.
    #[error("there is no secondary API key")]
    NoSecondary,
    /// The tenant has no such user.
    #[error("there is no such user")]
    OwnerNotFound,
    /// The tenant has no such role.
    #[error("there is no role `{0}`")]
    UnknownRole(String),
    /// The creator has not the role that the key is to have.
    #[error("a key cannot have the role `{0}`, which its creator has not")]
    RoleNotHeld(String),
    /// The database failed: neither an allow nor a 401.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no randomness for a secret.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl From<AuditError> for ApiKeyError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Storage(error) => Self::Storage(error),
            AuditError::Entropy(error) => Self::Entropy(error),
        }
    }
}

impl Retryable for ApiKeyError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            _ => None,
        }
    }
}
