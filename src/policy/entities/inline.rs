//! The entities of a request: read, and checked laid over what is below them.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Entity, EntityUid};
use serde_json::{Map, Value, json, value::RawValue};
use smol_str::SmolStr;

use super::{
    layers::{Laid, UidMap, UidSet},
    slice::{entity_problem, too_large},
};
use crate::policy::{
    QueryProblem,
    engine::{
        cedar::{PartialValue, Uid},
        declares,
    },
    query::{chain, entity_uid, escape, parse},
};

/// Most entities in a request.
pub const MAX_INLINE_ENTITIES: usize = 10_000;
/// Most parents that the entities of a request name together.
pub const MAX_INLINE_PARENTS: usize = 10_000;

/// An entity of the request.
#[derive(Debug)]
pub(super) struct Inline {
    /// Its place in the request.
    pub(super) place: usize,
    pub(super) attrs: BTreeMap<SmolStr, PartialValue>,
    pub(super) tags: BTreeMap<SmolStr, PartialValue>,
    /// What the request says it is in.
    pub(super) parents: Vec<Uid>,
}

/// An entity of the request, taken apart.
struct Apart {
    place: usize,
    attrs: Map<String, Value>,
    tags: Map<String, Value>,
    parents: Vec<EntityUid>,
}

/// Reads the entities of a request.
///
/// Errors: [`QueryProblem`] when one is malformed, given twice, an action, does not fit the schema, or is its own
/// ancestor, or there are too many of them or of their parents.
pub(super) fn read(raw: &RawValue, below: &Laid<'_>) -> Result<UidMap<Inline>, QueryProblem> {
    let Value::Array(entities) = parse(raw, "/entities")? else {
        return Err(entity_problem("/entities", "`entities` must be an array"));
    };
    if entities.len() > MAX_INLINE_ENTITIES {
        return Err(too_large(format!("a request has at most {MAX_INLINE_ENTITIES} entities")));
    }
    let mut apart: BTreeMap<EntityUid, Apart> = BTreeMap::new();
    let mut parents = 0;
    for (place, value) in entities.iter().enumerate() {
        let (uid, entity) = take_apart(place, value)?;
        parents += entity.parents.len();
        if parents > MAX_INLINE_PARENTS {
            return Err(too_large(format!(
                "the entities of a request name at most {MAX_INLINE_PARENTS} parents"
            )));
        }
        if apart.contains_key(&uid) {
            let message = format!("`{uid}` is given twice");
            return Err(entity_problem(format!("/entities/{place}/uid"), message));
        }
        apart.insert(uid, entity);
    }
    let mut placed: Vec<_> = apart.iter().collect();
    placed.sort_by_key(|(_, apart)| apart.place);
    let mut inline = UidMap::default();
    for (uid, apart) in placed {
        inline.insert(uid.as_ref().clone(), check(below, uid, apart)?);
    }
    refuse_cycles(below, &inline)?;
    Ok(inline)
}

/// Lays an entity of the request over what is below it and reads the outcome with the schema.
fn check(below: &Laid<'_>, uid: &EntityUid, apart: &Apart) -> Result<Inline, QueryProblem> {
    let (mut attrs, mut tags) = members_below(below, uid)?;
    attrs.extend(apart.attrs.clone());
    tags.extend(apart.tags.clone());
    let schema = below.snapshot().schema();
    let mut above = Vec::new();
    below.parents_below(uid.as_ref(), &mut above);
    let given = apart.parents.iter().map(|parent| parent.as_ref().clone());
    let above: BTreeSet<Uid> = above.into_iter().chain(given).collect();
    let above: Vec<EntityUid> = above.into_iter().map(EntityUid::from).collect();
    let read = |attrs: &Map<String, Value>| {
        let json = entity_json(uid, attrs, &tags, &above);
        Entity::from_json_value(json, Some(schema)).map_err(|error| chain(&error))
    };
    let checked = read(&attrs).map_err(|message| {
        let at = |below: &str| entity_problem(format!("/entities/{}{below}", apart.place), message.clone());
        // Cedar tells which attribute is wrong in its text only: leaving that one out changes the text.
        let culprit = attrs.keys().find(|key| {
            let mut without = attrs.clone();
            without.remove(*key);
            message.contains(key.as_str()) && read(&without).err().as_ref() != Some(&message)
        });
        let missing = || {
            quoted(&message)
                .find(|word| !attrs.contains_key(*word) && declares(schema, uid.type_name(), word).is_some())
        };
        match culprit.map(String::as_str).or_else(missing) {
            Some(key) => at(&format!("/attrs/{}", escape(key))),
            None if message.contains("ancestor") => at("/parents"),
            None => at(""),
        }
    })?;
    let checked = checked.as_ref();
    let own = |(name, value): (&SmolStr, &PartialValue)| (name.clone(), value.clone());
    Ok(Inline {
        place: apart.place,
        attrs: checked.attrs().filter(|(name, _)| apart.attrs.contains_key(name.as_str())).map(own).collect(),
        tags: checked.tags().filter(|(name, _)| apart.tags.contains_key(name.as_str())).map(own).collect(),
        parents: apart.parents.iter().map(|parent| parent.as_ref().clone()).collect(),
    })
}

