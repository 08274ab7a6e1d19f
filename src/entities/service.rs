//! What is there: the hot copy to decide with, and reading for people.

use std::{sync::Arc, time::Duration};

use super::{EntityError, EntityFilter, live::Live, store};
use crate::{
    base::{Clock, Cursor, CursorError, Entropy, Limit, Page},
    bus::Bus,
    policy::{EntityKey, EntityRow, EntityTable, PolicyService, Snapshot, StoreName},
    storage::Db,
};

type Result<T, E = EntityError> = std::result::Result<T, E>;

/// What the service is made of.
#[derive(Debug)]
pub struct EntityParts {
    /// The truth.
    pub db: Db,
    /// News to and from other nodes.
    pub bus: Bus,
    /// The schemas.
    pub policies: Arc<PolicyService>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness of audit ids.
    pub entropy: Arc<dyn Entropy>,
    /// How often the database is asked for what the bus may have lost.
    pub poll: Duration,
}

/// The pushed entities of every store. Share it in an `Arc`.
#[derive(Debug)]
pub struct EntityService {
    pub(super) db: Db,
    pub(super) bus: Bus,
    policies: Arc<PolicyService>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) poll: Duration,
    pub(super) live: Live,
}

impl EntityService {
    /// A service without hot copies; [`refresh`](Self::refresh) loads them.
    #[must_use]
    pub fn new(parts: EntityParts) -> Self {
        let EntityParts { db, bus, policies, clock, entropy, poll } = parts;
        Self { db, bus, policies, clock, entropy, poll, live: Live::default() }
    }

    /// The hot copy to decide with; `None` when nothing was ever pushed. Lock-free: load it once a request and
    /// keep it for all of it.
    #[must_use]
    pub fn table(&self, store: &StoreName) -> Option<EntityTable> {
        self.live.table(store)
    }

    /// One entity, as the database has it.
    ///
    /// Errors: `UnknownStore`, `NotFound`, `Storage`.
    pub async fn get(&self, store: &StoreName, key: EntityKey) -> Result<EntityRow> {
        let key = self.full_name(store, key).await?;
        let found = if storable(&key) { store::get(&mut &self.db, store, &key).await? } else { None };
        found.ok_or(EntityError::NotFound(key))
    }

    /// Entities by type and id. Those of one parent come from the hot copy of this node.
    ///
    /// Errors: `UnknownStore`, `Cursor`, `Storage`.
    pub async fn list(
        &self,
        store: &StoreName,
        filter: EntityFilter,
        limit: Limit,
        cursor: Option<&Cursor>,
    ) -> Result<Page<EntityRow>> {
        let after: Option<EntityKey> =
            cursor.map(|cursor| serde_json::from_str(cursor.key()).map_err(|_| CursorError)).transpose()?;
        let kind = match filter.entity_type {
            None => None,
            Some(kind) => Some(self.full_name(store, EntityKey::new(kind, "")).await?.entity_type),
        };
        let rows = match (filter.parent, &kind) {
            (Some(parent), kind) => {
                let parent = self.full_name(store, parent).await?;
                let most = usize::try_from(limit.rows() + 1).unwrap_or(usize::MAX);
                let table = self.table(store).unwrap_or_default();
                table.children(&parent, kind.as_deref(), after.as_ref(), most)
            }
            (None, Some(kind)) if kind.contains('\0') => Vec::new(),
            (None, Some(kind)) => {
                store::page_of_type(&mut &self.db, store, kind, after.as_ref(), limit.rows() + 1).await?
            }
            (None, None) => {
                self.known(store).await?;
                store::page(&mut &self.db, store, after.as_ref(), limit.rows() + 1).await?
            }
        };
        Ok(Page::cut(rows, limit, |row| serde_json::to_string(&row.key).unwrap_or_default()))
    }

    /// The schema that entities of a store must fit.
    pub(super) async fn schema(&self, store: &StoreName) -> Result<Arc<Snapshot>> {
        if let Some(snapshot) = self.policies.live().snapshot(store) {
            return Ok(snapshot);
        }
        self.known(store).await?;
        Err(EntityError::NoActiveVersion(store.clone()))
    }

    pub(super) async fn known(&self, store: &StoreName) -> Result<()> {
        let live = self.policies.live().snapshot(store).is_some();
        if live || self.policies.exists(store).await? {
            Ok(())
        } else {
            Err(EntityError::UnknownStore(store.clone()))
        }
    }

    /// The name with the full name of its type, where the schema is at hand.
    pub(super) async fn full_name(&self, store: &StoreName, key: EntityKey) -> Result<EntityKey> {
        self.known(store).await?;
        Ok(match self.policies.live().snapshot(store) {
            Some(snapshot) => snapshot.full_name(key),
            None => key,
        })
    }
}

/// Whether a name can be stored: Postgres keeps no U+0000 in a text.
fn storable(key: &EntityKey) -> bool {
    !key.id.contains('\0') && !key.entity_type.contains('\0')
}
