//! Requests and answers of the tag.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json, value::RawValue};
use utoipa::{IntoParams, ToSchema};

use crate::{
    entities::Written,
    http::{
        extract::Member,
        problem::{Problem, Result},
    },
    policy::{EntityKey, EntityRow},
};

/// The name of an entity.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EntityName {
    /// Full name of its type.
    #[serde(rename = "type")]
    #[schema(example = "Folder")]
    pub entity_type: String,
    /// Its id, any text of at most 1,024 bytes.
    #[schema(example = "reports")]
    pub id: String,
}

impl From<EntityKey> for EntityName {
    fn from(key: EntityKey) -> Self {
        Self { entity_type: key.entity_type.into(), id: key.id.into() }
    }
}

impl From<EntityName> for EntityKey {
    fn from(name: EntityName) -> Self {
        Self::new(name.entity_type, name.id)
    }
}

/// An entity as it is stored.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EntityBody {
    /// Its name.
    pub uid: EntityName,
    /// Its attributes, in Cedar's JSON form with every escape (`__entity`, `__extn`).
    #[schema(value_type = Object, example = json!({"visibility": "internal", "archived": false}))]
    pub attrs: Box<RawValue>,
    /// Its tags, in the same form.
    #[schema(value_type = Object, example = json!({}))]
    pub tags: Box<RawValue>,
    /// What it is directly in.
    pub parents: Vec<EntityName>,
    /// The write that made it what it is; also its entity tag.
    #[schema(example = 42)]
    pub revision: i64,
}

impl TryFrom<EntityRow> for EntityBody {
    type Error = Problem;

    fn try_from(row: EntityRow) -> Result<Self> {
        let raw = |text| {
            RawValue::from_string(text)
                .map_err(|error| Problem::new(crate::http::codes::Code::InternalError).cause(error))
        };
        Ok(Self {
            uid: row.key.into(),
            attrs: raw(row.attrs)?,
            tags: raw(row.tags)?,
            parents: row.parents.into_iter().map(EntityName::from).collect(),
            revision: row.revision.0,
        })
    }
}

/// A page of entities.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EntityPage {
    /// By type, then id.
    pub data: Vec<EntityBody>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// What a write came to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WrittenBody {
    /// The revision of the store's entities after it.
    #[schema(example = 43)]
    pub revision: i64,
    /// Entities made or replaced.
    #[schema(example = 2)]
    pub put: usize,
    /// Entities removed.
    #[schema(example = 1)]
    pub deleted: usize,
}

impl From<Written> for WrittenBody {
    fn from(written: Written) -> Self {
        Self { revision: written.revision.0, put: written.put, deleted: written.removed }
    }
}

/// The members of an entity. Where the schema says that a value is a reference or of an extension type, the
/// escapes `__entity` and `__extn` may be left out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EntityRequest {
    /// Its attributes.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"visibility": "internal", "archived": false}))]
    pub attrs: Map<String, Value>,
    /// Its tags.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({}))]
    pub tags: Map<String, Value>,
    /// What it is directly in; need not exist.
    #[serde(default)]
    #[schema(value_type = Vec<Object>, example = json!([{"type": "Folder", "id": "reports"}]))]
    pub parents: Vec<Value>,
}

impl EntityRequest {
    /// Its members, as the check of entities takes them.
    pub(super) fn members(self) -> Map<String, Value> {
        let members = [
            ("attrs", Value::Object(self.attrs)),
            ("tags", Value::Object(self.tags)),
            ("parents", Value::Array(self.parents)),
        ];
        members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
    }
}

/// A JSON merge patch (RFC 7396): what is absent stays, what is null goes. A reference or an extension value is
/// replaced whole, and so is the list of parents.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EntityPatch {
    /// Attributes to change.
    #[serde(default)]
    #[schema(value_type = Option<Object>, example = json!({"archived": true, "team": null}))]
    pub attrs: Member<Map<String, Value>>,
    /// Tags to change.
    #[serde(default)]
    #[schema(value_type = Option<Object>, example = json!({}))]
    pub tags: Member<Map<String, Value>>,
    /// What it is directly in from now on.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Object>>, example = json!([{"type": "Folder", "id": "reports"}]))]
    pub parents: Member<Vec<Value>>,
}

impl EntityPatch {
    /// The members that are given.
    pub(super) fn members(self) -> Map<String, Value> {
        let members = [
            ("attrs", self.attrs.json(Value::Object)),
            ("tags", self.tags.json(Value::Object)),
            ("parents", self.parents.json(Value::Array)),
        ];
        members.into_iter().filter_map(|(name, member)| Some((name.to_owned(), member?))).collect()
    }
}

/// Entities to make, replace and remove, all or none; together at most 10,000.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchRequest {
    /// To make or replace: each with `uid`, and `attrs`, `tags` and `parents` as needed.
    #[serde(default)]
    #[schema(value_type = Vec<Object>, example = json!([entity_sample()]))]
    pub upserts: Vec<Box<RawValue>>,
    /// To remove; what is not there stays away.
    #[serde(default)]
    #[schema(example = json!([{"type": "Document", "id": "draft"}]))]
    pub deletes: Vec<EntityName>,
}

/// Which entities are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EntityQuery {
    /// Only those of this type.
    #[serde(rename = "type")]
    #[param(example = "Document")]
    pub(super) entity_type: Option<String>,
    /// Only those directly in this entity, in Cedar's form; as this node sees it, at most a second old.
    #[param(example = "Folder::\"reports\"")]
    pub(super) parent: Option<String>,
    /// Rows at most, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub(super) limit: Option<String>,
    /// `next_cursor` of the page before.
    pub(super) cursor: Option<String>,
}

/// An entity as it is sent.
pub(super) fn entity_sample() -> Value {
    json!({
        "uid": {"type": "Document", "id": "handbook"},
        "attrs": {"visibility": "internal", "archived": false},
        "parents": [{"type": "Folder", "id": "reports"}],
    })
}

/// An entity as it is answered.
pub(super) fn stored_sample() -> Value {
    json!({
        "uid": {"type": "Document", "id": "handbook"},
        "attrs": {"archived": false, "visibility": "internal"}, "tags": {},
        "parents": [{"type": "Folder", "id": "reports"}], "revision": 42,
    })
}
