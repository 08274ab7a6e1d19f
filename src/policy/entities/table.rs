//! The stored entities of one policy store, at one revision. Pure.

use std::{collections::HashMap, sync::Arc};

use cedar_policy::{Entity, EntityUid};

/// How often the entities of a store were written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// The stored entities. A clone is a reference to the same.
#[derive(Debug, Clone, Default)]
pub struct EntityTable {
    entities: Arc<HashMap<EntityUid, Arc<Entity>>>,
    revision: Revision,
}

impl EntityTable {
    /// A table of these entities, each with all its ancestors.
    pub fn new(entities: impl IntoIterator<Item = Entity>, revision: Revision) -> Self {
        let entities = entities.into_iter().map(|entity| (entity.uid(), Arc::new(entity)));
        Self { entities: Arc::new(entities.collect()), revision }
    }

    /// An entity with all its ancestors.
    #[must_use]
    pub fn entity(&self, uid: &EntityUid) -> Option<Arc<Entity>> {
        self.entities.get(uid).cloned()
    }

    /// The revision of the store that this is.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }
}
