//! Use cases around tenants.

use std::{sync::Arc, time::Duration};

use quick_cache::sync::Cache;
use serde_json::json;

use super::{NewTenant, Plan, Plans, Tenant, TenantChange, TenantError, TenantStatus, store};
use crate::{
    audit::{self, Actor},
    base::{Clock, Cursor, Entropy, Limit, Millis, Page, TenantId},
    bus::{IdentityNews, Stamp, Subject},
    storage::{Db, Result, Tx},
    write_tx,
};

/// How long a tenant that was read counts.
const TTL: Duration = Duration::from_secs(5);
/// The same while no news of other nodes come.
const DEGRADED_TTL: Duration = Duration::from_secs(1);
/// Tenants that are held.
const MAX_HELD: usize = 10_000;

/// What the service is made of.
#[derive(Debug)]
pub struct TenantParts {
    /// The truth.
    pub db: Db,
    /// News to and from other nodes.
    pub news: Arc<IdentityNews>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// What can be booked.
    pub plans: Plans,
}

#[derive(Debug, Clone)]
struct Held {
    tenant: Arc<Tenant>,
    stamp: Stamp,
    at: Millis,
}

/// Makes, finds and changes tenants.
#[derive(Debug)]
pub struct TenantService {
    parts: TenantParts,
    held: Cache<TenantId, Held>,
}

impl TenantService {
    /// The service; nothing was read yet.
    #[must_use]
    pub fn new(parts: TenantParts) -> Self {
        Self { parts, held: Cache::new(MAX_HELD) }
    }

    /// The plan of this name.
    ///
    /// Errors: `UnknownPlan`.
    pub fn plan(&self, name: &str) -> Result<&Plan, TenantError> {
        self.parts.plans.get(name).ok_or_else(|| TenantError::UnknownPlan(name.to_owned()))
    }

    /// A tenant, as it was a moment ago.
    ///
    /// Errors: the database failed.
    pub async fn get(&self, id: TenantId) -> Result<Option<Arc<Tenant>>> {
        let (news, now) = (&self.parts.news, self.parts.clock.now());
        // INVARIANT: the stamp is taken before the read, so what a change overtook never counts.
        let stamp = news.stamp(id, Subject::Tenant);
        if let Some(held) = self.held.get(&id) {
            let old = now.since(held.at);
            let is_young = held.at <= now && (old < DEGRADED_TTL || (old < TTL && !news.is_degraded()));
            if is_young && held.stamp == stamp {
                return Ok(Some(held.tenant));
            }
        }
        let Some(tenant) = store::by_id(&mut &self.parts.db, id).await?.map(Arc::new) else {
            return Ok(None);
        };
        self.held.insert(id, Held { tenant: Arc::clone(&tenant), stamp, at: now });
        Ok(Some(tenant))
    }

    /// A page of all tenants.
    ///
    /// Errors: the database failed.
    pub async fn list(&self, after: Option<&Cursor>, limit: Limit) -> Result<Page<Tenant>> {
        let rows = store::list(&mut &self.parts.db, after.map(Cursor::key), limit).await?;
        Ok(Page::cut(rows, limit, |tenant| tenant.id.to_string()))
    }

    /// Makes a tenant in a transaction of the caller's, with its audit record.
    ///
    /// Errors: `UnknownPlan`, `Storage`, `Entropy`.
    pub async fn create_in(
        &self,
        tx: &mut Tx,
        new: &NewTenant,
        actor: Actor<'_>,
    ) -> Result<Tenant, TenantError> {
        let parts = &self.parts;
        self.plan(&new.plan)?;
        let now = parts.clock.now();
        let id = TenantId::new(now, &*parts.entropy)?;
        store::insert(tx, id, new, now).await?;
        let subject = id.to_string();
        let entry = actor.does(id, "tenant_created", &subject, json!({ "plan": new.plan }));
        audit::record(tx, now, &*parts.entropy, entry).await?;
        store::by_id(tx, id).await?.ok_or(TenantError::NotFound)
    }

    /// Changes a tenant, with its audit record.
    ///
    /// Errors: `NotFound`, `UnknownPlan`, `Storage`, `Entropy`.
    pub async fn update(
        &self,
        id: TenantId,
        change: &TenantChange,
        actor: Actor<'_>,
    ) -> Result<Tenant, TenantError> {
        let parts = &self.parts;
        if let Some(plan) = &change.plan {
            self.plan(plan)?;
        }
        let changed = write_tx!(parts.db, "tenants.update", |tx| -> Result<Tenant, TenantError> {
            let mut tenant = store::by_id(tx, id).await?.ok_or(TenantError::NotFound)?;
            if let Some(name) = &change.name {
                name.as_str().clone_into(&mut tenant.name);
            }
            tenant.plan = change.plan.clone().unwrap_or(tenant.plan);
            tenant.settings = change.settings.clone().unwrap_or(tenant.settings);
            store::update(tx, &tenant).await?;
            let (subject, detail) = (id.to_string(), json!({ "plan": tenant.plan }));
            let entry = actor.does(id, "tenant_updated", &subject, detail);
            audit::record(tx, parts.clock.now(), &*parts.entropy, entry).await?;
            Ok(tenant)
        })?;
        self.changed(id).await;
        Ok(changed)
    }

    /// Suspends a tenant or lets it go on, with its audit record, in a transaction of the caller's, who ends its
    /// sessions and calls [`TenantService::changed`].
    ///
    /// Errors: `NotFound`, `OwnTenant`, `Storage`, `Entropy`.
    pub async fn set_status_in(
        &self,
        tx: &mut Tx,
        id: TenantId,
        status: TenantStatus,
        actor: Actor<'_>,
    ) -> Result<(), TenantError> {
        if id == TenantId::DEFAULT && status == TenantStatus::Suspended {
            return Err(TenantError::OwnTenant);
        }
        if !store::set_status(tx, id, status).await? {
            return Err(TenantError::NotFound);
        }
        let action = match status {
            TenantStatus::Active => "tenant_resumed",
            TenantStatus::Suspended => "tenant_suspended",
        };
        let subject = id.to_string();
        let entry = actor.does(id, action, &subject, json!({}));
        Ok(audit::record(tx, self.parts.clock.now(), &*self.parts.entropy, entry).await?)
    }

    /// Makes a committed change of a tenant known to this node and then to the others.
    pub async fn changed(&self, id: TenantId) {
        self.parts.news.tell(id, Subject::Tenant).await;
    }
}
