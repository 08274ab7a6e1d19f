//! Writing entities one by one and in batches.

use serde_json::{Map, Value, json};

use super::{
    BatchItem, EntityError, EntityService, LoadPlace, Written,
    commit::{Outcome, Plan},
    patch,
};
use crate::{
    audit::Actor,
    base::IfMatch,
    policy::{Change, CheckedEntity, EntityKey, EntityRow, EntityTable, Snapshot, StoreName},
};

type Result<T, E = EntityError> = std::result::Result<T, E>;

/// Most entities in a batch.
pub const MAX_BATCH: usize = 10_000;
/// Entities that are checked on the thread of the request; more go to another.
const CHECKED_INLINE: usize = 32;

/// One part of a batch that fits the schema.
enum Checked {
    Put(CheckedEntity),
    Remove(EntityKey),
}

impl EntityService {
    /// Makes or replaces an entity; `members` are its `attrs`, `tags` and `parents`.
    ///
    /// Errors: `UnknownStore`, `NoActiveVersion`, `Invalid`, `Refused`, `Changed`, `Contended`, `Audit`, `Storage`.
    pub async fn put(
        &self,
        store: &StoreName,
        key: EntityKey,
        members: &Map<String, Value>,
        expected: &IfMatch,
        actor: Actor<'_>,
    ) -> Result<Written> {
        let checked = self.schema(store).await?.check_entity_named(&key, members)?;
        let key = checked.key.clone();
        let written = self.write(store, actor, |table| {
            expect(table, &key, expected)?;
            Ok(one("entity_put", store, &key, Change::Put(checked.clone().at(table.revision().next()))))
        });
        Ok(told(&key, &written.await?))
    }

    /// Changes an entity by a JSON merge patch over its `attrs`, `tags` and `parents`.
    ///
    /// Errors: as [`EntityService::put`], and `NotFound`.
    pub async fn patch(
        &self,
        store: &StoreName,
        key: EntityKey,
        members: &Map<String, Value>,
        expected: &IfMatch,
        actor: Actor<'_>,
    ) -> Result<Written> {
        let snapshot = self.schema(store).await?;
        let key = snapshot.full_name(key);
        let written = self.write(store, actor, |table| {
            expect(table, &key, expected)?;
            let row = table.row(&key).ok_or_else(|| EntityError::NotFound(key.clone()))?;
            let checked = snapshot.check_entity_named(&key, &patch::merge(members_of(&row), members))?;
            Ok(one("entity_patched", store, &key, Change::Put(checked.at(table.revision().next()))))
        });
        Ok(told(&key, &written.await?))
    }

    /// Removes an entity. What names it as a parent stays.
    ///
    /// Errors: `UnknownStore`, `NotFound`, `Changed`, `Contended`, `Audit`, `Storage`.
    pub async fn delete(
        &self,
        store: &StoreName,
        key: EntityKey,
        expected: &IfMatch,
        actor: Actor<'_>,
    ) -> Result<Written> {
        let key = self.full_name(store, key).await?;
        let written = self.write(store, actor, |table| {
            expect(table, &key, expected)?;
            if !table.contains(&key) {
                return Err(EntityError::NotFound(key.clone()));
            }
            Ok(one("entity_deleted", store, &key, Change::Remove(key.clone())))
        });
        Ok(told(&key, &written.await?))
    }

    /// Makes, replaces and removes entities, all or none; at most [`MAX_BATCH`], by the caller's check.
    ///
    /// Errors: as [`EntityService::put`]; `At` with the place of the item for `Invalid` and `Twice`.
    pub async fn batch(&self, store: &StoreName, items: Vec<BatchItem>, actor: Actor<'_>) -> Result<Written> {
        let snapshot = self.schema(store).await?;
        let checked = if items.len() > CHECKED_INLINE {
            let checking = tokio::task::spawn_blocking(move || check_items(&snapshot, items));
            checking.await.map_err(|_| EntityError::Stopped)??
        } else {
            check_items(&snapshot, items)?
        };
        let planned = self.write(store, actor, |table| {
            let at = table.revision().next();
            let change = |item: &Checked| match item {
                Checked::Put(entity) => Some(Change::Put(entity.clone().at(at))),
                Checked::Remove(key) => table.contains(key).then(|| Change::Remove(key.clone())),
            };
            Ok(many("entities_written", store, checked.iter().filter_map(change).collect()))
        });
        let written = planned.await.map_err(|error| placed(error, &checked))?;
        Ok(written.counted())
    }
}

impl Checked {
    fn key(&self) -> &EntityKey {
        match self {
            Self::Put(entity) => &entity.key,
            Self::Remove(key) => key,
        }
    }
}

/// Checks the parts of a batch, each entity being in it once.
fn check_items(snapshot: &Snapshot, items: Vec<BatchItem>) -> Result<Vec<Checked>> {
    let mut seen = std::collections::HashSet::new();
    let mut checked = Vec::with_capacity(items.len());
    for (place, item) in (0..).zip(items) {
        let at =
            |source: EntityError| EntityError::At { place: LoadPlace::Element(place), source: source.into() };
        let one = match item {
            BatchItem::Remove(key) => Checked::Remove(snapshot.full_name(key)),
            BatchItem::Put(json) => {
                let json: Value = serde_json::from_str(json.get())
                    .map_err(|error| at(EntityError::NotJson(error.to_string())))?;
                Checked::Put(snapshot.check_entity(&json).map_err(|problem| at(problem.into()))?)
            }
        };
        if !seen.insert(one.key().clone()) {
            return Err(at(EntityError::Twice(one.key().clone())));
        }
        checked.push(one);
    }
    Ok(checked)
}

/// A hierarchy that cannot be, at the place of the entity that it is refused for.
fn placed(error: EntityError, checked: &[Checked]) -> EntityError {
    let EntityError::Refused(refused) = error else { return error };
    let place = (0..).zip(checked).find(|(_, item)| item.key() == refused.key()).map(|(place, _)| place);
    match place {
        Some(place) => EntityError::At { place: LoadPlace::Element(place), source: Box::new(refused.into()) },
        None => refused.into(),
    }
}

fn expect(table: &EntityTable, key: &EntityKey, expected: &IfMatch) -> Result<()> {
    let revision = table.row(key).map(|row| row.revision);
    if expected.holds(revision.map(|it| it.0)) { Ok(()) } else { Err(EntityError::Changed { revision }) }
}

/// A write of one entity.
fn one(action: &'static str, store: &StoreName, key: &EntityKey, change: Change) -> Plan {
    Plan { changes: vec![change], action, subject: key.to_string(), detail: json!({ "store": store }) }
}

/// A write of many.
pub(super) fn many(action: &'static str, store: &StoreName, changes: Vec<Change>) -> Plan {
    let deleted = changes.iter().filter(|change| matches!(change, Change::Remove(_))).count();
    let detail = json!({ "put": changes.len() - deleted, "deleted": deleted });
    Plan { changes, action, subject: store.to_string(), detail }
}

/// What a write of one entity came to.
fn told(key: &EntityKey, done: &Outcome) -> Written {
    let entity = done.after.row(key);
    let created = entity.is_some() && !done.before.contains(key);
    Written { entity, created, ..done.counted() }
}

/// The members of a stored entity, as a patch finds them.
fn members_of(row: &EntityRow) -> Map<String, Value> {
    let object = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::Object(Map::new()));
    let members =
        [("attrs", object(&row.attrs)), ("tags", object(&row.tags)), ("parents", json!(row.parents))];
    members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}
