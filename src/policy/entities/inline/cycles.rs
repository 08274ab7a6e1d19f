//! What the parents of a request must not do: close a cycle, or make tags name too much.

use super::read::Entities;
use crate::policy::{
    QueryProblem,
    engine::cedar::Uid,
    entities::{
        layers::{Laid, UidSet},
        reach::named_in_tags,
        slice::{MAX_ANCESTORS, entity_problem, too_large},
    },
};

/// Walks up from each entity of the request that names parents; meeting an entity again on the same way up is a
/// cycle.
///
/// Errors: an entity that is its own ancestor; tags whose entities have too many ancestors together. A policy
/// reads a tag by any name, so Cedar's evaluator is given all of them.
pub(super) fn refuse(below: &Laid<'_>, read: &Entities) -> Result<(), QueryProblem> {
    let parents = |uid: &Uid| {
        let mut above = Vec::new();
        below.parents_below(uid, &mut above);
        above.extend(read.entities.get(uid).into_iter().flat_map(|one| one.parents().cloned()));
        above
    };
    let mut done = UidSet::default();
    for (place, start) in &read.with_parents {
        let mut way: Vec<(Uid, Vec<Uid>)> = Vec::new();
        let mut on_way = UidSet::default();
        let mut enter = Some(start.uid().clone());
        loop {
            if let Some(uid) = enter.take().filter(|uid| !done.contains(uid)) {
                if !on_way.insert(uid.clone()) {
                    let message = format!("`{uid}` is its own ancestor");
                    return Err(entity_problem(format!("/entities/{place}/parents"), message));
                }
                let above = parents(&uid);
                way.push((uid, above));
            }
            match way.last_mut() {
                None => break,
                Some((_, above)) if !above.is_empty() => enter = above.pop(),
                Some(_) => {
                    if let Some((uid, _)) = way.pop() {
                        on_way.remove(&uid);
                        done.insert(uid);
                    }
                }
            }
        }
    }
    let mut named = Vec::new();
    let tagged = read.entities.values().filter(|entity| entity.tags_len() > 0);
    tagged.for_each(|entity| named_in_tags(entity, &mut named));
    let mut counted = UidSet::default();
    let mut ancestors = 0;
    for uid in named {
        if read.entities.contains_key(&uid) && counted.insert(uid.clone()) {
            ancestors += above(&uid, &parents, MAX_ANCESTORS - ancestors)
                .ok_or_else(|| too_large("what tags of the request name has too many ancestors"))?;
        }
    }
    Ok(())
}

/// How many ancestors an entity has; `None` when it is more than `most`.
fn above(uid: &Uid, parents: &impl Fn(&Uid) -> Vec<Uid>, most: usize) -> Option<usize> {
    let mut above = UidSet::default();
    let mut open = parents(uid);
    while let Some(next) = open.pop() {
        if !above.contains(&next) {
            open.extend(parents(&next));
            above.insert(next);
        }
        if above.len() > most {
            return None;
        }
    }
    Some(above.len())
}
