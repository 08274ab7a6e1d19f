//! The layers under a slice, laid over each other.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use serde_json::value::RawValue;

use super::{EntityTable, KeptEntity, inline};
use crate::policy::{
    QueryProblem, Snapshot,
    engine::cedar::{Entity, Uid},
    index::Places,
};

/// A map of names that hashes fast.
pub(super) type UidMap<V> = HashMap<Uid, V, foldhash::fast::RandomState>;
/// A set of names that hashes fast.
pub(super) type UidSet = HashSet<Uid, foldhash::fast::RandomState>;

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
    /// One of Cedar's core crate.
    Core(Arc<Entity>),
    /// One of Cedar's public crate.
    Public(Arc<cedar_policy::Entity>),
    /// One that the hot copy of the store keeps, as it is.
    Kept(Arc<KeptEntity>),
}

impl Held {
    pub(super) fn core(&self) -> &Entity {
        match self {
            Self::Core(entity) => entity,
            Self::Public(entity) => (**entity).as_ref(),
            Self::Kept(kept) => (***kept).as_ref(),
        }
    }

    /// What is remembered of this very entity.
    pub(super) fn places(&self) -> Option<&Places> {
        if let Self::Kept(kept) = self { Some(kept.places()) } else { None }
    }

    pub(super) fn to_core(&self) -> Arc<Entity> {
        match self {
            Self::Core(entity) => Arc::clone(entity),
            Self::Public(_) | Self::Kept(_) => Arc::new(self.core().clone()),
        }
    }
}

/// The number of a layer, from the bottom up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    Fixed,
    Identity,
    Stored,
    Inline,
}

impl Layer {
    const ALL: [Self; 4] = [Self::Fixed, Self::Identity, Self::Stored, Self::Inline];
    const BELOW: [Self; 3] = [Self::Fixed, Self::Identity, Self::Stored];

    /// Whether its entities name all their ancestors within it; otherwise the direct ones.
    fn is_closed(self) -> bool {
        matches!(self, Self::Fixed | Self::Stored)
    }
}

/// All that is known of entities for one decision.
#[derive(Debug)]
pub(super) struct Laid<'a> {
    snapshot: &'a Snapshot,
    identity: HashMap<&'a Uid, &'a Arc<cedar_policy::Entity>, foldhash::fast::RandomState>,
    stored: Option<&'a EntityTable>,
    inline: UidMap<Arc<Entity>>,
    /// Whether there is but one layer, so that what it knows is complete.
    alone: Option<Layer>,
}

impl<'a> Laid<'a> {
    /// Lays the layers over each other, having checked every entity of the request.
    ///
    /// Errors: as [`inline::read`].
    pub(super) fn new(snapshot: &'a Snapshot, layers: Layers<'a>) -> Result<Self, QueryProblem> {
        let identity: HashMap<_, _, _> =
            layers.identity.iter().map(|entity| ((**entity).as_ref().uid(), entity)).collect();
        let inline = UidMap::default();
        let mut laid = Self { snapshot, identity, stored: layers.stored, inline, alone: None };
        if let Some(raw) = layers.inline {
            laid.inline = inline::read(raw, &laid)?;
        }
        if laid.identity.is_empty() && laid.inline.is_empty() {
            laid.alone = match (snapshot.static_entities().is_empty(), &laid.stored) {
                (true, Some(_)) => Some(Layer::Stored),
                (_, None) => Some(Layer::Fixed),
                (false, Some(_)) => None,
            };
        }
        Ok(laid)
    }

    pub(super) fn snapshot(&self) -> &'a Snapshot {
        self.snapshot
    }

    /// An entity with all its ancestors; `None` when no layer knows it.
    pub(super) fn entity(&self, uid: &Uid) -> Option<Held> {
        if let Some(layer) = self.alone {
            return self.layer(layer, uid);
        }
        let known = Layer::ALL.map(|layer| self.layer(layer, uid));
        let mut held = known.iter().flatten();
        let first = held.next()?;
        let alone = held.next().is_none();
        let above = self.ancestors(&known);
        if alone && first.core().ancestors().count() == above.len() {
            return Some(first.clone());
        }
        Some(Held::Core(Arc::new(merge(uid, &known, above))))
    }

    /// Whether a layer below the request gives an entity this attribute.
    pub(super) fn has_below(&self, uid: &Uid, attribute: &str) -> bool {
        self.below(uid).any(|held| held.core().get(attribute).is_some())
    }

    /// What the layers below the request know of an entity, from the bottom up.
    pub(super) fn below(&self, uid: &Uid) -> impl Iterator<Item = Held> {
        Layer::BELOW.into_iter().filter_map(|layer| self.layer(layer, uid))
    }

    /// What one layer knows of an entity.
    fn layer(&self, layer: Layer, uid: &Uid) -> Option<Held> {
        match layer {
            Layer::Fixed => self.snapshot.names().entity(uid).cloned().map(Held::Core),
            Layer::Identity if self.identity.is_empty() => None,
            Layer::Identity => self.identity.get(uid).map(|entity| Held::Public(Arc::clone(entity))),
            Layer::Stored => self.stored?.kept(uid).map(Held::Kept),
            Layer::Inline if self.inline.is_empty() => None,
            Layer::Inline => self.inline.get(uid).cloned().map(Held::Core),
        }
    }

    /// All that an entity is in, directly or not, by all layers together.
    fn ancestors(&self, known: &[Option<Held>; 4]) -> UidSet {
        let mut above = UidSet::default();
        let mut open: Vec<(Uid, Layer)> = Vec::new();
        let mut push = |open: &mut Vec<(Uid, Layer)>, layer: Layer, held: &Held| {
            for ancestor in held.core().ancestors() {
                if !above.contains(ancestor) {
                    above.insert(ancestor.clone());
                    open.push((ancestor.clone(), layer));
                }
            }
        };
        for (layer, held) in Layer::ALL.into_iter().zip(known) {
            if let Some(held) = held {
                push(&mut open, layer, held);
            }
        }
        while let Some((next, from)) = open.pop() {
            // Whoever named this ancestor named what it is in there too.
            for layer in Layer::ALL.into_iter().filter(|layer| *layer != from || !layer.is_closed()) {
                if let Some(held) = self.layer(layer, &next) {
                    push(&mut open, layer, &held);
                }
            }
        }
        above
    }

    /// What the layers below the request say an entity is in; some name indirect ancestors too.
    pub(super) fn parents_below(&self, uid: &Uid, into: &mut Vec<Uid>) {
        self.below(uid).for_each(|held| into.extend(held.core().ancestors().cloned()));
    }
}

/// The layers of one entity, later ones winning attribute by attribute and tag by tag.
fn merge(uid: &Uid, known: &[Option<Held>], mut above: UidSet) -> Entity {
    let (mut attrs, mut tags) = (BTreeMap::new(), BTreeMap::new());
    for held in known.iter().flatten() {
        attrs.extend(held.core().attrs().map(|(name, value)| (name.clone(), value.clone())));
        tags.extend(held.core().tags().map(|(name, value)| (name.clone(), value.clone())));
    }
    // Nothing is in itself, whatever the layers say.
    above.remove(uid);
    let above = above.into_iter().collect();
    Entity::new_with_attr_partial_value(uid.clone(), attrs, HashSet::new(), above, tags)
}
