//! The hot copies of this node, one a store.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use crate::policy::{EntityTable, StoreName};

/// The hot copies, and whose turn it is to change one.
#[derive(Debug, Default)]
pub(super) struct Live {
    tables: ArcSwap<BTreeMap<StoreName, EntityTable>>,
    /// Held to find a store's turn, never while waiting.
    turns: Mutex<BTreeMap<StoreName, Arc<Turn<()>>>>,
}

impl Live {
    /// A store's hot copy. Lock-free.
    pub(super) fn table(&self, store: &StoreName) -> Option<EntityTable> {
        self.tables.load().get(store).cloned()
    }

    /// Waits until nobody else of this node changes the store.
    pub(super) async fn turn(&self, store: &StoreName) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(store.clone()).or_default())
        };
        turn.lock_owned().await
    }

    /// Puts a hot copy in the place of the last. For who has the turn.
    pub(super) fn install(&self, store: &StoreName, table: &EntityTable) {
        self.tables.rcu(|tables| {
            let mut tables = BTreeMap::clone(tables);
            tables.insert(store.clone(), table.clone());
            tables
        });
    }
}
