//! The slice: entities made on demand, or all of them beforehand.

use std::{collections::BTreeMap, sync::Arc};

use cedar_policy::Entities;
use elsa::FrozenMap;
use serde_json::Value;

use super::{
    layers::{Held, Laid, Layers, UidSet},
    reach::{named_in, roots},
};
use crate::policy::{
    Query, QueryProblem, QueryProblemKind, Snapshot,
    engine::cedar::{
        Dereference, Entities as CoreEntities, Entity as CoreEntity, Extensions, NoEntitiesSchema,
        TCComputation, Uid,
    },
    index::Subject,
    query::chain,
};

/// Most ancestors that the entities of an owned slice have together, so that a request cannot ask for more
/// memory than it is long.
pub(super) const MAX_ANCESTORS: usize = 200_000;

/// The entities that one decision, or a batch of decisions, may look at. Actions with their groups are always
/// among them.
#[derive(Debug)]
pub struct EntitySlice<'a> {
    source: Source<'a>,
}

#[derive(Debug)]
enum Source<'a> {
    /// All of them, as they are.
    Whole(Entities),
    /// Made when they are looked at.
    Laid { laid: Laid<'a>, made: Made },
}

/// What was looked at, with what there was.
#[derive(Default)]
struct Made(FrozenMap<Uid, Box<Option<Held>>, foldhash::fast::RandomState>);

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Made")
    }
}

impl<'a> EntitySlice<'a> {
    /// Lays the layers over each other. Every entity of the request is checked, whether a decision reads it or not.
    ///
    /// Errors: [`QueryProblem`] with a pointer such as `/entities/0/attrs/owner` when an entity of the request is
    /// malformed, does not fit the schema, or closes a cycle of parents, or there are too many.
    pub fn new(snapshot: &'a Snapshot, layers: Layers<'a>) -> Result<Self, QueryProblem> {
        let laid = Laid::new(snapshot, layers)?;
        Ok(Self { source: Source::Laid { laid, made: Made::default() } })
    }

    /// A slice of all these entities, as they are: for replaying a recorded slice, and for tests.
    ///
    /// The action entities must be those of the snapshot's schema: they are when Cedar read the entities with it.
    #[must_use]
    pub fn whole(entities: Entities) -> EntitySlice<'static> {
        EntitySlice { source: Source::Whole(entities) }
    }

    /// All that a policy of the snapshot may read for `query`, as a slice of its own: for explanations,
    /// verification and records.
    ///
    /// Errors: [`QueryProblem`] when these entities have too many ancestors together.
    pub fn owned(&self, snapshot: &Snapshot, query: &Query) -> Result<EntitySlice<'static>, QueryProblem> {
        let entities = match &self.source {
            Source::Whole(entities) => entities.clone(),
            Source::Laid { .. } => self.chosen(snapshot, query, MAX_ANCESTORS)?.into(),
        };
        Ok(EntitySlice { source: Source::Whole(entities) })
    }

    /// The entities of an owned slice without the actions, in Cedar's JSON form with all ancestors as parents, sorted
    /// by name.
    ///
    /// Errors: Cedar's message for a value that has no JSON form; a slice that is not owned has no end to write.
    pub fn to_json(&self) -> Result<Value, String> {
        let Source::Whole(entities) = &self.source else {
            return Err("the slice makes its entities on demand: only an owned one can be written".to_owned());
        };
        let mut listed = BTreeMap::new();
        for entity in entities.iter().filter(|entity| !is_action(entity)) {
            let mut json = entity.to_json_value().map_err(|error| chain(&error))?;
            if let Some(Value::Array(parents)) = json.get_mut("parents") {
                parents.sort_by_key(Value::to_string);
            }
            listed.insert(entity.uid(), json);
        }
        Ok(Value::Array(listed.into_values().collect()))
    }

    /// Looks up an entity that a decision is about.
    pub(in crate::policy) fn subject<'s>(&'s self, uid: &'s Uid) -> Subject<'s> {
        match &self.source {
            Source::Laid { .. } if !uid.is_action() => {
                let held = self.held(uid);
                Subject { uid, entity: held.map(Held::core), places: held.and_then(Held::places) }
            }
            _ => Subject { uid, entity: self.entity(uid), places: None },
        }
    }

    /// The entity of this name with all its ancestors; `None` when no layer knows it.
    pub(in crate::policy) fn entity(&self, uid: &Uid) -> Option<&CoreEntity> {
        match &self.source {
            Source::Whole(entities) => found(entities.as_ref(), uid),
            Source::Laid { laid, .. } if uid.is_action() => found(laid.snapshot().actions().as_ref(), uid),
            Source::Laid { .. } => self.held(uid).map(Held::core),
        }
    }

    /// An entity of layers, made when it is first looked at.
    fn held(&self, uid: &Uid) -> Option<&Held> {
        let Source::Laid { laid, made } = &self.source else { return None };
        let known = made.0.get(uid);
        known.unwrap_or_else(|| made.0.insert(uid.clone(), Box::new(laid.entity(uid)))).as_ref()
    }

    /// All that a policy may read to decide `query`, for Cedar's own evaluator.
    pub(in crate::policy) fn complete(&self, query: &Query) -> CoreEntities {
        match &self.source {
            Source::Whole(entities) => entities.as_ref().clone(),
            Source::Laid { laid, .. } => self.chosen(laid.snapshot(), query, usize::MAX).unwrap_or_default(),
        }
    }

    /// Principal, resource and what the context names, expanded to the validated level, and all actions.
    fn chosen(&self, snapshot: &Snapshot, query: &Query, most: usize) -> Result<CoreEntities, QueryProblem> {
        let mut chosen: Vec<Arc<CoreEntity>> = Vec::new();
        let mut seen = UidSet::default();
        let mut frontier = roots(query);
        let mut ancestors = 0;
        // The first round is level 1: what `principal.attribute` reads.
        for _ in 0..snapshot.level().max(1) {
            let mut next = Vec::new();
            for uid in frontier.drain(..) {
                if uid.is_action() || seen.contains(&uid) {
                    continue;
                }
                if let Some(held) = self.held(&uid) {
                    let entity = held.core();
                    ancestors += entity.ancestors().count();
                    if ancestors > most {
                        return Err(too_large("the entities of this decision have too many ancestors"));
                    }
                    named_in(entity, &mut next);
                    chosen.push(held.to_core());
                }
                seen.insert(uid);
            }
            if next.is_empty() {
                break;
            }
            frontier = next;
        }
        let actions = snapshot.actions().as_ref().clone();
        let (closed, extensions) = (TCComputation::AssumeAlreadyComputed, Extensions::all_available());
        actions
            .add_entities(chosen, None::<&NoEntitiesSchema>, closed, extensions)
            .map_err(|error| entity_problem("/entities", chain(&error)))
    }
}

fn is_action(entity: &cedar_policy::Entity) -> bool {
    let entity: &CoreEntity = entity.as_ref();
    entity.uid().is_action()
}

fn found<'e>(entities: &'e CoreEntities, uid: &Uid) -> Option<&'e CoreEntity> {
    match entities.entity(uid) {
        Dereference::Data(entity) => Some(entity),
        Dereference::NoSuchEntity | Dereference::Residual(_) => None,
    }
}

pub(super) fn entity_problem(pointer: impl Into<String>, message: impl Into<String>) -> QueryProblem {
    QueryProblem::new(pointer, QueryProblemKind::Entity, message)
}

pub(super) fn too_large(message: impl Into<String>) -> QueryProblem {
    QueryProblem::new("/entities", QueryProblemKind::TooLarge, message)
}
