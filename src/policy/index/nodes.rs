//! The nodes of one side, numbered, and those among them that an entity matches.

use foldhash::HashMap;
use smol_str::SmolStr;

use super::{
    filing::{self, Node},
    places::{Side, SideNumber},
    probe::Subject,
};
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

/// What scopes say of one type and of the entities of this type.
#[derive(Debug, Default)]
struct Kind {
    /// Where a scope names the type as such.
    number: Option<TypeNumber>,
    is: Option<NodeNumber>,
    entities: HashMap<SmolStr, Named>,
}

/// The nodes of one side. Ids are looked up within their type: to hash the name of a type is to hash all its parts,
/// and what an entity is in is mostly of few types.
#[derive(Debug)]
pub(super) struct Nodes {
    side: (Side, SideNumber),
    count: NodeNumber,
    types: TypeNumber,
    kinds: HashMap<EntityType, Kind>,
}

impl Nodes {
    /// Those of a side that names nothing yet.
    pub(super) fn new(side: Side) -> Self {
        Self { side: (side, SideNumber::next()), count: ANY + 1, types: 0, kinds: HashMap::default() }
    }

    /// The node that a side names, and the type that it demands beside; both numbered when first met.
    pub(super) fn file(&mut self, side: &filing::Side) -> (NodeNumber, Option<TypeNumber>) {
        let mut count = self.count;
        let node = match &side.node {
            Node::Any => ANY,
            Node::Is(of_type) => *self.kind(of_type).is.get_or_insert_with(|| take(&mut count)),
            Node::Eq(uid) => *self.named(uid).eq.get_or_insert_with(|| take(&mut count)),
            Node::In(uid) => *self.named(uid).within.get_or_insert_with(|| take(&mut count)),
        };
        self.count = count;
        (node, side.of_type.as_ref().map(|of_type| self.typed(of_type)))
    }

    /// How many nodes there are.
    pub(super) fn count(&self) -> NodeNumber {
        self.count
    }

    /// Fills `into` with the nodes that an entity matches, ascending; answers the number of its type, if it has one.
    pub(super) fn matching(&self, subject: Subject<'_>, into: &mut Vec<NodeNumber>) -> Option<TypeNumber> {
        let Subject { uid, entity, places } = subject;
        match places {
            Some(places) => places.nodes(self.side, into, |into| self.find(uid, entity, into)),
            None => self.find(uid, entity, into),
        }
    }

    fn find(&self, uid: &Uid, entity: Option<&Entity>, into: &mut Vec<NodeNumber>) -> Option<TypeNumber> {
        into.clear();
        into.push(ANY);
        let kind = self.kinds.get(uid.entity_type());
        into.extend(kind.and_then(|kind| kind.is));
        if let Some(named) = kind.and_then(|kind| kind.entities.get(uid.eid().as_ref())) {
            into.extend(named.eq.into_iter().chain(named.within));
        }
        let mut last = (uid.entity_type(), kind);
        for ancestor in entity.into_iter().flat_map(Entity::ancestors) {
            if last.0 != ancestor.entity_type() {
                last = (ancestor.entity_type(), self.kinds.get(ancestor.entity_type()));
            }
            let named = last.1.and_then(|kind| kind.entities.get(ancestor.eid().as_ref()));
            into.extend(named.and_then(|named| named.within));
        }
        into.sort_unstable();
        into.dedup();
        kind.and_then(|kind| kind.number)
    }

    fn named(&mut self, uid: &Uid) -> &mut Named {
        let id: &str = uid.eid().as_ref();
        self.kind(uid.entity_type()).entities.entry(id.into()).or_default()
    }

    fn kind(&mut self, of_type: &EntityType) -> &mut Kind {
        self.kinds.entry(of_type.clone()).or_default()
    }

    fn typed(&mut self, of_type: &EntityType) -> TypeNumber {
        let next = self.types;
        let number = *self.kind(of_type).number.get_or_insert(next);
        self.types = self.types.max(number + 1);
        number
    }
}

fn take(count: &mut NodeNumber) -> NodeNumber {
    let number = *count;
    *count += 1;
    number
}
