//! The table: what it holds and how it is read.

use std::sync::Arc;

use cedar_policy::{Entity, EntityUid};
use foldhash::fast::RandomState;
use imbl::{GenericHashMap, shared_ptr::DefaultSharedPtr};

use super::{
    EntityKey, EntityRow, Revision,
    lineage::{Children, Lineage},
    memo::{KeptEntity, Memo},
    names::{Kinds, Name, Probe},
};
use crate::policy::engine::{
    cedar::{Entity as CoreEntity, Uid},
    packed,
};

/// A persistent map: a clone is a reference, an insert copies a path.
pub(super) type Map<K, V> = GenericHashMap<K, V, RandomState, DefaultSharedPtr>;

/// What is kept of one entity.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Attributes, then tags: two JSON objects, one after the other.
    text: Arc<str>,
    /// Where the tags begin.
    tags_at: u32,
    revision: Revision,
    lineage: Arc<Lineage>,
}

impl Row {
    pub(super) fn new(attrs: &str, tags: &str, revision: Revision, lineage: Arc<Lineage>) -> Self {
        let tags_at = u32::try_from(attrs.len()).unwrap_or(u32::MAX); // texts of 4 GiB do not come here
        Self { text: [attrs, tags].concat().into(), tags_at, revision, lineage }
    }

    /// The same entity in another place.
    pub(super) fn moved(&self, lineage: Arc<Lineage>) -> Self {
        Self { lineage, ..self.clone() }
    }

    pub(super) fn lineage(&self) -> &Arc<Lineage> {
        &self.lineage
    }

    pub(super) fn text_len(&self) -> usize {
        self.text.len()
    }

    /// Whether it says the same, by whichever write.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.texts() == other.texts() && self.lineage.parents() == other.lineage.parents()
    }

    fn texts(&self) -> (&str, &str) {
        self.text.split_at_checked(usize::try_from(self.tags_at).unwrap_or(usize::MAX)).unwrap_or_default()
    }
}

/// The pushed entities of one store at one revision. A clone is a reference to the same.
#[derive(Debug, Clone, Default)]
pub struct EntityTable(pub(super) Arc<Body>);

/// What a table is. A clone shares everything; a write changes a clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Body {
    pub(super) revision: Revision,
    pub(super) kinds: Kinds,
    pub(super) rows: Map<Name, Arc<Row>>,
    /// By parent, which need not be among the rows.
    pub(super) children: Map<Name, Children>,
    /// What entities with nothing above them have.
    pub(super) nothing: Arc<Lineage>,
    memo: Arc<Memo>,
}

impl EntityTable {
    /// The write that this table shows the outcome of.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.0.revision
    }

    /// How many entities there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.rows.is_empty()
    }

    /// The entity of this name, with all its ancestors within the table: its parents as parents, the others
    /// as indirect ancestors. `None` when it was not pushed.
    ///
    /// It is made of the stored text when first asked for, and again when it or what is above it changed.
    #[must_use]
    pub fn entity(&self, uid: &EntityUid) -> Option<Arc<KeptEntity>> {
        self.kept(uid.as_ref())
    }

    /// As [`EntityTable::entity`].
    pub(in crate::policy) fn kept(&self, uid: &Uid) -> Option<Arc<KeptEntity>> {
        let body = &*self.0;
        let probe = Probe { kind: body.kinds.of(uid.entity_type())?, id: uid.eid().as_ref() };
        let (name, row) = body.rows.get_key_value(&probe)?;
        if let Some(kept) = body.memo.get(probe, row) {
            return Some(kept);
        }
        let kept = KeptEntity::new(row, body.make(name, row)?);
        body.memo.keep(name.clone(), Arc::clone(&kept));
        Some(kept)
    }

    /// Whether the entity was pushed.
    #[must_use]
    pub fn contains(&self, key: &EntityKey) -> bool {
        self.0.find(key).is_some()
    }

    /// The entity as it is stored.
    #[must_use]
    pub fn row(&self, key: &EntityKey) -> Option<EntityRow> {
        let (name, row) = self.0.find(key)?;
        Some(stored(name, row))
    }

    /// Everything that an entity is in, parents first.
    #[must_use]
    pub fn ancestors(&self, key: &EntityKey) -> Vec<EntityKey> {
        let lineage = self.0.find(key).map(|(_, row)| row.lineage.as_ref());
        lineage.into_iter().flat_map(|it| it.parents().iter().chain(it.others())).map(Name::key).collect()
    }

    /// The entities directly in `parent`, which need not exist, in the order of their names: those of one type,
    /// or all, after `after`, at most `limit`.
    #[must_use]
    pub fn children(
        &self,
        parent: &EntityKey,
        entity_type: Option<&str>,
        after: Option<&EntityKey>,
        limit: usize,
    ) -> Vec<EntityRow> {
        let body = &*self.0;
        let children = body.probe(parent).and_then(|probe| body.children.get(&probe));
        let after = after.map(|key| {
            let mut kinds = body.kinds.clone(); // a place between names may have a type that no entity has
            kinds.intern(&key.entity_type).map(|kind| Name::new(kind, key.id.clone()))
        });
        let after = match after {
            Some(None) => return Vec::new(),
            after => after.flatten(),
        };
        let of_type = |name: &&Name| entity_type.is_none_or(|wanted| name.is_of(wanted));
        let names = children.into_iter().flat_map(|children| children.after(after.as_ref()));
        names
            .filter(of_type)
            .filter_map(|name| Some(stored(name, body.rows.get(name)?)))
            .take(limit)
            .collect()
    }

    /// Every entity as it is stored, in no order.
    pub fn iter(&self) -> impl Iterator<Item = EntityRow> + '_ {
        self.0.rows.iter().map(|(name, row)| stored(name, row))
    }
}

impl Body {
    fn probe<'a>(&'a self, key: &'a EntityKey) -> Option<Probe<'a>> {
        Some(Probe { kind: self.kinds.named(&key.entity_type)?, id: &key.id })
    }

    pub(super) fn find(&self, key: &EntityKey) -> Option<(&Name, &Arc<Row>)> {
        self.rows.get_key_value(&self.probe(key)?)
    }

    fn make(&self, name: &Name, row: &Row) -> Option<Entity> {
        let (attrs, tags) = row.texts();
        let types = |name: &str| self.kinds.core(name);
        let entity = CoreEntity::new_with_attr_partial_value(
            name.uid(),
            packed::read(attrs, &types).ok()?,
            row.lineage.others().iter().map(Name::uid).collect(),
            row.lineage.parents().iter().map(Name::uid).collect(),
            packed::read(tags, &types).ok()?,
        );
        Some(entity.into())
    }
}

pub(super) fn stored(name: &Name, row: &Row) -> EntityRow {
    let (attrs, tags) = row.texts();
    EntityRow {
        key: name.key(),
        attrs: attrs.to_owned(),
        tags: tags.to_owned(),
        parents: row.lineage.parents().iter().map(Name::key).collect(),
        revision: row.revision,
    }
}

#[cfg(test)]
#[path = "tests/rows.rs"]
mod tests;