/// Attributes and tags of the layers below the request, in Cedar's JSON form.
fn members_below(
    below: &Laid<'_>,
    uid: &EntityUid,
) -> Result<(Map<String, Value>, Map<String, Value>), QueryProblem> {
    let (mut attrs, mut tags) = (Map::new(), Map::new());
    for held in below.below(uid.as_ref()) {
        let json = held.core().to_json_value();
        let mut json = json.map_err(|error| entity_problem("", format!("`{uid}`: {}", chain(&error))))?;
        for (name, members) in [("attrs", &mut attrs), ("tags", &mut tags)] {
            if let Some(Value::Object(known)) = json.get_mut(name).map(Value::take) {
                members.extend(known);
            }
        }
    }
    Ok((attrs, tags))
}

/// Walks up from each entity of the request; meeting an entity again on the same way up is a cycle.
fn refuse_cycles(below: &Laid<'_>, inline: &UidMap<Inline>) -> Result<(), QueryProblem> {
    let mut starts: Vec<(&Uid, usize)> = inline.iter().map(|(uid, one)| (uid, one.place)).collect();
    starts.sort_by_key(|(_, place)| *place);
    let parents = |uid: &Uid| {
        let mut above = Vec::new();
        below.parents_below(uid, &mut above);
        above.extend(inline.get(uid).into_iter().flat_map(|one| one.parents.iter().cloned()));
        above
    };
    let mut done = UidSet::default();
    for (start, place) in starts {
        let mut way: Vec<(Uid, Vec<Uid>)> = Vec::new();
        let mut on_way = UidSet::default();
        let mut enter = Some(start.clone());
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
    Ok(())
}

/// The words that a message puts in backticks.
fn quoted(message: &str) -> impl Iterator<Item = &str> {
    message.split('`').skip(1).step_by(2).map(|word| word.trim_matches('"'))
}

/// An entity in Cedar's JSON form.
pub(super) fn entity_json(
    uid: &EntityUid,
    attrs: &Map<String, Value>,
    tags: &Map<String, Value>,
    parents: &[EntityUid],
) -> Value {
    let name = |uid: &EntityUid| json!({"type": uid.type_name().to_string(), "id": uid.id().unescaped()});
    let parents: Vec<Value> = parents.iter().map(name).collect();
    json!({"uid": name(uid), "attrs": attrs, "tags": tags, "parents": parents})
}

fn take_apart(place: usize, value: &Value) -> Result<(EntityUid, Apart), QueryProblem> {
    let at = |below: &str| format!("/entities/{place}{below}");
    let Value::Object(members) = value else {
        return Err(entity_problem(at(""), "an entity must be an object"));
    };
    if let Some(key) =
        members.keys().find(|key| !matches!(key.as_str(), "uid" | "attrs" | "parents" | "tags"))
    {
        let message = format!("an entity has no member `{key}`");
        return Err(entity_problem(at(&format!("/{}", escape(key))), message));
    }
    let uid = reference(members.get("uid").unwrap_or(&Value::Null), &at("/uid"))?;
    if uid.type_name().basename() == "Action" {
        return Err(entity_problem(at("/uid"), "actions and their groups come from the schema alone"));
    }
    let record = |name: &str| match members.get(name) {
        None => Ok(Map::new()),
        Some(Value::Object(record)) => Ok(record.clone()),
        Some(_) => Err(entity_problem(at(&format!("/{name}")), format!("`{name}` must be an object"))),
    };
    let parents = match members.get("parents") {
        None => vec![],
        Some(Value::Array(parents)) => {
            let listed = parents.iter().enumerate();
            listed
                .map(|(n, parent)| reference(parent, &at(&format!("/parents/{n}"))))
                .collect::<Result<_, _>>()?
        }
        Some(_) => return Err(entity_problem(at("/parents"), "`parents` must be an array")),
    };
    Ok((uid, Apart { place, attrs: record("attrs")?, tags: record("tags")?, parents }))
}

/// A reference to an entity, with or without the escape `__entity`.
fn reference(value: &Value, pointer: &str) -> Result<EntityUid, QueryProblem> {
    match value.as_object().and_then(|members| members.get("__entity")) {
        Some(inner) => entity_uid(inner, &format!("{pointer}/__entity")),
        None => entity_uid(value, pointer),
    }
}
