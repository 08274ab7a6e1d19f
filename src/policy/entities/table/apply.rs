//! Writes: from one table to the next.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use foldhash::fast::RandomState;

use super::{
    Change, EntityKey, EntityRow, EntityTable, Revision, TableError,
    lineage::{ByParents, Children, Lineage},
    names::{Name, Probe},
    rows::{Body, Row},
};

/// Most parents of one entity.
pub(super) const MAX_PARENTS: usize = 10_000;

/// Entities whose place changed, each with how many of its parents still wait for theirs.
type Waiting = HashMap<Name, usize, RandomState>;

/// A write under way: changes one after the other, then their outcome. For loads too large to hold as changes.
#[derive(Debug, Default)]
pub struct TableBuilder {
    next: Body,
    moved: Vec<Name>,
}

impl TableBuilder {
    /// Takes in a change; of two to one entity the later one counts.
    ///
    /// Errors: `TooManyParents`, `NotAType`, `Cycle` of an entity that is its own parent.
    pub fn push(&mut self, change: &Change) -> Result<(), TableError> {
        match change {
            Change::Put(row) => self.next.put(row, &mut self.moved)?,
            Change::Remove(key) => self.next.remove(key, &mut self.moved),
        }
        Ok(())
    }

    /// Whether an entity is there, as far as the changes came.
    #[must_use]
    pub fn contains(&self, key: &EntityKey) -> bool {
        self.next.find(key).is_some()
    }

    /// The table after all changes.
    ///
    /// Errors: `Cycle`, `TooManyAncestors`.
    pub fn finish(mut self, revision: Revision) -> Result<EntityTable, TableError> {
        self.next.revision = revision;
        self.next.settle(self.moved)?;
        Ok(EntityTable(Arc::new(self.next)))
    }
}

impl EntityTable {
    /// A table of all these rows, which may come in any order.
    ///
    /// Errors: as [`EntityTable::apply`].
    pub fn from_rows(
        rows: impl IntoIterator<Item = EntityRow>,
        revision: Revision,
    ) -> Result<Self, TableError> {
        Self::default().apply(rows.into_iter().map(Change::Put), revision)
    }

    /// The table after these changes, all of them; `self` stays as it is. Of two changes to one entity the
    /// later one counts. Only the outcome must be free of cycles, not the way there.
    ///
    /// Takes time in proportion to the changes and the descendants of what they move.
    /// Errors: [`TableError`], for the first entity that cannot be so.
    pub fn apply(
        &self,
        changes: impl IntoIterator<Item = Change>,
        revision: Revision,
    ) -> Result<Self, TableError> {
        let mut write = self.change();
        changes.into_iter().try_for_each(|change| write.push(&change))?;
        write.finish(revision)
    }

    /// Begins a write on top of this table, which stays as it is.
    #[must_use]
    pub fn change(&self) -> TableBuilder {
        TableBuilder { next: Body::clone(&self.0), moved: Vec::new() }
    }

    /// The table with one entity made or replaced.
    ///
    /// Errors: as [`EntityTable::apply`].
    pub fn upsert(&self, row: EntityRow, revision: Revision) -> Result<Self, TableError> {
        self.apply([Change::Put(row)], revision)
    }

    /// The table without an entity. What names it as a parent stays, and loses what was above it.
    ///
    /// Errors: as [`EntityTable::apply`]; a removal closes no cycle.
    pub fn delete(&self, key: EntityKey, revision: Revision) -> Result<Self, TableError> {
        self.apply([Change::Remove(key)], revision)
    }
}

impl Body {
    fn put(&mut self, row: &EntityRow, moved: &mut Vec<Name>) -> Result<(), TableError> {
        let name = self.intern(&row.key)?;
        let mut parents = row.parents.iter().map(|key| self.intern(key)).collect::<Result<Vec<_>, _>>()?;
        parents.sort();
        parents.dedup();
        if parents.len() > MAX_PARENTS {
            return Err(TableError::TooManyParents(row.key.clone()));
        }
        if parents.binary_search(&name).is_ok() {
            return Err(TableError::Cycle(row.key.clone()));
        }
        let before = self.rows.get(&name).map_or_else(|| self.nothing.clone(), |row| row.lineage().clone());
        let lineage = if before.parents() == parents.as_slice() {
            before
        } else {
            self.rehome(&name, before.parents(), &parents);
            moved.push(name.clone());
            // INVARIANT: the parents are right at once; what is above them is filled in by `settle`.
            let draft = Lineage::over(parents, std::iter::empty());
            Arc::new(draft.ok_or_else(|| TableError::TooManyParents(row.key.clone()))?)
        };
        let row = Row::new(&row.attrs, &row.tags, row.revision, lineage);
        self.rows.insert(name, Arc::new(row));
        Ok(())
    }

    fn remove(&mut self, key: &EntityKey, moved: &mut Vec<Name>) {
        let Some(name) = self.find(key).map(|(name, _)| name.clone()) else { return };
        if let Some(row) = self.rows.remove(&name) {
            let parents = row.lineage().parents();
            if !parents.is_empty() {
                self.rehome(&name, parents, &[]);
                moved.push(name);
            }
        }
    }

