//! The layers under a slice: static entities, identity, the request's own.

use std::collections::{BTreeSet, HashMap};

use cedar_policy::{Entities, Entity, EntityUid};
use serde_json::{Map, Value, json};

use super::slice::{EntityRecord, MAX_INLINE_ENTITIES, MAX_INLINE_PARENTS, entity_problem, too_large};
use crate::policy::{
    QueryProblem, Snapshot,
    engine::declares,
    query::{chain, entity_uid, escape},
};

/// An entity of the request, taken apart.
struct Inline {
    /// Its place in the request.
    place: usize,
    attrs: Map<String, Value>,
    tags: Map<String, Value>,
    parents: Vec<EntityUid>,
}

/// Attributes and tags of an entity.
type Members = (Map<String, Value>, Map<String, Value>);

/// All that is known of entities for one decision.
pub(super) struct Layers<'a> {
    snapshot: &'a Snapshot,
    identity: HashMap<&'a EntityUid, &'a EntityRecord>,
    inline: HashMap<EntityUid, Inline>,
}

impl<'a> Layers<'a> {
    /// Takes the layers apart.
    ///
    /// Errors: a malformed entity of the request, one that is given twice, an action, too many.
    pub(super) fn new(
        snapshot: &'a Snapshot,
        identity: &'a [EntityRecord],
        entities: &[Value],
    ) -> Result<Self, QueryProblem> {
        if entities.len() > MAX_INLINE_ENTITIES {
            return Err(too_large(format!("a request has at most {MAX_INLINE_ENTITIES} entities")));
        }
        let mut inline = HashMap::with_capacity(entities.len());
        let mut parents = 0;
        for (place, value) in entities.iter().enumerate() {
            let (uid, entity) = take_apart(place, value)?;
            parents += entity.parents.len();
            if parents > MAX_INLINE_PARENTS {
                return Err(too_large(format!(
                    "the entities of a request name at most {MAX_INLINE_PARENTS} parents"
                )));
            }
            if inline.contains_key(&uid) {
                let message = format!("`{uid}` is given twice");
                return Err(entity_problem(format!("/entities/{place}/uid"), message));
            }
            inline.insert(uid, entity);
        }
        let identity = identity.iter().map(|record| (&record.uid, record)).collect();
        Ok(Self { snapshot, identity, inline })
    }

    /// Checks every entity of the request, whether the decision reads it or not.
    ///
    /// Errors: one that does not fit the schema, or is its own ancestor.
    pub(super) fn check(&self) -> Result<(), QueryProblem> {
        let mut placed: Vec<_> = self.inline.iter().collect();
        placed.sort_by_key(|(_, inline)| inline.place);
        for (uid, inline) in &placed {
            self.parse(uid, Some(inline), &self.parents(uid))?;
        }
        self.refuse_cycles(placed.into_iter().map(|(uid, inline)| (uid, inline.place)))
    }

    /// An entity with all its ancestors as parents; `None` when no layer knows it.
    pub(super) fn entity(&self, uid: &EntityUid) -> Result<Option<Entity>, QueryProblem> {
        let inline = self.inline.get(uid);
        let stored = self.statics().get(uid);
        if inline.is_none() && !self.identity.contains_key(uid) {
            let Some(stored) = stored else { return Ok(None) };
            let ancestors = self.ancestors(uid);
            if self.statics().ancestors(uid).is_some_and(|above| above.count() == ancestors.len()) {
                return Ok(Some(stored.clone()));
            }
        }
        self.parse(uid, inline, &self.ancestors(uid)).map(Some)
    }

    /// All that an entity is in, directly or not.
    pub(super) fn ancestors(&self, uid: &EntityUid) -> BTreeSet<EntityUid> {
        let mut above = BTreeSet::new();
        let mut open: Vec<EntityUid> = self.parents(uid).into_iter().collect();
        while let Some(next) = open.pop() {
            if !above.contains(&next) {
                open.extend(self.parents(&next));
                above.insert(next);
            }
        }
        above
    }

