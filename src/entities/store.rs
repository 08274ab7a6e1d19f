//! Tables `entities`, `entity_revisions` and `entity_changes`.

use crate::{
    base::Millis,
    policy::{EntityKey, EntityRow, Revision, StoreName},
    storage::{Result, Run, StorageError},
};

/// Rows of one statement that writes many.
const ROWS_AT_ONCE: usize = 500;

/// How far a store has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Head {
    /// The last write.
    pub(super) revision: Revision,
    /// Every later write is in the log.
    pub(super) log_from: Revision,
}

/// An entity that the log names: as it is now, or nothing when it is gone.
#[derive(Debug)]
pub(super) struct Touched {
    pub(super) key: EntityKey,
    pub(super) row: Option<EntityRow>,
}

#[derive(sqlx::FromRow)]
struct StoredRow {
    #[sqlx(rename = "type")]
    entity_type: String,
    id: String,
    attrs: String,
    tags: String,
    parents: String,
    revision: Revision,
}

#[derive(sqlx::FromRow)]
struct TouchedRow {
    #[sqlx(rename = "type")]
    entity_type: String,
    id: String,
    attrs: Option<String>,
    tags: Option<String>,
    parents: Option<String>,
    revision: Option<Revision>,
}

impl TryFrom<StoredRow> for EntityRow {
    type Error = StorageError;

    fn try_from(row: StoredRow) -> Result<Self> {
        let parents =
            serde_json::from_str(&row.parents).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let key = EntityKey::new(row.entity_type, row.id);
        Ok(Self { key, attrs: row.attrs, tags: row.tags, parents, revision: row.revision })
    }
}

/// How far a store has come; the beginning when nothing was ever written.
pub(super) async fn head(on: &mut dyn Run, store: &StoreName) -> Result<Head> {
    let head: Option<Head> = on
        .sql("SELECT revision, log_from FROM entity_revisions WHERE store = $1")
        .bind(store)
        .optional()
        .await?;
    Ok(head.unwrap_or_default())
}

/// Every store that was ever written, with its revision.
pub(super) async fn heads(on: &mut dyn Run) -> Result<Vec<(StoreName, Revision)>> {
    on.sql("SELECT store, revision FROM entity_revisions ORDER BY store").all().await
}

/// One entity.
pub(super) async fn get(on: &mut dyn Run, store: &StoreName, key: &EntityKey) -> Result<Option<EntityRow>> {
    let row: Option<StoredRow> = on
        .sql(
            "SELECT type, id, attrs, tags, parents, revision FROM entities
             WHERE store = $1 AND type = $2 AND id = $3",
        )
        .bind(store)
        .bind(key.entity_type.as_str())
        .bind(key.id.as_str())
        .optional()
        .await?;
    row.map(EntityRow::try_from).transpose()
}

/// Entities by type and id: those after `after`, at most `rows`.
pub(super) async fn page(
    on: &mut dyn Run,
    store: &StoreName,
    after: Option<&EntityKey>,
    rows: i64,
) -> Result<Vec<EntityRow>> {
    // No entity has the empty type: what comes after it is everything.
    on.sql(
        "SELECT type, id, attrs, tags, parents, revision FROM entities
         WHERE store = $1 AND (type, id) > ($2, $3) ORDER BY type, id LIMIT $4",
    )
    .bind(store)
    .bind(after.map_or("", |key| &key.entity_type))
    .bind(after.map_or("", |key| &key.id))
    .bind(rows)
    .all::<StoredRow>()
    .await?
    .into_iter()
    .map(EntityRow::try_from)
    .collect()
}

/// The same of one type.
pub(super) async fn page_of_type(
    on: &mut dyn Run,
    store: &StoreName,
    entity_type: &str,
    after: Option<&EntityKey>,
    rows: i64,
) -> Result<Vec<EntityRow>> {
    on.sql(
        "SELECT type, id, attrs, tags, parents, revision FROM entities
         WHERE store = $1 AND type = $2 AND (type, id) > ($3, $4) ORDER BY type, id LIMIT $5",
    )
    .bind(store)
    .bind(entity_type)
    .bind(after.map_or("", |key| &key.entity_type))
    .bind(after.map_or("", |key| &key.id))
    .bind(rows)
    .all::<StoredRow>()
    .await?
    .into_iter()
    .map(EntityRow::try_from)
    .collect()
}

/// How much the log holds of the writes after a revision.
pub(super) async fn count_logged(on: &mut dyn Run, store: &StoreName, after: Revision) -> Result<i64> {
    on.sql("SELECT COUNT(*) FROM entity_changes WHERE store = $1 AND revision > $2")
        .bind(store)
        .bind(after)
        .scalar()
        .await
}

