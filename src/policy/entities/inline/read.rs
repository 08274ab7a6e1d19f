//! Reading all entities of a request.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::{
    check::{Apart, check, take_apart},
    cycles,
    fast::{self, Read},
};
use crate::policy::{
    QueryProblem, Snapshot,
    engine::cedar::Entity,
    entities::{
        layers::{Laid, UidMap},
        slice::{entity_problem, too_large},
    },
    query::parse,
};

/// Most entities in a request.
pub const MAX_INLINE_ENTITIES: usize = 10_000;
/// Most parents that the entities of a request name together.
pub const MAX_INLINE_PARENTS: usize = 10_000;

/// Reads the entities of a request, each with its own attributes and direct parents.
///
/// Errors: [`QueryProblem`] when one is malformed, given twice, an action, does not fit the schema, or is its own
/// ancestor, or there are too many of them, of their parents, or of the ancestors of what their tags name.
pub(in crate::policy::entities) fn read(
    raw: &RawValue,
    below: &Laid<'_>,
) -> Result<UidMap<Arc<Entity>>, QueryProblem> {
    let read = match all(raw, below) {
        Some(read) => read,
        None => one_by_one(raw, below)?,
    };
    cycles::refuse(below, &read)?;
    Ok(read.entities)
}

/// The entities of a request, and their order.
#[derive(Default)]
pub(super) struct Entities {
    pub(super) entities: UidMap<Arc<Entity>>,
    /// Those that name parents, each with its place.
    pub(super) with_parents: Vec<(usize, Arc<Entity>)>,
}

impl Entities {
    fn add(&mut self, place: usize, entity: Entity) {
        let entity = Arc::new(entity);
        if entity.parents().next().is_some() {
            self.with_parents.push((place, Arc::clone(&entity)));
        }
        self.entities.insert(entity.uid().clone(), entity);
    }
}

/// All of them by shapes; `None` when one is wrong or unusual.
fn all(raw: &RawValue, below: &Laid<'_>) -> Option<Entities> {
    let mut all = Entities::default();
    let mut parents = 0;
    for (place, read) in fast::all(raw, below.snapshot().names())?.into_iter().enumerate() {
        parents += read.parents.len();
        if parents > MAX_INLINE_PARENTS || all.entities.contains_key(&read.uid) || !complete(&read, below) {
            return None;
        }
        all.add(place, read.into_entity());
    }
    Some(all)
}

/// Whether the attributes that must be there are: in the request or below it.
fn complete(read: &Read<'_>, below: &Laid<'_>) -> bool {
    read.missing == 0 || {
        let mut absent = read.required().filter(|name| !read.attrs.contains_key(*name));
        absent.all(|name| below.has_below(&read.uid, name))
    }
}

/// What was made of an entity before it was checked.
enum Part<'a> {
    Read(Read<'a>),
    Apart(Apart),
}

/// One after the other, for what is wrong with the first that is wrong.
fn one_by_one(raw: &RawValue, below: &Laid<'_>) -> Result<Entities, QueryProblem> {
    let Ok(listed) = serde_json::from_str::<Vec<&RawValue>>(raw.get()) else {
        return Err(entity_problem("/entities", "`entities` must be an array"));
    };
    if listed.len() > MAX_INLINE_ENTITIES {
        return Err(too_large(format!("a request has at most {MAX_INLINE_ENTITIES} entities")));
    }
    let snapshot: &Snapshot = below.snapshot();
    let mut parts = Vec::with_capacity(listed.len());
    let mut seen = UidMap::default();
    let mut parents = 0;
    for (place, raw) in listed.iter().enumerate() {
        let (uid, part, named) = match fast::one(raw, snapshot.names()) {
            Some(read) => (read.uid.clone(), (read.parents.len(), None), Some(read)),
            None => {
                let apart = take_apart(place, &parse(raw, &format!("/entities/{place}"))?)?;
                (apart.uid.as_ref().clone(), (apart.parents.len(), Some(apart)), None)
            }
        };
        parents += part.0;
        if parents > MAX_INLINE_PARENTS {
            return Err(too_large(format!(
                "the entities of a request name at most {MAX_INLINE_PARENTS} parents"
            )));
        }
        if seen.contains_key(&uid) {
            return Err(entity_problem(format!("/entities/{place}/uid"), format!("`{uid}` is given twice")));
        }
        seen.insert(uid, ());
        parts.extend(named.map(Part::Read).or(part.1.map(Part::Apart)));
    }
    let mut all = Entities::default();
    for ((place, part), raw) in parts.into_iter().enumerate().zip(listed) {
        let entity = match part {
            Part::Read(read) if complete(&read, below) => read.into_entity(),
            Part::Read(_) => check(below, &take_apart(place, &parse(raw, &format!("/entities/{place}"))?)?)?,
            Part::Apart(apart) => check(below, &apart)?,
        };
        all.add(place, entity);
    }
    Ok(all)
}
