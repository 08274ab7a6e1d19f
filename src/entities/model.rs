//! What callers ask for and are told.

use serde_json::value::RawValue;

use crate::policy::{EntityKey, EntityRow, Revision};

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
