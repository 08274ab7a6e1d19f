//! What can go wrong with a role.

use crate::{
    audit::AuditError,
    base::EntropyError,
    storage::{Retryable, StorageError},
};

/// A role that could not be made, removed, granted or revoked.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    /// The tenant has no such role.
    #[error("there is no such role")]
    NotFound,
    /// The tenant has no such user.
    #[error("there is no such user")]
    UserNotFound,
    /// The user does not have the role.
    #[error("the user does not have the role")]
    BindingNotFound,
    /// The tenant has a role of this name.
    #[error("the role exists already")]
    Exists,
    /// A role would inherit itself.
    #[error("a role cannot inherit itself")]
    Cycle,
    /// The chain of inherited roles would be too long.
    #[error("a role inherits from at most 16 roles in a row")]
    TooDeep,
    /// The role came with the program and stays.
    #[error("a built-in role cannot be removed")]
    Builtin,
    /// A user has the role, or another role inherits it.
    #[error("the role is still granted or inherited")]
    InUse,
    /// Nobody would be left who may do everything.
    #[error("the last active super administrator cannot be removed")]
    LastAdministrator,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no randomness for an id.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

impl From<AuditError> for RoleError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Storage(error) => Self::Storage(error),
            AuditError::Entropy(error) => Self::Entropy(error),
        }
    }
}

impl Retryable for RoleError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            _ => None,
        }
    }
}
