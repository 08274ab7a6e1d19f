//! What an entity is in, and what is in it.

use std::{
    borrow::Borrow,
    hash::{Hash, Hasher},
    sync::Arc,
};

use imbl::OrdSet;

use super::names::Name;

/// Most ancestors of one entity.
pub(super) const MAX_ANCESTORS: usize = 10_000;

/// More children than this are kept in a tree, where one more costs a path and not a copy of all.
const FEW: usize = 16;

/// What an entity is in. Siblings share it.
#[derive(Debug, Default)]
pub(super) struct Lineage {
    /// The parents, then all other ancestors; each part sorted, no name twice.
    names: Box<[Name]>,
    parents: usize,
}

impl Lineage {
    /// The lineage of an entity with these parents, sorted, of which each has the lineage that `above` tells.
    ///
    /// `None` when there would be too many ancestors.
    pub(super) fn over<'a>(parents: Vec<Name>, above: impl Iterator<Item = &'a Lineage>) -> Option<Self> {
        let mut others: Vec<Name> = Vec::new();
        for lineage in above {
            others.extend(lineage.names.iter().cloned());
            if others.len() > 4 * MAX_ANCESTORS {
                others.sort(); // stable: it takes the sorted parts as they are
                others.dedup();
            }
            if others.len() > 4 * MAX_ANCESTORS {
                return None;
            }
        }
        others.sort();
        others.dedup();
        others.retain(|name| parents.binary_search(name).is_err());
        let direct = parents.len();
        if direct + others.len() > MAX_ANCESTORS {
            return None;
        }
        let mut names = parents;
        names.append(&mut others);
        Some(Self { names: names.into(), parents: direct })
    }

    /// What the entity is directly in.
    pub(super) fn parents(&self) -> &[Name] {
        self.names.get(..self.parents).unwrap_or_default()
    }

    /// What it is in through its parents only.
    pub(super) fn others(&self) -> &[Name] {
        self.names.get(self.parents..).unwrap_or_default()
    }

    /// How many ancestors it has.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }
}

/// A lineage by its parents: within one table they determine it.
#[derive(Debug, Clone)]
pub(super) struct ByParents(pub(super) Arc<Lineage>);

impl Borrow<[Name]> for ByParents {
    fn borrow(&self) -> &[Name] {
        self.0.parents()
    }
}

impl PartialEq for ByParents {
    fn eq(&self, other: &Self) -> bool {
        self.0.parents() == other.0.parents()
    }
}

impl Eq for ByParents {}

impl Hash for ByParents {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.parents().hash(state);
    }
}

/// What is directly in an entity. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) enum Children {
    /// Sorted.
    Few(Arc<[Name]>),
    /// More than a few.
    Many(OrdSet<Name>),
}

impl Default for Children {
    fn default() -> Self {
        Self::Few(Arc::default())
    }
}

impl Children {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Few(names) => names.is_empty(),
            Self::Many(names) => names.is_empty(),
        }
    }

    /// Those after a name in order, or all.
    pub(super) fn after(&self, name: Option<&Name>) -> Box<dyn Iterator<Item = &Name> + '_> {
        match (self, name) {
            (Self::Few(names), None) => Box::new(names.iter()),
            (Self::Few(names), Some(name)) => {
                let from = names.partition_point(|other| other <= name);
                Box::new(names.get(from..).unwrap_or_default().iter())
            }
            (Self::Many(names), None) => Box::new(names.iter()),
            (Self::Many(names), Some(name)) => {
                use std::ops::Bound::{Excluded, Unbounded};
                Box::new(names.range::<_, Name>((Excluded(name), Unbounded)))
            }
        }
    }

    pub(super) fn insert(&mut self, name: Name) {
        match self {
            Self::Many(names) => {
                names.insert(name);
            }
            Self::Few(names) => {
                let Err(at) = names.binary_search(&name) else { return };
                let (before, after) = names.split_at(at);
                let all = before.iter().cloned().chain([name]).chain(after.iter().cloned());
                *self = if names.len() < FEW { Self::Few(all.collect()) } else { Self::Many(all.collect()) };
            }
        }
    }

    pub(super) fn remove(&mut self, name: &Name) {
        match self {
            Self::Many(names) => {
                names.remove(name);
            }
            Self::Few(names) => {
                *names = names.iter().filter(|other| *other != name).cloned().collect();
            }
        }
    }
}