/// What was touched after a revision, as it is now.
pub(super) async fn touched(on: &mut dyn Run, store: &StoreName, after: Revision) -> Result<Vec<Touched>> {
    let rows: Vec<TouchedRow> = on
        .sql(
            "SELECT c.type, c.id, e.attrs, e.tags, e.parents, e.revision
             FROM (SELECT DISTINCT type, id FROM entity_changes WHERE store = $1 AND revision > $2) c
             LEFT JOIN entities e ON e.store = $1 AND e.type = c.type AND e.id = c.id",
        )
        .bind(store)
        .bind(after)
        .all()
        .await?;
    rows.into_iter()
        .map(|row| {
            let TouchedRow { entity_type, id, attrs, tags, parents, revision } = row;
            let key = EntityKey::new(entity_type.as_str(), id.as_str());
            let row = match (attrs, tags, parents, revision) {
                (Some(attrs), Some(tags), Some(parents), Some(revision)) => {
                    Some(StoredRow { entity_type, id, attrs, tags, parents, revision }.try_into()?)
                }
                _ => None,
            };
            Ok(Touched { key, row })
        })
        .collect()
}

/// Raises a store's revision, if it is the expected one; answers whether it was.
pub(super) async fn advance(on: &mut dyn Run, store: &StoreName, from: Revision) -> Result<bool> {
    let sql = if from == Revision::default() {
        on.sql(
            "INSERT INTO entity_revisions (store, revision, log_from) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
    } else {
        on.sql("UPDATE entity_revisions SET revision = $2 WHERE store = $1 AND revision = $3")
    };
    Ok(sql.bind(store).bind(from.next()).bind(from).run().await? == 1)
}

/// Makes or replaces entities, each of which is among the rows once.
pub(super) async fn put(on: &mut dyn Run, store: &StoreName, rows: &[EntityRow]) -> Result<()> {
    for rows in rows.chunks(ROWS_AT_ONCE) {
        let mut sql =
            on.sql("INSERT INTO entities (store, type, id, attrs, tags, parents, revision) VALUES (");
        for (place, row) in rows.iter().enumerate() {
            let parents =
                serde_json::to_string(&row.parents).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
            let (kind, id) = (row.key.entity_type.as_str(), row.key.id.as_str());
            sql = if place == 0 { sql } else { sql.push("), (") };
            sql = sql
                .list([store.as_str(), kind, id, &row.attrs, &row.tags, &parents])
                .push(", ")
                .list([row.revision]);
        }
        sql.push(
            ") ON CONFLICT (store, type, id) DO UPDATE SET attrs = excluded.attrs, tags = excluded.tags,
             parents = excluded.parents, revision = excluded.revision",
        )
        .run()
        .await?;
    }
    Ok(())
}

/// Removes entities.
pub(super) async fn remove(on: &mut dyn Run, store: &StoreName, keys: &[EntityKey]) -> Result<()> {
    for keys in keys.chunks(ROWS_AT_ONCE) {
        let mut sql = on.sql("DELETE FROM entities WHERE store = $1 AND (type, id) IN (VALUES (").bind(store);
        for (place, key) in keys.iter().enumerate() {
            sql = if place == 0 { sql } else { sql.push("), (") };
            sql = sql.list([key.entity_type.as_str(), &key.id]);
        }
        sql.push("))").run().await?;
    }
    Ok(())
}

/// Removes all entities of a store.
pub(super) async fn clear(on: &mut dyn Run, store: &StoreName) -> Result<u64> {
    on.sql("DELETE FROM entities WHERE store = $1").bind(store).run().await
}

/// Adds to the log what a write touched.
pub(super) async fn log(
    on: &mut dyn Run,
    store: &StoreName,
    revision: Revision,
    keys: &[EntityKey],
    now: Millis,
) -> Result<()> {
    for keys in keys.chunks(ROWS_AT_ONCE) {
        let mut sql = on.sql("INSERT INTO entity_changes (store, type, id, revision, at_ms) VALUES (");
        for (place, key) in keys.iter().enumerate() {
            sql = if place == 0 { sql } else { sql.push("), (") };
            let texts = [store.as_str(), key.entity_type.as_str(), &key.id];
            sql = sql.list(texts).push(", ").list([revision.0, now.0]);
        }
        sql.push(")").run().await?;
    }
    Ok(())
}

/// The last write of a store that was logged before a time.
pub(super) async fn logged_before(
    on: &mut dyn Run,
    store: &StoreName,
    before: Millis,
) -> Result<Option<Revision>> {
    on.sql("SELECT MAX(revision) FROM entity_changes WHERE store = $1 AND at_ms < $2")
        .bind(store)
        .bind(before)
        .scalar()
        .await
}

/// Takes a store's writes up to this one out of the log; answers how many rows that were.
pub(super) async fn forget(on: &mut dyn Run, store: &StoreName, up_to: Revision) -> Result<u64> {
    on.sql("UPDATE entity_revisions SET log_from = $2 WHERE store = $1 AND log_from < $2")
        .bind(store)
        .bind(up_to)
        .run()
        .await?;
    on.sql("DELETE FROM entity_changes WHERE store = $1 AND revision <= $2")
        .bind(store)
        .bind(up_to)
        .run()
        .await
}
