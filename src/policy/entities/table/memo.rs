//! Cedar entities that were made of rows, the latest used of them.

use std::{fmt, ops::Deref, sync::Arc};

use cedar_policy::Entity;
use foldhash::fast::RandomState;
use quick_cache::{
    Weighter,
    sync::{Cache, DefaultLifecycle},
};

use super::{
    names::{Name, Probe},
    rows::Row,
};
use crate::policy::index::Places;

/// What the memo of one store may hold, in bytes as [`Weight`] reckons them.
const CAPACITY_BYTES: u64 = 128 * 1024 * 1024;
/// What a Cedar entity without attributes and ancestors takes, about, with what an index remembers of it.
const BASE_BYTES: u64 = 800;
/// What an ancestor adds: its name by value in a hash set, and its nodes.
const ANCESTOR_BYTES: u64 = 176;
/// How much larger values are than their JSON text.
const VALUE_FACTOR: u64 = 6;
/// How many entities the memo is first made for.
const EXPECTED: usize = 16 * 1024;

/// An entity made of a row, with all its ancestors within the table.
#[derive(Debug)]
pub struct KeptEntity {
    row: Arc<Row>,
    entity: Entity,
    /// Where indexes have it. A row with other ancestors is another row, and its entity another one.
    places: Places,
}

impl Deref for KeptEntity {
    type Target = Entity;

    fn deref(&self) -> &Entity {
        &self.entity
    }
}

impl KeptEntity {
    /// Where indexes have it.
    pub(in crate::policy) fn places(&self) -> &Places {
        &self.places
    }

    pub(super) fn new(row: &Arc<Row>, entity: Entity) -> Arc<Self> {
        Arc::new(Self { row: Arc::clone(row), entity, places: Places::default() })
    }
}

/// The memo that the successive tables of a store share.
pub(super) struct Memo(Cache<Name, Arc<KeptEntity>, Weight, RandomState>);

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<Name, Arc<KeptEntity>> for Weight {
    fn weight(&self, _name: &Name, kept: &Arc<KeptEntity>) -> u64 {
        let row = &kept.row;
        let sized = |count: usize| u64::try_from(count).unwrap_or(u64::MAX / 1024);
        BASE_BYTES + sized(row.text_len()) * VALUE_FACTOR + sized(row.lineage().len()) * ANCESTOR_BYTES
    }
}

impl Default for Memo {
    fn default() -> Self {
        let cache = Cache::with(
            EXPECTED,
            CAPACITY_BYTES,
            Weight,
            RandomState::default(),
            DefaultLifecycle::default(),
        );
        Self(cache)
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").field("entities", &self.0.len()).finish()
    }
}

impl Memo {
    /// The entity that was made of this very row. One of an older or newer row of the name does not count.
    pub(super) fn get(&self, name: Probe<'_>, row: &Arc<Row>) -> Option<Arc<KeptEntity>> {
        self.0.get(&name).filter(|kept| Arc::ptr_eq(&kept.row, row))
    }

    pub(super) fn keep(&self, name: Name, kept: Arc<KeptEntity>) {
        self.0.insert(name, kept);
    }
}
