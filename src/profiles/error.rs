//! What can go wrong with a profile.

use crate::{
    audit::AuditError,
    base::{EntropyError, UserId},
    storage::{Retryable, StorageError},
};

/// A member of a patch that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// JSON pointer (RFC 6901) into the patch.
    pub pointer: String,
    /// What it must be.
    pub why: String,
}

/// A profile that could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The tenant has no such user.
    #[error("there is no such user")]
    NotFound,
    /// It is not as the caller has seen it.
    #[error("the profile is at revision {revision}")]
    Changed {
        /// What it is.
        revision: i64,
    },
    /// The patch is not one of a profile.
    #[error("the patch has {} wrong members", .0.len())]
    Invalid(Vec<Wrong>),
    /// What is stored does not open: it is of another row, altered, or sealed with a key that is not known here.
    #[error("the profile of `{user}` does not open: {why}")]
    Unreadable {
        /// Whose it is.
        user: UserId,
        /// What is known of the reason.
        why: &'static str,
    },
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl From<AuditError> for ProfileError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Storage(error) => Self::Storage(error),
            AuditError::Entropy(error) => Self::Entropy(error),
        }
    }
}

impl Retryable for ProfileError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            _ => None,
        }
    }
}
