//! What can go wrong with pushed entities.

use crate::{
    audit::AuditError,
    base::CursorError,
    policy::{EntityKey, QueryProblem, Revision, StoreName, TableError},
    storage::{Retryable, StorageError},
};

/// Where in what was sent something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadPlace {
    /// In this line, from 1, of newline-delimited JSON.
    Line(u64),
    /// In this element, from 0, of an array.
    Element(u64),
}

/// Why entities were not read or written. A write that fails leaves everything as it was.
#[derive(Debug, thiserror::Error)]
pub enum EntityError {
    /// There is no such store.
    #[error("there is no policy store `{0}`")]
    UnknownStore(StoreName),
    /// The store has no schema to check entities with.
    #[error("the policy store `{0}` has no active version")]
    NoActiveVersion(StoreName),
    /// The store has no such entity.
    #[error("there is no entity `{0}`")]
    NotFound(EntityKey),
    /// The entity is not at the revision that the caller expects.
    #[error("the entity was written meanwhile, or is not there")]
    Changed {
        /// The write that made it what it is; none when it is not there.
        revision: Option<Revision>,
    },
    /// The entity does not fit the schema.
    #[error(transparent)]
    Invalid(#[from] QueryProblem),
    /// The entities would not form a hierarchy.
    #[error(transparent)]
    Refused(#[from] TableError),
    /// One entity is named twice in a write.
    #[error("`{0}` is given twice")]
    Twice(EntityKey),
    /// One entity of many is wrong.
    #[error("an entity of the load is wrong: {source}")]
    At {
        /// Which one.
        place: LoadPlace,
        /// What is wrong with it.
        source: Box<EntityError>,
    },
    /// What was sent is not JSON.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// What was sent broke off.
    #[error("the body broke off")]
    BrokenOff,
    /// The cursor is not one that a list of entities gave.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// Other nodes write to this store without pause.
    #[error("other writes to the store were always faster")]
    Contended,
    /// A task of ours ended unexpectedly.
    #[error("the work on the entities stopped unexpectedly")]
    Stopped,
    /// The audit record could not be written.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Retryable for EntityError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            Self::Audit(error) => error.storage(),
            _ => None,
        }
    }
}
