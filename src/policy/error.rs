//! What a caller of the policy service can be told.

use super::{Findings, StoreName, VersionNumber};
use crate::{
    audit::AuditError,
    base::CursorError,
    storage::{Retryable, StorageError},
};

/// Why a version could not be published, found or activated.
#[derive(Debug, thiserror::Error)]
pub enum PolicyServiceError {
    /// The files have errors; nothing was stored or switched.
    #[error("the policy files have errors:\n{0}")]
    Refused(Findings),
    /// There is no such store.
    #[error("there is no policy store `{0}`")]
    UnknownStore(StoreName),
    /// The store has no version with this number.
    #[error("policy store `{store}` has no version {number}")]
    UnknownVersion {
        /// The store.
        store: StoreName,
        /// The number asked for.
        number: VersionNumber,
    },
    /// Another version is active than the caller expected: someone was faster.
    #[error("another version is active than expected")]
    Conflict {
        /// The version that is active.
        active: Option<VersionNumber>,
    },
    /// A roll-back has nowhere to go: the active version is the first that ever was.
    #[error("no version of policy store `{0}` was active before the present one")]
    NothingBefore(StoreName),
    /// The cursor is not one that a list of versions gave.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The audit record could not be written; nothing was stored or switched.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Retryable for PolicyServiceError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            Self::Audit(error) => error.storage(),
            _ => None,
        }
    }
}
