//! Choosing the entities of a slice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cedar_policy::{Entities, Entity, EntityUid, EvalResult};
use serde_json::{Map, Value};

use super::layers::Layers;
use crate::policy::engine::cedar::{Dereference, Entities as CoreEntities, Entity as CoreEntity, Uid};
use crate::policy::{Query, QueryProblem, QueryProblemKind, Snapshot, query::chain};

/// Most entities in a request.
pub const MAX_INLINE_ENTITIES: usize = 10_000;
/// Most parents that the entities of a request name together.
pub const MAX_INLINE_PARENTS: usize = 10_000;
/// Most ancestors that the entities of a slice have together, so that a request cannot ask for more memory
/// than it is long.
const MAX_ANCESTORS: usize = 200_000;

/// An entity of the identity layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityRecord {
    /// Its name.
    pub uid: EntityUid,
    /// Its attributes in Cedar's JSON form with explicit escapes (`__entity`, `__extn`). Those that the schema
    /// does not declare for the type are left out.
    pub attrs: Map<String, Value>,
    /// What it is directly in.
    pub parents: Vec<EntityUid>,
}

/// The entities that one decision may look at. Actions with their groups are always among them.
#[derive(Debug, Clone)]
pub struct EntitySlice {
    entities: Entities,
}

impl EntitySlice {
    /// Puts a slice together for a query.
    ///
    /// `identity` is what users, roles and tenants are; `inline` the `entities` of the request, Cedar entity JSON.
    ///
    /// Errors: [`QueryProblem`] with a pointer such as `/entities/0/attrs/owner` when an entity of the request is
    /// malformed, does not fit the schema, or closes a cycle of parents, or there are too many.
    pub fn build(
        snapshot: &Snapshot,
        query: &Query,
        identity: &[EntityRecord],
        inline: &[Value],
    ) -> Result<Self, QueryProblem> {
        let layers = Layers::new(snapshot, identity, inline)?;
        layers.check()?;
        let mut chosen: BTreeMap<EntityUid, Entity> = BTreeMap::new();
        let mut seen: BTreeSet<EntityUid> = BTreeSet::new();
        let mut frontier: VecDeque<EntityUid> = roots(query).into();
        let mut ancestors = 0;
        // The first round is level 1: what `principal.attribute` reads.
        for _ in 0..snapshot.level().max(1) {
            let mut next = VecDeque::new();
            for uid in frontier.drain(..) {
                if uid.type_name().basename() == "Action" || !seen.insert(uid.clone()) {
                    continue;
                }
                let Some(entity) = layers.entity(&uid)? else { continue };
                ancestors += layers.ancestors(&uid).len();
                if ancestors > MAX_ANCESTORS {
                    return Err(too_large("the entities of this decision have too many ancestors"));
                }
                next.extend(named_in(&entity));
                chosen.insert(uid, entity);
            }
            if next.is_empty() {
                break;
            }
            frontier = next;
        }
        let actions = snapshot.actions().iter().cloned();
        let entities = Entities::from_entities(actions.chain(chosen.into_values()), None)
            .map_err(|error| entity_problem("/entities", chain(&error)))?;
        Ok(Self { entities })
    }

    /// A slice of all these entities, as they are: for replaying a recorded slice, and for tests.
    ///
    /// The action entities must be those of the snapshot's schema: they are when Cedar read the entities with it.
    #[must_use]
    pub fn whole(entities: Entities) -> Self {
        Self { entities }
    }

    /// The entities without the actions, in Cedar's JSON form with all ancestors as parents, sorted by name.
    ///
    /// Errors: Cedar's message for a value that has no JSON form.
    pub fn to_json(&self) -> Result<Value, String> {
        let mut listed = BTreeMap::new();
        for entity in self.entities.iter().filter(|entity| entity.uid().type_name().basename() != "Action") {
            let mut json = entity.to_json_value().map_err(|error| chain(&error))?;
            if let Some(Value::Array(parents)) = json.get_mut("parents") {
                parents.sort_by_key(Value::to_string);
            }
            listed.insert(entity.uid(), json);
        }
        Ok(Value::Array(listed.into_values().collect()))
    }

    /// The entity of this name with all its ancestors; `None` when no layer knows it.
    pub(in crate::policy) fn entity(&self, uid: &Uid) -> Option<&CoreEntity> {
        match self.entities.as_ref().entity(uid) {
            Dereference::Data(entity) => Some(entity),
            Dereference::NoSuchEntity | Dereference::Residual(_) => None,
        }
    }

    /// All that a policy may read to decide `query`, for Cedar's own evaluator.
    pub(in crate::policy) fn complete(&self, _query: &Query) -> CoreEntities {
        self.entities.as_ref().clone()
    }

    /// The entities.
    pub(in crate::policy) fn entities(&self) -> &Entities {
        &self.entities
    }
}

/// Principal, resource, and what the context names.
fn roots(query: &Query) -> Vec<EntityUid> {
    let mut roots = vec![query.principal().clone(), query.resource().clone()];
    for value in query.values().values() {
        collect(&EvalResult::from(value.clone()), &mut roots);
    }
    roots
}

/// The entities that the attributes and tags of an entity name.
fn named_in(entity: &Entity) -> Vec<EntityUid> {
    let mut named = Vec::new();
    let values = entity.attrs().chain(entity.tags()).filter_map(|(_, value)| value.ok());
    values.for_each(|value| collect(&value, &mut named));
    named
}

fn collect(value: &EvalResult, into: &mut Vec<EntityUid>) {
    match value {
        EvalResult::EntityUid(uid) => into.push(uid.clone()),
        EvalResult::Set(elements) => elements.iter().for_each(|element| collect(element, into)),
        EvalResult::Record(record) => record.iter().for_each(|(_, element)| collect(element, into)),
        EvalResult::Bool(_) | EvalResult::Long(_) | EvalResult::String(_) | EvalResult::ExtensionValue(_) => {
        }
    }
}

pub(super) fn entity_problem(pointer: impl Into<String>, message: impl Into<String>) -> QueryProblem {
    QueryProblem::new(pointer, QueryProblemKind::Entity, message)
}

pub(super) fn too_large(message: impl Into<String>) -> QueryProblem {
    QueryProblem::new("/entities", QueryProblemKind::TooLarge, message)
}
