//! What callers ask for and are told.

use serde_json::value::RawValue;

use crate::policy::{EntityKey, EntityRow, Revision};

/// What a caller expects of an entity (RFC 9110 §13.1.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum IfMatch {
    /// Nothing.
    #[default]
    Anything,
    /// That it is there.
    Exists,
    /// That one of these writes made it what it is.
    OneOf(Vec<Revision>),
}

impl IfMatch {
    /// Whether an entity that was written last by `revision`, or is not there, is as expected.
    #[must_use]
    pub fn holds(&self, revision: Option<Revision>) -> bool {
        match self {
            Self::Anything => true,
            Self::Exists => revision.is_some(),
            Self::OneOf(expected) => revision.is_some_and(|it| expected.contains(&it)),
        }
    }
}

/// What a write came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The store's revision after it.
    pub revision: Revision,
    /// The entity, where the write was about one that is there now.
    pub entity: Option<EntityRow>,
    /// How many entities were made or replaced.
    pub put: usize,
    /// How many were removed.
    pub removed: usize,
    /// Whether the one entity is new.
    pub created: bool,
}

/// One part of a batch.
#[derive(Debug, Clone)]
pub enum BatchItem {
    /// An entity to make or replace: Cedar entity JSON.
    Put(Box<RawValue>),
    /// An entity to remove; one that is not there stays away.
    Remove(EntityKey),
}

/// Which entities of a store are listed.
#[derive(Debug, Clone, Default)]
pub struct EntityFilter {
    /// Only those of this type.
    pub entity_type: Option<String>,
    /// Only those directly in this entity.
    pub parent: Option<EntityKey>,
}