    /// The shared name of an entity, whether it is there, is only a parent, or neither.
    fn intern(&mut self, key: &EntityKey) -> Result<Name, TableError> {
        let kind = self.kinds.intern(&key.entity_type).ok_or_else(|| TableError::NotAType(key.clone()))?;
        let probe = Probe { kind: &kind, id: &key.id };
        let row = self.rows.get_key_value(&probe).map(|(name, _)| name);
        let known = row.or_else(|| self.children.get_key_value(&probe).map(|(name, _)| name));
        Ok(known.cloned().unwrap_or_else(|| Name::new(kind, key.id.clone())))
    }

    /// Takes an entity out of its former parents and puts it into its present ones; both sorted.
    fn rehome(&mut self, name: &Name, from: &[Name], to: &[Name]) {
        for parent in from.iter().filter(|parent| to.binary_search(parent).is_err()) {
            let Some(children) = self.children.get_mut(parent) else { continue };
            children.remove(name);
            if children.is_empty() {
                self.children.remove(parent);
            }
        }
        for parent in to.iter().filter(|parent| from.binary_search(parent).is_err()) {
            if let Some(children) = self.children.get_mut(parent) {
                children.insert(name.clone());
            } else {
                let mut children = Children::default();
                children.insert(name.clone());
                self.children.insert(parent.clone(), children);
            }
        }
    }

    /// Gives everything that moved, and all below it, its lineage: parents before children.
    fn settle(&mut self, moved: Vec<Name>) -> Result<(), TableError> {
        let mut waiting = self.below(moved);
        let first = waiting.iter().filter(|(_, count)| **count == 0);
        let mut ready: Vec<Name> = first.map(|(name, _)| name.clone()).collect();
        let mut shared: HashSet<ByParents, RandomState> = HashSet::default();
        while let Some(name) = ready.pop() {
            waiting.remove(&name);
            self.place(&name, &mut shared, &waiting)?;
            for child in self.below_one(&name) {
                if let Some(count) = waiting.get_mut(child) {
                    *count -= 1;
                    if *count == 0 {
                        ready.push(child.clone());
                    }
                }
            }
        }
        // What still waits, waits for itself, or for something that does.
        match waiting.keys().min() {
            Some(stuck) => Err(TableError::Cycle(self.on_cycle(stuck, &waiting).key())),
            None => Ok(()),
        }
    }

    /// All these and their descendants.
    fn below(&self, moved: Vec<Name>) -> Waiting {
        let mut found: Waiting = moved.into_iter().map(|name| (name, 0)).collect();
        let mut open: Vec<Name> = found.keys().cloned().collect();
        while let Some(name) = open.pop() {
            for child in self.below_one(&name) {
                *found.entry(child.clone()).or_insert_with(|| {
                    open.push(child.clone());
                    0
                }) += 1;
            }
        }
        found
    }

    fn below_one(&self, name: &Name) -> impl Iterator<Item = &Name> {
        self.children.get(name).into_iter().flat_map(|children| children.after(None))
    }

    fn parents(&self, name: &Name) -> &[Name] {
        self.rows.get(name).map_or(&[], |row| row.lineage().parents())
    }

    /// Gives one entity its lineage; its parents have theirs.
    fn place(
        &mut self,
        name: &Name,
        shared: &mut HashSet<ByParents, RandomState>,
        waiting: &Waiting,
    ) -> Result<(), TableError> {
        let Some(row) = self.rows.get(name) else { return Ok(()) }; // removed, or never there
        let parents = row.lineage().parents();
        let lineage = if parents.is_empty() {
            self.nothing.clone()
        } else if let Some(ByParents(known)) = shared.get(parents) {
            known.clone()
        } else {
            let made = || {
                let above =
                    parents.iter().filter_map(|parent| Some(self.rows.get(parent)?.lineage().as_ref()));
                Lineage::over(parents.to_vec(), above).map(Arc::new)
            };
            let lineage = self.of_sibling(name, parents, waiting).or_else(made);
            let lineage = lineage.ok_or_else(|| TableError::TooManyAncestors(name.key()))?;
            shared.insert(ByParents(lineage.clone()));
            lineage
        };
        let row = Arc::new(row.moved(lineage));
        self.rows.insert(name.clone(), row);
        Ok(())
    }

    /// The lineage of a sibling with the same parents, if one is at hand whose own is settled.
    fn of_sibling(&self, name: &Name, parents: &[Name], waiting: &Waiting) -> Option<Arc<Lineage>> {
        let near = self.below_one(parents.first()?).take(2).filter(|it| *it != name);
        let settled = near.filter(|it| !waiting.contains_key(*it)).filter_map(|it| self.rows.get(it));
        settled.map(|row| row.lineage()).find(|lineage| lineage.parents() == parents).cloned()
    }

    /// One of those that wait for themselves, from one that waits.
    fn on_cycle(&self, from: &Name, waiting: &Waiting) -> Name {
        let mut seen: HashSet<&Name> = HashSet::new();
        let mut at = from;
        while seen.insert(at) {
            match self.parents(at).iter().find(|parent| waiting.contains_key(*parent)) {
                Some(parent) => at = parent,
                None => break,
            }
        }
        at.clone()
    }
}