    fn statics(&self) -> &'a Entities {
        self.snapshot.static_entities()
    }

    /// What the layers together say an entity is in; of static entities, all ancestors.
    fn parents(&self, uid: &EntityUid) -> BTreeSet<EntityUid> {
        let stored = self.statics().ancestors(uid).into_iter().flatten();
        let identity = self.identity.get(uid).into_iter().flat_map(|record| &record.parents);
        let inline = self.inline.get(uid).into_iter().flat_map(|inline| &inline.parents);
        stored.chain(identity).chain(inline).cloned().collect()
    }

    /// Lays the layers over each other and reads the outcome: with the schema when the request has a say in it.
    fn parse(
        &self,
        uid: &EntityUid,
        inline: Option<&Inline>,
        parents: &BTreeSet<EntityUid>,
    ) -> Result<Entity, QueryProblem> {
        let (mut attrs, mut tags) = self.below(uid)?;
        let Some(inline) = inline else {
            let json = entity_json(uid, &attrs, &tags, parents);
            return Entity::from_json_value(json, None)
                .map_err(|error| entity_problem("", format!("`{uid}`: {}", chain(&error))));
        };
        attrs.extend(inline.attrs.clone());
        tags.extend(inline.tags.clone());
        let read = |attrs: &Map<String, Value>| {
            let json = entity_json(uid, attrs, &tags, parents);
            Entity::from_json_value(json, Some(self.snapshot.schema())).map_err(|error| chain(&error))
        };
        read(&attrs).map_err(|message| {
            let at =
                |below: &str| entity_problem(format!("/entities/{}{below}", inline.place), message.clone());
            // Cedar tells which attribute is wrong in its text only: leaving that one out changes the text.
            let culprit = attrs.keys().find(|key| {
                let mut without = attrs.clone();
                without.remove(*key);
                message.contains(key.as_str()) && read(&without).err().as_ref() != Some(&message)
            });
            let missing = || {
                quoted(&message).find(|word| {
                    !attrs.contains_key(*word)
                        && declares(self.snapshot.schema(), uid.type_name(), word).is_some()
                })
            };
            match culprit.map(String::as_str).or_else(missing) {
                Some(key) => at(&format!("/attrs/{}", escape(key))),
                None if message.contains("ancestor") => at("/parents"),
                None => at(""),
            }
        })
    }

    /// Attributes and tags of the layers below the request.
    fn below(&self, uid: &EntityUid) -> Result<Members, QueryProblem> {
        let mut attrs = Map::new();
        let mut tags = Map::new();
        if let Some(stored) = self.statics().get(uid) {
            let json = stored.to_json_value();
            let mut json = json.map_err(|error| entity_problem("", format!("`{uid}`: {}", chain(&error))))?;
            for (name, members) in [("attrs", &mut attrs), ("tags", &mut tags)] {
                if let Some(Value::Object(stored)) = json.get_mut(name).map(Value::take) {
                    *members = stored;
                }
            }
        }
        if let Some(record) = self.identity.get(uid) {
            let declared = |name: &str| declares(self.snapshot.schema(), uid.type_name(), name).is_some();
            let known = record.attrs.iter().filter(|(name, _)| declared(name));
            attrs.extend(known.map(|(name, value)| (name.clone(), value.clone())));
        }
        Ok((attrs, tags))
    }

    /// Walks up from each entity of the request; meeting an entity again on the same way up is a cycle.
    fn refuse_cycles<'b>(
        &self,
        from: impl Iterator<Item = (&'b EntityUid, usize)>,
    ) -> Result<(), QueryProblem> {
        let mut done: BTreeSet<EntityUid> = BTreeSet::new();
        for (start, place) in from {
            let mut way: Vec<(EntityUid, Vec<EntityUid>)> = Vec::new();
            let mut on_way: BTreeSet<EntityUid> = BTreeSet::new();
            let mut enter = Some(start.clone());
            loop {
                if let Some(uid) = enter.take().filter(|uid| !done.contains(uid)) {
                    if !on_way.insert(uid.clone()) {
                        let message = format!("`{uid}` is its own ancestor");
                        return Err(entity_problem(format!("/entities/{place}/parents"), message));
                    }
                    let above = self.parents(&uid).into_iter().collect();
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
}

/// The words that a message puts in backticks.
fn quoted(message: &str) -> impl Iterator<Item = &str> {
    message.split('`').skip(1).step_by(2).map(|word| word.trim_matches('"'))
}

fn entity_json(
    uid: &EntityUid,
    attrs: &Map<String, Value>,
    tags: &Map<String, Value>,
    parents: &BTreeSet<EntityUid>,
) -> Value {
    let name = |uid: &EntityUid| json!({"type": uid.type_name().to_string(), "id": uid.id().unescaped()});
    let parents: Vec<Value> = parents.iter().map(name).collect();
    json!({"uid": name(uid), "attrs": attrs, "tags": tags, "parents": parents})
}

fn take_apart(place: usize, value: &Value) -> Result<(EntityUid, Inline), QueryProblem> {
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
    Ok((uid, Inline { place, attrs: record("attrs")?, tags: record("tags")?, parents }))
}

/// A reference to an entity, with or without the escape `__entity`.
fn reference(value: &Value, pointer: &str) -> Result<EntityUid, QueryProblem> {
    match value.as_object().and_then(|members| members.get("__entity")) {
        Some(inner) => entity_uid(inner, &format!("{pointer}/__entity")),
        None => entity_uid(value, pointer),
    }
}
