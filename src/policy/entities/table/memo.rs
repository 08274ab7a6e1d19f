//! Cedar entities that were made of rows, the latest used of them.

use std::{fmt, sync::Arc};

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

/// What the memo of one store may hold, in bytes as [`Weight`] reckons them.
const CAPACITY_BYTES: u64 = 128 * 1024 * 1024;
/// What a Cedar entity without attributes and ancestors takes, about.
const BASE_BYTES: u64 = 640;
/// What an ancestor adds: its name by value in a hash set.
const ANCESTOR_BYTES: u64 = 168;
/// How much larger values are than their JSON text.
const VALUE_FACTOR: u64 = 6;
/// How many entities the memo is first made for.
const EXPECTED: usize = 16 * 1024;

type Made = (Arc<Row>, Arc<Entity>);

/// The memo that the successive tables of a store share.
pub(super) struct Memo(Cache<Name, Made, Weight, RandomState>);

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<Name, Made> for Weight {
    fn weight(&self, _name: &Name, (row, _): &Made) -> u64 {
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
    pub(super) fn get(&self, name: Probe<'_>, row: &Arc<Row>) -> Option<Arc<Entity>> {
        let (of, entity) = self.0.get(&name)?;
        Arc::ptr_eq(&of, row).then_some(entity)
    }

    pub(super) fn keep(&self, name: Name, row: Arc<Row>, entity: Arc<Entity>) {
        self.0.insert(name, (row, entity));
    }
}
