//! What makes one table of another.

use super::{Change, EntityTable, names::Name, rows::stored};

impl EntityTable {
    /// The changes that make this table hold what `target` holds; `None` when they are more than `most`.
    ///
    /// Entities that are alike in both, whatever their revisions, are in no change.
    #[must_use]
    pub fn difference(&self, target: &Self, most: usize) -> Option<Vec<Change>> {
        let (from, to) = (&self.0.rows, &target.0.rows);
        let gone = from.iter().filter(|(name, _)| !to.contains_key(*name));
        let gone = gone.map(|(name, _)| Change::Remove(Name::key(name)));
        let put = to.iter().filter(|(name, row)| from.get(*name).is_none_or(|known| !known.is_like(row)));
        let put = put.map(|(name, row)| Change::Put(stored(name, row)));
        let changes: Vec<Change> = gone.chain(put).take(most.saturating_add(1)).collect();
        (changes.len() <= most).then_some(changes)
    }
}
