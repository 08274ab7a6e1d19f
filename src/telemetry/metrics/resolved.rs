//! Handles of series by name, found without a lock and without making the name anew.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;

/// Handles, each made when its name is first used and kept for good.
#[derive(Debug)]
pub(super) struct Resolved<T>(ArcSwap<HashMap<Arc<str>, Arc<T>, RandomState>>);

impl<T> Default for Resolved<T> {
    fn default() -> Self {
        Self(ArcSwap::default())
    }
}

impl<T> Resolved<T> {
    /// Runs `run` with the handle of `name`; the first time with one that `make` makes.
    ///
    /// Two threads may both make one; whatever they hand out must be the same series.
    pub(super) fn with(&self, name: &str, make: impl FnOnce() -> T, run: impl FnOnce(&T)) {
        if let Some(known) = self.0.load().get(name) {
            return run(known);
        }
        let fresh = Arc::new(make());
        run(&fresh);
        let name = Arc::<str>::from(name);
        self.0.rcu(|known| {
            let mut grown = HashMap::clone(known);
            grown.entry(Arc::clone(&name)).or_insert_with(|| Arc::clone(&fresh));
            grown
        });
    }
}
