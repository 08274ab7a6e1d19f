//! The nodes of one side, numbered, and those among them that an entity matches.

use std::sync::Arc;

use foldhash::HashMap;

use super::filing::{Node, Side};
use crate::policy::engine::cedar::{Entity, EntityType, Uid};

/// The number of a node on its side.
pub(super) type NodeNumber = u32;

/// The number of a type that a scope names on its side.
pub(super) type TypeNumber = u32;

/// The node that every entity matches.
const ANY: NodeNumber = 0;

/// The nodes that name one entity.
#[derive(Debug, Clone, Copy, Default)]
struct Named {
    eq: Option<NodeNumber>,
    within: Option<NodeNumber>,
}

/// What is known of one type.
#[derive(Debug, Clone, Copy)]
struct Typed {
    number: TypeNumber,
    is: Option<NodeNumber>,
}

/// The nodes of one side.
#[derive(Debug)]
pub(super) struct Nodes {
    count: NodeNumber,
    entities: HashMap<Arc<Uid>, Named>,
    types: HashMap<Arc<EntityType>, Typed>,
}

impl Default for Nodes {
    fn default() -> Self {
        Self { count: ANY + 1, entities: HashMap::default(), types: HashMap::default() }
    }
}

impl Nodes {
    /// The node that a side names, and the type that it demands beside; both numbered when first met.
    pub(super) fn file(&mut self, side: &Side) -> (NodeNumber, Option<TypeNumber>) {
        let mut count = self.count;
        let node = match &side.node {
            Node::Any => ANY,
            Node::Is(of_type) => *self.typed(of_type).is.get_or_insert_with(|| take(&mut count)),
            Node::Eq(uid) => *self.named(uid).eq.get_or_insert_with(|| take(&mut count)),
            Node::In(uid) => *self.named(uid).within.get_or_insert_with(|| take(&mut count)),
        };
        self.count = count;
        (node, side.of_type.as_ref().map(|of_type| self.typed(of_type).number))
    }

    /// How many nodes there are.
    pub(super) fn count(&self) -> NodeNumber {
        self.count
    }

    /// Fills `into` with the nodes that an entity matches, ascending; answers the number of its type, if it has one.
    ///
    /// `entity` is what is known of it, with all its ancestors.
    pub(super) fn matching(
        &self,
        uid: &Uid,
        entity: Option<&Entity>,
        into: &mut Vec<NodeNumber>,
    ) -> Option<TypeNumber> {
        into.clear();
        into.push(ANY);
        let typed = self.types.get(uid.entity_type());
        into.extend(typed.and_then(|typed| typed.is));
        if let Some(named) = self.entities.get(uid) {
            into.extend(named.eq.into_iter().chain(named.within));
        }
        let above = entity.into_iter().flat_map(Entity::ancestors);
        into.extend(above.filter_map(|ancestor| self.entities.get(ancestor)?.within));
        into.sort_unstable();
        into.dedup();
        typed.map(|typed| typed.number)
    }

    fn named(&mut self, uid: &Arc<Uid>) -> &mut Named {
        self.entities.entry(Arc::clone(uid)).or_default()
    }

    fn typed(&mut self, of_type: &Arc<EntityType>) -> &mut Typed {
        let next = u32::try_from(self.types.len()).unwrap_or(u32::MAX);
        self.types.entry(Arc::clone(of_type)).or_insert(Typed { number: next, is: None })
    }
}

fn take(count: &mut NodeNumber) -> NodeNumber {
    let number = *count;
    *count += 1;
    number
}
