//! The layers under a slice, laid over each other.

use std::{collections::HashMap, sync::Arc};

use cedar_policy::EntityUid;
use serde_json::value::RawValue;

use super::{
    EntityTable,
    inline::{self, Inline},
};
use crate::policy::{
    QueryProblem, Snapshot,
    engine::cedar::{Dereference, Entity, PartialValue, Uid},
};

/// A map of names that hashes fast.
pub(super) type UidMap<V> = HashMap<Uid, V, foldhash::fast::RandomState>;
/// A set of names that hashes fast.
pub(super) type UidSet = std::collections::HashSet<Uid, foldhash::fast::RandomState>;

/// What lies over the static entities of a snapshot, from the bottom up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Layers<'a> {
    /// What users, roles and tenants are; parents are the direct ones.
    pub identity: &'a [Arc<cedar_policy::Entity>],
    /// What applications stored.
    pub stored: Option<&'a EntityTable>,
    /// The `entities` of the request: a JSON array of Cedar's entity JSON.
    pub inline: Option<&'a RawValue>,
}

/// An entity as a slice holds it.
#[derive(Debug, Clone)]
pub(super) enum Held {
    /// One of the snapshot's.
    Static(Arc<Entity>),
    /// One of a layer, as it is there.
    Shared(Arc<cedar_policy::Entity>),
    /// One put together from several.
    Merged(Entity),
}

impl Held {
    pub(super) fn core(&self) -> &Entity {
        match self {
            Self::Static(entity) => entity,
            Self::Shared(entity) => (**entity).as_ref(),
            Self::Merged(entity) => entity,
        }
    }
}

/// All that is known of entities for one decision.
#[derive(Debug)]
pub(super) struct Laid<'a> {
    snapshot: &'a Snapshot,
    identity: HashMap<&'a Uid, &'a Arc<cedar_policy::Entity>, foldhash::fast::RandomState>,
    stored: Option<&'a EntityTable>,
    inline: UidMap<Inline>,
}

impl<'a> Laid<'a> {
    /// Lays the layers over each other, having checked every entity of the request.
    ///
    /// Errors: as [`inline::read`].
    pub(super) fn new(snapshot: &'a Snapshot, layers: Layers<'a>) -> Result<Self, QueryProblem> {
        let identity = layers.identity.iter().map(|entity| ((**entity).as_ref().uid(), entity)).collect();
        let mut laid = Self { snapshot, identity, stored: layers.stored, inline: UidMap::default() };
        if let Some(raw) = layers.inline {
            laid.inline = inline::read(raw, &laid)?;
        }
        Ok(laid)
    }

    pub(super) fn snapshot(&self) -> &'a Snapshot {
        self.snapshot
    }

    /// An entity with all its ancestors; `None` when no layer knows it.
    pub(super) fn entity(&self, uid: &Uid) -> Option<Held> {
        let mut below = self.below(uid);
        let inline = self.inline.get(uid);
        if below.is_empty() && inline.is_none() {
            return None;
        }
        let above = self.ancestors(uid);
        if inline.is_none()
            && below.len() == 1
            && below.iter().all(|held| held.core().ancestors().count() == above.len())
        {
            return below.pop();
        }
        Some(Held::Merged(merge(uid, &below, inline, above)))
    }

    /// What the layers below the request know of an entity, from the bottom up.
    pub(super) fn below(&self, uid: &Uid) -> Vec<Held> {
        let fixed = self.fixed(uid).map(|entity| Held::Static(Arc::new(entity.clone())));
        let identity = self.identity.get(uid).map(|entity| Held::Shared(Arc::clone(entity)));
        let stored = self.stored_entity(uid).map(Held::Shared);
        fixed.into_iter().chain(identity).chain(stored).collect()
    }

    fn fixed(&self, uid: &Uid) -> Option<&'a Entity> {
        match self.snapshot.static_entities().as_ref().entity(uid) {
            Dereference::Data(entity) => Some(entity),
            Dereference::NoSuchEntity | Dereference::Residual(_) => None,
        }
    }

    fn stored_entity(&self, uid: &Uid) -> Option<Arc<cedar_policy::Entity>> {
        self.stored?.entity(&EntityUid::from(uid.clone()))
    }

    /// All that an entity is in, directly or not, by all layers together.
    fn ancestors(&self, uid: &Uid) -> UidSet {
        let mut above = UidSet::default();
        let mut open = Vec::new();
        self.parents(uid, &mut open);
        while let Some(next) = open.pop() {
            if !above.contains(&next) {
                self.parents(&next, &mut open);
                above.insert(next);
            }
        }
        above
    }

    /// What the layers say an entity is in; a layer may name indirect ancestors too.
    pub(super) fn parents(&self, uid: &Uid, into: &mut Vec<Uid>) {
        self.parents_below(uid, into);
        into.extend(self.inline.get(uid).into_iter().flat_map(|inline| inline.parents.iter().cloned()));
    }

    /// As [`Laid::parents`], of the layers below the request.
    pub(super) fn parents_below(&self, uid: &Uid, into: &mut Vec<Uid>) {
        into.extend(self.fixed(uid).into_iter().flat_map(Entity::ancestors).cloned());
        if let Some(entity) = self.identity.get(uid) {
            into.extend((***entity).as_ref().ancestors().cloned());
        }
        if let Some(entity) = self.stored_entity(uid) {
            into.extend((*entity).as_ref().ancestors().cloned());
        }
    }
}

/// The layers of one entity, later ones winning attribute by attribute and tag by tag.
fn merge(uid: &Uid, below: &[Held], inline: Option<&Inline>, mut above: UidSet) -> Entity {
    let mut attrs: std::collections::BTreeMap<_, PartialValue> = std::collections::BTreeMap::new();
    let mut tags = attrs.clone();
    for entity in below.iter().map(Held::core) {
        attrs.extend(entity.attrs().map(|(name, value)| (name.clone(), value.clone())));
        tags.extend(entity.tags().map(|(name, value)| (name.clone(), value.clone())));
    }
    if let Some(inline) = inline {
        attrs.extend(inline.attrs.iter().map(|(name, value)| (name.clone(), value.clone())));
        tags.extend(inline.tags.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    // A group is not in itself, whatever the layers say.
    above.remove(uid);
    Entity::new_with_attr_partial_value(
        uid.clone(),
        attrs,
        std::collections::HashSet::new(),
        above.into_iter().collect(),
        tags,
    )
}
