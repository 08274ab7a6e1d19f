//! Entities that an application pushes, checked against the schema and brought into their stored form.

use cedar_policy::{Entity, EntityId, EntityTypeName, EntityUid};
use serde_json::{Map, Value, json};

use super::{EntityKey, EntityRow, Revision, slice::entity_problem};
use crate::policy::{
    QueryProblem, QueryProblemKind, Snapshot,
    engine::declares,
    query::{chain, entity_uid, escape},
};

/// Longest id of an entity that is kept: an index of Postgres takes no longer keys than some 2,700 bytes.
const MAX_ID_BYTES: usize = 1024;

/// An entity that fits the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedEntity {
    /// Its name, with the full name of its type.
    pub key: EntityKey,
    /// Its attributes as Cedar writes them: JSON with every escape.
    pub attrs: String,
    /// Its tags, in the same form.
    pub tags: String,
    /// What it is directly in; sorted, each once.
    pub parents: Vec<EntityKey>,
}

impl CheckedEntity {
    /// The entity as a write stores it.
    #[must_use]
    pub fn at(self, revision: Revision) -> EntityRow {
        let Self { key, attrs, tags, parents } = self;
        EntityRow { key, attrs, tags, parents, revision }
    }
}

impl Snapshot {
    /// Checks `{"uid": …, "attrs"?: {…}, "tags"?: {…}, "parents"?: [ … ]}`, Cedar's entity JSON, in which the
    /// schema says what is a reference or an extension value where no escape does.
    ///
    /// Errors: [`QueryProblem`] with a pointer into `entity`: a form that is none, an unknown type, an action, an
    /// attribute that is unknown, missing or of another type, a parent that may be none, U+0000 in a text.
    pub fn check_entity(&self, entity: &Value) -> Result<CheckedEntity, QueryProblem> {
        let Value::Object(members) = entity else {
            return Err(entity_problem("", "an entity must be an object"));
        };
        let uid = reference(members.get("uid").unwrap_or(&Value::Null), "/uid")?;
        self.check_members(uid, members)
    }

    /// The same for an entity whose name is known; `uid` is then no member.
    ///
    /// Errors: as there; what is wrong with the name is at `/uid`.
    pub fn check_entity_named(
        &self,
        key: &EntityKey,
        members: &Map<String, Value>,
    ) -> Result<CheckedEntity, QueryProblem> {
        if members.contains_key("uid") {
            return Err(entity_problem("/uid", "the path names the entity"));
        }
        let Ok(type_name) = key.entity_type.parse::<EntityTypeName>() else {
            return Err(unknown_type(&key.entity_type));
        };
        let uid = EntityUid::from_type_name_and_id(type_name, EntityId::new(key.id.as_str()));
        self.check_members(uid, members)
    }

    /// The name with the full name of its type, where a short one is given.
    #[must_use]
    pub fn full_name(&self, key: EntityKey) -> EntityKey {
        match key.entity_type.parse::<EntityTypeName>() {
            Ok(name) => {
                let uid = EntityUid::from_type_name_and_id(name, EntityId::new(key.id.as_str()));
                EntityKey::from(&self.unalias(uid))
            }
            Err(_) => key,
        }
    }

    fn check_members(
        &self,
        uid: EntityUid,
        members: &Map<String, Value>,
    ) -> Result<CheckedEntity, QueryProblem> {
        let uid = self.unalias(uid);
        if uid.type_name().basename() == "Action" {
            return Err(entity_problem("/uid", "actions and their groups come from the schema alone"));
        }
        if self.schema().as_ref().get_entity_type(uid.type_name().as_ref()).is_none() {
            return Err(unknown_type(&uid.type_name().to_string()));
        }
        if uid.id().unescaped().len() > MAX_ID_BYTES {
            return Err(entity_problem("/uid/id", format!("an id has at most {MAX_ID_BYTES} bytes")));
        }
        let parts = Parts::of(members)?;
        refuse_nul(&uid, members)?;
        let entity = parts.read(self, &uid)?;
        let stored = entity.to_json_value().map_err(|error| entity_problem("/attrs", chain(&error)))?;
        let text = |name: &str| stored.get(name).map_or_else(|| "{}".to_owned(), Value::to_string);
        let mut parents: Vec<EntityKey> =
            parts.parents.iter().map(|uid| EntityKey::from(&self.unalias(uid.clone()))).collect();
        parents.sort();
        parents.dedup();
        Ok(CheckedEntity { key: EntityKey::from(&uid), attrs: text("attrs"), tags: text("tags"), parents })
    }
}

/// An entity taken apart.
struct Parts {
    attrs: Map<String, Value>,
    tags: Map<String, Value>,
    parents: Vec<EntityUid>,
}

