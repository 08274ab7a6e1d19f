//! Why there is no decision.

use crate::{base::EntropyError, policy::QueryProblem, storage::StorageError};

/// A question that got no decision. Never an allow.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizeError {
    /// No store has this name.
    #[error("there is no policy store `{0}`")]
    UnknownStore(String),
    /// The store exists, and no version of it is active on this node.
    #[error("the policy store `{0}` has no active version")]
    NoActiveVersion(String),
    /// The question does not fit the schema.
    #[error(transparent)]
    Query(#[from] QueryProblem),
    /// Identity could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// No decision id could be made.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}
