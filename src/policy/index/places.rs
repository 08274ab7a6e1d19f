//! Where an index has an entity, remembered beside the entity.
//!
//! To find an entity among the nodes is to hash the names of all that it is in. That depends on the entity, which never
//! changes, and on the index. So an entity that is kept from one decision to the next keeps its nodes too, with the
//! number of the index that they are of: another index does not take them.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use super::nodes::{NodeNumber, TypeNumber};

/// What tells the sides of all indexes of this process apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SideNumber(u64);

impl SideNumber {
    /// A number that no side has.
    pub(super) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The nodes of an entity on one side of one index.
#[derive(Debug)]
struct Place {
    side: SideNumber,
    of_type: Option<TypeNumber>,
    nodes: Box<[NodeNumber]>,
}

/// What is remembered of one entity, as it is, with all its ancestors.
///
/// INVARIANT: for the life of this, the entity's name, type and ancestors are the same.
#[derive(Debug, Default)]
pub(in crate::policy) struct Places {
    principal: Mutex<Option<Place>>,
    resource: Mutex<Option<Place>>,
}

/// A side of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Principal,
    Resource,
}

impl Places {
    /// Fills `into` with the nodes that are remembered of a side, or that `find` puts there, and answers the type's
    /// number.
    pub(super) fn nodes(
        &self,
        (side, number): (Side, SideNumber),
        into: &mut Vec<NodeNumber>,
        find: impl FnOnce(&mut Vec<NodeNumber>) -> Option<TypeNumber>,
    ) -> Option<TypeNumber> {
        let place = match side {
            Side::Principal => &self.principal,
            Side::Resource => &self.resource,
        };
        // Whoever panicked meanwhile had not touched it: it is replaced whole.
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = place.as_ref().filter(|known| known.side == number) {
            into.clear();
            into.extend_from_slice(&known.nodes);
            return known.of_type;
        }
        let of_type = find(into);
        *place = Some(Place { side: number, of_type, nodes: into.as_slice().into() });
        of_type
    }
}
