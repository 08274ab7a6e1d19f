//! The identity layer: users, roles and tenants as entities.

use cedar_policy::{Entity, EntityUid};
use serde_json::{Map, Value};

use super::{inline::entity_json, slice::entity_problem};
use crate::policy::{QueryProblem, Snapshot, engine::declares, query::chain};

/// An entity of the identity layer, before a store's schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityRecord {
    /// Its name.
    pub uid: EntityUid,
    /// Its attributes in Cedar's JSON form with explicit escapes (`__entity`, `__extn`).
    pub attrs: Map<String, Value>,
    /// What it is directly in.
    pub parents: Vec<EntityUid>,
}

impl Snapshot {
    /// An identity record as an entity of this store: attributes that the schema does not declare are left out,
    /// parents are the direct ones.
    ///
    /// Errors: [`QueryProblem`] when an attribute has no form of Cedar's.
    pub fn identity_entity(&self, record: &EntityRecord) -> Result<Entity, QueryProblem> {
        let declared = |name: &str| declares(self.schema(), record.uid.type_name(), name).is_some();
        let known = record.attrs.iter().filter(|(name, _)| declared(name));
        let attrs = known.map(|(name, value)| (name.clone(), value.clone())).collect();
        let json = entity_json(&record.uid, &attrs, &Map::new(), &record.parents);
        Entity::from_json_value(json, None)
            .map_err(|error| entity_problem("", format!("`{}`: {}", record.uid, chain(&error))))
    }
}