impl Parts {
    fn of(members: &Map<String, Value>) -> Result<Self, QueryProblem> {
        let known = |key: &&String| matches!(key.as_str(), "uid" | "attrs" | "tags" | "parents");
        if let Some(key) = members.keys().find(|key| !known(key)) {
            return Err(entity_problem(
                format!("/{}", escape(key)),
                format!("an entity has no member `{key}`"),
            ));
        }
        let record = |name: &str| match members.get(name) {
            None => Ok(Map::new()),
            Some(Value::Object(record)) => Ok(record.clone()),
            Some(_) => Err(entity_problem(format!("/{name}"), format!("`{name}` must be an object"))),
        };
        let parents = match members.get("parents") {
            None => Vec::new(),
            Some(Value::Array(listed)) => {
                let listed = listed.iter().enumerate();
                listed
                    .map(|(n, parent)| reference(parent, &format!("/parents/{n}")))
                    .collect::<Result<_, _>>()?
            }
            Some(_) => return Err(entity_problem("/parents", "`parents` must be an array")),
        };
        Ok(Self { attrs: record("attrs")?, tags: record("tags")?, parents })
    }

    /// Reads it by the schema, which it must fit.
    fn read(&self, snapshot: &Snapshot, uid: &EntityUid) -> Result<Entity, QueryProblem> {
        let parents: Vec<EntityUid> =
            self.parents.iter().map(|parent| snapshot.unalias(parent.clone())).collect();
        let read = |attrs: &Map<String, Value>, tags: &Map<String, Value>, parents: &[EntityUid]| {
            let json = entity_json(uid, attrs, tags, parents);
            Entity::from_json_value(json, Some(snapshot.schema())).map_err(|error| chain(&error))
        };
        let message = match read(&self.attrs, &self.tags, &parents) {
            Ok(entity) => return Ok(entity),
            Err(message) => message,
        };
        // Cedar says what is wrong in a text only: what makes it another text when left out is the place.
        let other = |done: Result<Entity, String>| done.err().as_ref() != Some(&message);
        let without = |of: &Map<String, Value>, key: &String| {
            let mut rest = of.clone();
            rest.remove(key);
            rest
        };
        let attr = self.attrs.keys().find(|key| {
            message.contains(key.as_str()) && other(read(&without(&self.attrs, key), &self.tags, &parents))
        });
        let tag =
            || self.tags.keys().find(|key| other(read(&self.attrs, &without(&self.tags, key), &parents)));
        let missing = || {
            quoted(&message).find(|word| {
                !self.attrs.contains_key(*word)
                    && declares(snapshot.schema(), uid.type_name(), word).is_some()
            })
        };
        let parent = || {
            let place = parents
                .iter()
                .position(|parent| read(&self.attrs, &self.tags, std::slice::from_ref(parent)).is_err());
            place.filter(|_| read(&self.attrs, &self.tags, &[]).is_ok())
        };
        let pointer = if let Some(key) = attr {
            format!("/attrs/{}", escape(key))
        } else if let Some(place) = parent() {
            format!("/parents/{place}")
        } else if let Some(key) = missing() {
            format!("/attrs/{}", escape(key))
        } else if let Some(key) = tag() {
            format!("/tags/{}", escape(key))
        } else if read(&Map::new(), &Map::new(), &[]).err().as_ref() == Some(&message) {
            "/uid/id".to_owned() // no member of its enumerated type
        } else {
            String::new()
        };
        Err(entity_problem(pointer, message))
    }
}

fn unknown_type(name: &str) -> QueryProblem {
    let message = format!("the schema has no entity type `{name}`");
    QueryProblem::new("/uid/type", QueryProblemKind::UnknownType, message)
}

/// A reference to an entity, with or without the escape `__entity`.
fn reference(value: &Value, pointer: &str) -> Result<EntityUid, QueryProblem> {
    match value.as_object().and_then(|members| members.get("__entity")) {
        Some(inner) => entity_uid(inner, &format!("{pointer}/__entity")),
        None => entity_uid(value, pointer),
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
    parents: &[EntityUid],
) -> Value {
    let name = |uid: &EntityUid| json!({"type": uid.type_name().to_string(), "id": uid.id().unescaped()});
    let parents: Vec<Value> = parents.iter().map(name).collect();
    json!({"uid": name(uid), "attrs": attrs, "tags": tags, "parents": parents})
}

/// Postgres keeps no U+0000 in a text, so nobody may store one.
fn refuse_nul(uid: &EntityUid, members: &Map<String, Value>) -> Result<(), QueryProblem> {
    let found = if uid.id().unescaped().contains('\0') {
        Some("/uid/id".to_owned())
    } else {
        members.iter().find_map(|(name, value)| Some(format!("/{name}{}", nul_in(value)?)))
    };
    match found {
        None => Ok(()),
        Some(pointer) => Err(entity_problem(pointer, "texts must not contain the character U+0000")),
    }
}

/// The pointer, below the value, to a text with U+0000.
fn nul_in(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(items) => (0..)
            .zip(items)
            .find_map(|(place, item): (usize, _)| nul_in(item).map(|rest| format!("/{place}{rest}"))),
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            if name.contains('\0') {
                return Some(String::new());
            }
            nul_in(member).map(|rest| format!("/{}{rest}", escape(name)))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}
