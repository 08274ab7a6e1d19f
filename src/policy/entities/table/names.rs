//! Names of entities, kept once: a type's name once a table, an entity's name once however often it is
//! a parent.

use std::{
    cmp::Ordering,
    collections::HashMap,
    hash::{BuildHasher, Hash, Hasher},
    sync::Arc,
};

use foldhash::fast::{FixedState, RandomState};
use quick_cache::Equivalent;
use smol_str::SmolStr;

use super::EntityKey;
use crate::policy::engine::cedar::{Eid, EntityType, Uid};

/// A type of entities.
#[derive(Debug)]
pub(super) struct Kind {
    name: SmolStr,
    core: EntityType,
    hash: u64,
}

impl Kind {
    fn new(name: SmolStr, core: EntityType) -> Arc<Self> {
        let hash = FixedState::default().hash_one(&name);
        Arc::new(Self { name, core, hash })
    }

    fn same(left: &Arc<Self>, right: &Arc<Self>) -> bool {
        Arc::ptr_eq(left, right) || left.name == right.name
    }
}

/// The types that a table has met. A clone is a reference until a type is added.
#[derive(Debug, Clone, Default)]
pub(super) struct Kinds(Arc<Known>);

#[derive(Debug, Clone, Default)]
struct Known {
    by_name: HashMap<SmolStr, Arc<Kind>, RandomState>,
    by_core: HashMap<EntityType, Arc<Kind>, RandomState>,
}

impl Kinds {
    /// The type of this name, if it was met.
    pub(super) fn named(&self, name: &str) -> Option<&Arc<Kind>> {
        self.0.by_name.get(name)
    }

    /// The same by Cedar's form of the name.
    pub(super) fn of(&self, core: &EntityType) -> Option<&Arc<Kind>> {
        self.0.by_core.get(core)
    }

    /// Cedar's form of a type's name.
    pub(super) fn core(&self, name: &str) -> Option<EntityType> {
        self.named(name).map(|kind| kind.core.clone()).or_else(|| parse(name))
    }

    /// The type of this name, added if need be; `None` when it is not the name of a type.
    pub(super) fn intern(&mut self, name: &SmolStr) -> Option<Arc<Kind>> {
        if let Some(kind) = self.named(name) {
            return Some(Arc::clone(kind));
        }
        let kind = Kind::new(name.clone(), parse(name)?);
        let known = Arc::make_mut(&mut self.0);
        known.by_name.insert(name.clone(), Arc::clone(&kind));
        known.by_core.insert(kind.core.clone(), Arc::clone(&kind));
        Some(kind)
    }
}

fn parse(name: &str) -> Option<EntityType> {
    EntityType::from_normalized_str(name).ok()
}

#[derive(Debug)]
struct Parts {
    kind: Arc<Kind>,
    id: SmolStr,
}

/// The name of an entity, shared. Orders by type, then id.
#[derive(Debug, Clone)]
pub(super) struct Name(Arc<Parts>);

impl Name {
    pub(super) fn new(kind: Arc<Kind>, id: SmolStr) -> Self {
        Self(Arc::new(Parts { kind, id }))
    }

    /// Cedar's form of it.
    pub(super) fn uid(&self) -> Uid {
        Uid::from_components(self.0.kind.core.clone(), Eid::new(self.0.id.clone()), None)
    }

    /// Whether its type has this name.
    pub(super) fn is_of(&self, kind: &str) -> bool {
        self.0.kind.name == kind
    }

    /// Its two parts.
    pub(super) fn key(&self) -> EntityKey {
        EntityKey { entity_type: self.0.kind.name.clone(), id: self.0.id.clone() }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.0.id == other.0.id && Kind::same(&self.0.kind, &other.0.kind))
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Probe { kind: &self.0.kind, id: &self.0.id }.hash(state);
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        let (left, right) = (&self.0.kind, &other.0.kind);
        let kinds = if Arc::ptr_eq(left, right) { Ordering::Equal } else { left.name.cmp(&right.name) };
        kinds.then_with(|| self.0.id.cmp(&other.0.id))
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A name to look for, borrowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe<'a> {
    pub(super) kind: &'a Arc<Kind>,
    pub(super) id: &'a str,
}

impl Hash for Probe<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.kind.hash);
        self.id.hash(state);
    }
}

impl Equivalent<Name> for Probe<'_> {
    fn equivalent(&self, name: &Name) -> bool {
        self.id == name.0.id && Kind::same(self.kind, &name.0.kind)
    }
}
