//! Entities of a request read by Cedar, laid over what is below them as JSON.

use std::collections::{BTreeSet, HashSet};

use cedar_policy::{Entity, EntityUid};
use serde_json::{Map, Value, json};
use smol_str::SmolStr;

use crate::policy::{
    QueryProblem,
    engine::{
        cedar::{Entity as CoreEntity, PartialValue, Uid},
        declares,
    },
    entities::{layers::Laid, slice::entity_problem},
    query::{chain, entity_uid, escape},
};

/// Attributes and tags.
type Members = (Map<String, Value>, Map<String, Value>);

/// An entity of the request, taken apart.
pub(super) struct Apart {
    /// Its place in the request.
    place: usize,
    pub(super) uid: EntityUid,
    attrs: Map<String, Value>,
    tags: Map<String, Value>,
    pub(super) parents: Vec<EntityUid>,
}

/// Lays an entity of the request over what is below it and reads the outcome with the schema.
///
/// Errors: what Cedar says of it, at the attribute that it says it of.
pub(super) fn check(below: &Laid<'_>, apart: &Apart) -> Result<CoreEntity, QueryProblem> {
    let uid = &apart.uid;
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
    Ok(CoreEntity::new_with_attr_partial_value(
        uid.as_ref().clone(),
        checked.attrs().filter(|(name, _)| apart.attrs.contains_key(name.as_str())).map(own),
        HashSet::new(),
        apart.parents.iter().map(|parent| parent.as_ref().clone()).collect(),
        checked.tags().filter(|(name, _)| apart.tags.contains_key(name.as_str())).map(own),
    ))
}

/// Attributes and tags of the layers below the request, in Cedar's JSON form.
fn members_below(below: &Laid<'_>, uid: &EntityUid) -> Result<Members, QueryProblem> {
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

/// The words that a message puts in backticks.
fn quoted(message: &str) -> impl Iterator<Item = &str> {
    message.split('`').skip(1).step_by(2).map(|word| word.trim_matches('"'))
}

/// An entity in Cedar's JSON form.
pub(in crate::policy::entities) fn entity_json(
    uid: &EntityUid,
    attrs: &Map<String, Value>,
    tags: &Map<String, Value>,
    parents: &[EntityUid],
) -> Value {
    let name = |uid: &EntityUid| json!({"type": uid.type_name().to_string(), "id": uid.id().unescaped()});
    let parents: Vec<Value> = parents.iter().map(name).collect();
    json!({"uid": name(uid), "attrs": attrs, "tags": tags, "parents": parents})
}

/// The members of an entity.
///
/// Errors: a member that there is not, or of another kind; an action.
pub(super) fn take_apart(place: usize, value: &Value) -> Result<Apart, QueryProblem> {
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
    Ok(Apart { place, uid, attrs: record("attrs")?, tags: record("tags")?, parents })
}

/// A reference to an entity, with or without the escape `__entity`.
fn reference(value: &Value, pointer: &str) -> Result<EntityUid, QueryProblem> {
    match value.as_object().and_then(|members| members.get("__entity")) {
        Some(inner) => entity_uid(inner, &format!("{pointer}/__entity")),
        None => entity_uid(value, pointer),
    }
}
