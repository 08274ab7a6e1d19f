//! Letting go of snapshots where it disturbs nobody.
//!
//! A snapshot of 10,000 policies is hundreds of thousands of allocations; whoever drops the last reference frees
//! them all. That must not be a request.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;

use super::{Snapshot, rest};

/// A reference to every snapshot of this node.
///
/// INVARIANT: it is the last to let go of each, so that no snapshot is freed on a thread that serves requests.
#[derive(Debug, Default)]
pub(super) struct Keeper(Mutex<Vec<Arc<Snapshot>>>);

impl Keeper {
    /// Keeps a new snapshot until nobody else does.
    pub(super) fn keep(&self, snapshot: Snapshot) -> Arc<Snapshot> {
        let snapshot = Arc::new(snapshot);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&snapshot));
        snapshot
    }

    /// Begins to free the snapshots that nobody else holds, on the blocking pool: the next activation does not wait
    /// for it. The answer is for who does.
    pub(super) fn sweep(&self) -> JoinHandle<()> {
        let unused = self.take_unused();
        tokio::task::spawn_blocking(move || {
            let pace = rest::beside_requests();
            unused.into_iter().filter_map(Arc::into_inner).for_each(|snapshot| snapshot.free(&pace));
        })
    }

    fn take_unused(&self) -> Vec<Arc<Snapshot>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody can take a reference to one that only this list holds.
        kept.extract_if(.., |snapshot| Arc::strong_count(snapshot) == 1).collect()
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Keeper;
    use crate::policy::{StoreName, compile, shipped};

    #[tokio::test]
    async fn a_snapshot_is_freed_by_the_keeper_and_by_nobody_else() {
        let keeper = Keeper::default();
        let system = StoreName::system();
        let snapshot = compile(&shipped(&system).unwrap(), &system).unwrap().snapshot;
        let held = keeper.keep(snapshot);
        let weak = Arc::downgrade(&held);
        keeper.sweep().await.unwrap();
        assert_eq!(keeper.len(), 1, "it is in use");
        drop(held);
        assert!(weak.upgrade().is_some(), "the last user does not free it");
        keeper.sweep().await.unwrap();
        assert!(weak.upgrade().is_none() && keeper.len() == 0);
    }
}
