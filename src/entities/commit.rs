//! Making a write last: from a plan on the hot copy to the next hot copy.

use serde_json::Value;

use super::{EntityError, EntityService, Written, following::apply, store};
use crate::{
    audit::{self, Actor},
    base::TenantId,
    bus::Topic,
    policy::{Change, EntityTable, Revision, StoreName},
    write_tx,
};

type Result<T, E = EntityError> = std::result::Result<T, E>;

/// A write of more entities than this is not logged: other nodes load everything.
pub(super) const LOGGED_AT_ONCE: usize = 20_000;
/// How often a write is planned again because another node was faster.
pub(super) const MAX_TRIES: u32 = 50;

/// A write, worked out on the hot copy.
#[derive(Debug)]
pub(super) struct Plan {
    /// Each entity at most once.
    pub(super) changes: Vec<Change>,
    pub(super) action: &'static str,
    pub(super) subject: String,
    pub(super) detail: Value,
}

/// A write that is done.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) before: EntityTable,
    pub(super) after: EntityTable,
    changes: Vec<Change>,
}

impl Outcome {
    /// How much it changed.
    pub(super) fn counted(&self) -> Written {
        let removed = self.changes.iter().filter(|change| matches!(change, Change::Remove(_))).count();
        let put = self.changes.len() - removed;
        Written { revision: self.after.revision(), entity: None, put, removed, created: false }
    }
}

impl EntityService {
    /// Plans a write on the hot copy and makes it last; again, when another node was faster.
    pub(super) async fn write(
        &self,
        store: &StoreName,
        actor: Actor<'_>,
        plan: impl Fn(&EntityTable) -> Result<Plan>,
    ) -> Result<Outcome> {
        let _turn = self.live.turn(store).await;
        for _ in 0..MAX_TRIES {
            self.catch_up(store).await?;
            let before = self.table(store).unwrap_or_default();
            let plan = plan(&before)?;
            if plan.changes.is_empty() {
                return Ok(Outcome { after: before.clone(), before, changes: plan.changes });
            }
            let after = apply(before.clone(), plan.changes.clone(), before.revision().next()).await?;
            if self.record(store, before.revision(), &plan, actor).await? {
                self.live.install(store, &after);
                self.announce(store).await;
                return Ok(Outcome { before, after, changes: plan.changes });
            }
        }
        Err(EntityError::Contended)
    }

    /// Writes a plan down, if the truth is still at `from`; answers whether it was.
    pub(super) async fn record(
        &self,
        store: &StoreName,
        from: Revision,
        plan: &Plan,
        actor: Actor<'_>,
    ) -> Result<bool> {
        let now = self.clock.now();
        let (mut put, mut removed, mut touched) = (Vec::new(), Vec::new(), Vec::new());
        for change in &plan.changes {
            match change {
                Change::Put(row) => {
                    touched.push(row.key.clone());
                    put.push(row.clone());
                }
                Change::Remove(key) => {
                    touched.push(key.clone());
                    removed.push(key.clone());
                }
            }
        }
        write_tx!(self.db, "entities.write", |tx| -> Result<bool> {
            if !store::advance(tx, store, from).await? {
                return Ok(false);
            }
            store::remove(tx, store, &removed).await?;
            store::put(tx, store, &put).await?;
            if touched.len() > LOGGED_AT_ONCE {
                store::forget(tx, store, from.next()).await?;
            } else {
                store::log(tx, store, from.next(), &touched, now).await?;
            }
            let entry = actor.does(TenantId::DEFAULT, plan.action, &plan.subject, plan.detail.clone());
            audit::record(tx, now, &*self.entropy, entry).await?;
            Ok(true)
        })
    }

    pub(super) async fn announce(&self, store: &StoreName) {
        if let Err(error) = self.bus.publish(Topic::Entities, store.as_str()).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(%store, error, "the bus is down: other nodes learn of the entities by their poll");
        }
    }
}
