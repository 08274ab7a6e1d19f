//! Making, showing, changing and revoking keys.

use std::{net::IpAddr, sync::Arc, time::Duration};

use serde_json::json;

use super::{
    ApiKey, ApiKeyError, Change, CreatedKey, KeyChange, NewApiKey, Slot, key,
    limit::{Limits, Pace, Turns},
    store,
    usage::Usage,
    verify::Known,
};
use crate::{
    audit::{self, Actor},
    base::{ApiKeyId, Clock, Cursor, Entropy, Limit, Page, TenantId, UserId},
    bus::{IdentityNews, Subject},
    config::ApiKeysConfig,
    revocations::{self, Ended},
    roles::{Hierarchy, RoleName, RoleService},
    storage::{Db, Fault, Result, Tx},
    write_tx,
};

/// Keys that are held in memory, and addresses and keys that are counted.
const MAX_HELD: usize = 50_000;
/// Keys that are looked up at once for one address, if it may fail so often: others wait, and are not refused for what
/// is not known yet.
const LOOK_UPS: u32 = 8;

/// What the service is made of.
#[derive(Debug)]
pub struct ApiKeyParts {
    /// The truth.
    pub db: Db,
    /// What owners may do.
    pub roles: RoleService,
    /// News to and from other nodes.
    pub news: Arc<IdentityNews>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// How keys are spelled and limited.
    pub config: ApiKeysConfig,
}

/// Makes, verifies and revokes API keys.
#[derive(Debug)]
pub struct ApiKeyService {
    pub(super) parts: ApiKeyParts,
    pub(super) known: Known,
    pub(super) failures: Limits<Option<IpAddr>>,
    pub(super) look_ups: Turns<Option<IpAddr>>,
    pub(super) rates: Limits<ApiKeyId>,
    pub(super) usage: Usage,
}

impl ApiKeyService {
    /// The service; nothing is known yet.
    #[must_use]
    pub fn new(parts: ApiKeyParts) -> Self {
        let at_once = LOOK_UPS.min(parts.config.failures_per_minute);
        Self {
            parts,
            known: Known::new(MAX_HELD),
            failures: Limits::new(MAX_HELD),
            look_ups: Turns::new(MAX_HELD, usize::try_from(at_once).unwrap_or(1)),
            rates: Limits::new(MAX_HELD),
            usage: Usage::default(),
        }
    }

    /// How many unknown keys may come from one address.
    pub(super) fn failure_pace(&self) -> Pace {
        let a_minute = self.parts.config.failures_per_minute;
        Pace::new("api-key-failures", a_minute, Duration::from_mins(1), a_minute)
    }

    /// Makes a key for a user, or without one for the tenant itself, with its audit record.
    ///
    /// Shape: out is the key, and the only copy of its text of 71 characters after `bwk_<env>_`.
    /// Errors: `OwnerNotFound`, `UnknownRole`, `RoleNotHeld`, `LimitReached`, `Storage`, `Entropy`.
    pub async fn create(
        &self,
        tenant: TenantId,
        owner: Option<UserId>,
        new: &NewApiKey,
        actor: Actor<'_>,
    ) -> Result<CreatedKey, ApiKeyError> {
        let roles = self.roles_for(tenant, owner, new.roles.as_deref()).await?;
        write_tx!(self.parts.db, "api_keys.create", |tx| -> Result<CreatedKey, ApiKeyError> {
            if let Some(owner) = owner {
                let most = self.parts.config.max_per_user;
                if store::count(tx, tenant, owner).await? >= i64::from(most) {
                    return Err(ApiKeyError::LimitReached { most });
                }
            }
            self.insert(tx, (tenant, owner), Slot::None, new, &roles, actor).await
        })
    }

    /// The key of this id, revoked or not.
    ///
    /// Errors: the database failed.
    pub async fn get(&self, tenant: TenantId, id: ApiKeyId) -> Result<Option<ApiKey>> {
        store::by_id(&mut &self.parts.db, tenant, id).await
    }

    /// A page of the keys of a tenant, or of one owner, that were not revoked, in the order in which they were made.
    ///
    /// Errors: the database failed.
    pub async fn list(
        &self,
        tenant: TenantId,
        owner: Option<UserId>,
        after: Option<&Cursor>,
        limit: Limit,
    ) -> Result<Page<ApiKey>> {
        let rows = store::list(&mut &self.parts.db, tenant, owner, after.map(Cursor::key), limit).await?;
        Ok(Page::cut(rows, limit, |key| key.id.to_string()))
    }

    /// All keys of an owner, those that were revoked too, in the order in which they were made.
    ///
    /// Errors: the database failed.
    pub async fn of_owner(&self, tenant: TenantId, owner: UserId) -> Result<Vec<ApiKey>> {
        store::of_owner(&mut &self.parts.db, tenant, owner).await
    }

    /// Changes a key that was not revoked, with its audit record.
    ///
    /// Errors: `NotFound`, `Storage`, `Entropy`.
    pub async fn update(
        &self,
        tenant: TenantId,
        id: ApiKeyId,
        change: &KeyChange,
        actor: Actor<'_>,
    ) -> Result<ApiKey, ApiKeyError> {
        let parts = &self.parts;
        let changed = write_tx!(parts.db, "api_keys.update", |tx| -> Result<ApiKey, ApiKeyError> {
            let now = parts.clock.now();
            let mut key = store::by_id(tx, tenant, id).await?.ok_or(ApiKeyError::NotFound)?;
            if let Some(name) = &change.name {
                name.as_str().clone_into(&mut key.name);
            }
            let limits = &mut key.limits;
            limits.scopes = change.scopes.clone().unwrap_or_else(|| limits.scopes.clone());
            limits.ip_allowlist = change.ip_allowlist.clone().unwrap_or_else(|| limits.ip_allowlist.clone());
            limits.rate = change.rate.of(limits.rate);
            limits.expires_at = match change.ttl {
                Change::Keep => limits.expires_at,
                Change::Lift => None,
                Change::Set(ttl) => Some(now.plus(ttl)),
            };
            if !store::update(tx, tenant, &key).await? {
                return Err(ApiKeyError::NotFound);
            }
            let (subject, detail) = (id.to_string(), json!({ "scopes": key.limits.scopes.to_string() }));
            let entry = actor.does(tenant, "api_key_updated", &subject, detail);
            audit::record(tx, now, &*parts.entropy, entry).await?;
            Ok(key)
        })?;
        self.changed(tenant, id).await;
        Ok(changed)
    }

    /// Revokes a key in a transaction of the caller's, with its audit record. The caller ends the sessions that it
    /// opened, and calls [`ApiKeyService::changed`].
    ///
    /// Errors: `NotFound` (there is none, or it was revoked before), `Storage`, `Entropy`.
    pub async fn revoke_in(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        id: ApiKeyId,
        reason: &str,
        actor: Actor<'_>,
    ) -> Result<(), ApiKeyError> {
        let (parts, now) = (&self.parts, self.parts.clock.now());
        if !self.end_in(tx, tenant, id, reason).await? {
            return Err(ApiKeyError::NotFound);
        }
        let subject = id.to_string();
        let entry = actor.does(tenant, "api_key_revoked", &subject, json!({ "reason": reason }));
        Ok(audit::record(tx, now, &*parts.entropy, entry).await?)
    }

    /// Tells services that the keys of a user are good for nothing while their owner is kept out, in the transaction
    /// that keeps them out.
    ///
    /// Errors: the database failed.
    pub async fn owner_kept_out_in(&self, tx: &mut Tx, tenant: TenantId, owner: UserId) -> Result<()> {
        let keys = store::of_owner(tx, tenant, owner).await?;
        for key in keys.into_iter().filter(|key| key.revoked_at.is_none()) {
            let now = self.parts.clock.now();
            revocations::record(tx, now, Some(tenant), &Ended::ApiKey(key.id)).await?;
        }
        Ok(())
    }

    /// Makes a committed change of a key known to this node and then to the others.
    pub async fn changed(&self, tenant: TenantId, id: ApiKeyId) {
        self.parts.news.tell(tenant, Subject::Key(id)).await;
    }

    /// Makes one of a tenant's own keys in a transaction of the caller's. Its slot must be free.
    ///
    /// Errors: `SlotTaken`, `Storage`, `Entropy`.
    pub async fn create_in_slot(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        slot: Slot,
        new: &NewApiKey,
        actor: Actor<'_>,
    ) -> Result<CreatedKey, ApiKeyError> {
        self.insert(tx, (tenant, None), slot, new, &[], actor).await
    }

    /// Makes the tenant's secondary key; the primary one stays as it is. With `replace` a secondary key that is there
    /// is revoked, else it is in the way.
    ///
    /// Errors: `SlotTaken`, `Storage`, `Entropy`.
    pub async fn rotate(
        &self,
        tenant: TenantId,
        new: &NewApiKey,
        replace: bool,
        actor: Actor<'_>,
    ) -> Result<CreatedKey, ApiKeyError> {
        let parts = &self.parts;
        let made = write_tx!(parts.db, "api_keys.rotate", |tx| -> Result<CreatedKey, ApiKeyError> {
            if let Some(old) = store::in_slot(tx, tenant, Slot::Secondary).await?.filter(|_| replace) {
                self.end_in(tx, tenant, old, "replaced").await?;
            }
            self.create_in_slot(tx, tenant, Slot::Secondary, new, actor).await
        })?;
        parts.news.tell(tenant, Subject::Tenant).await;
        Ok(made)
    }

    /// Makes the tenant's secondary key the primary one. The old primary key works for another `grace`, or is revoked.
    /// There is no moment at which neither works.
    ///
    /// Errors: `NoSecondary`, `Storage`, `Entropy`.
    pub async fn promote(
        &self,
        tenant: TenantId,
        grace: Duration,
        actor: Actor<'_>,
    ) -> Result<ApiKeyId, ApiKeyError> {
        let parts = &self.parts;
        let promoted = write_tx!(parts.db, "api_keys.promote", |tx| -> Result<ApiKeyId, ApiKeyError> {
            let now = parts.clock.now();
            let next = store::in_slot(tx, tenant, Slot::Secondary).await?.ok_or(ApiKeyError::NoSecondary)?;
            if let Some(old) = store::in_slot(tx, tenant, Slot::Primary).await? {
                if grace.is_zero() {
                    self.end_in(tx, tenant, old, "promoted").await?;
                } else {
                    store::retire(tx, tenant, old, now.plus(grace)).await?;
                }
            }
            store::set_slot(tx, tenant, next, Slot::Primary).await?;
            let (subject, detail) = (next.to_string(), json!({ "grace_secs": grace.as_secs() }));
            let entry = actor.does(tenant, "api_key_promoted", &subject, detail);
            audit::record(tx, now, &*parts.entropy, entry).await?;
            Ok(next)
        })?;
        parts.news.tell(tenant, Subject::Tenant).await;
        Ok(promoted)
    }

    /// Revokes a key and tells services; answers whether there was one.
    async fn end_in(&self, tx: &mut Tx, tenant: TenantId, id: ApiKeyId, reason: &str) -> Result<bool> {
        let now = self.parts.clock.now();
        let ended = store::revoke(tx, tenant, id, reason, now).await?;
        if ended {
            revocations::record(tx, now, Some(tenant), &Ended::ApiKey(id)).await?;
        }
        Ok(ended)
    }

    async fn insert(
        &self,
        tx: &mut Tx,
        (tenant, owner): (TenantId, Option<UserId>),
        slot: Slot,
        new: &NewApiKey,
        roles: &[String],
        actor: Actor<'_>,
    ) -> Result<CreatedKey, ApiKeyError> {
        let parts = &self.parts;
        let now = parts.clock.now();
        let id = ApiKeyId::new(now, &*parts.entropy)?;
        let (text, secret) = key::issue(&parts.config.environment, id, &*parts.entropy)?;
        let mut limits = new.limits.clone();
        limits.expires_at = new.ttl.map(|ttl| now.plus(ttl)).or(limits.expires_at);
        let key = ApiKey {
            id,
            tenant_id: tenant,
            owner,
            slot,
            name: new.name.as_str().to_owned(),
            env: parts.config.environment.clone(),
            roles: roles.to_vec(),
            limits,
            created_by: actor.name.to_owned(),
            created_at: now,
            last_used_at: None,
            last_used_ip: None,
            revoked_at: None,
        };
        let added = store::insert(tx, tenant, &key, &secret).await.map_err(|error| match error.fault() {
            Fault::ForeignKey => ApiKeyError::OwnerNotFound,
            _ => error.into(),
        })?;
        if !added {
            return Err(ApiKeyError::SlotTaken);
        }
        let detail = json!({ "owner": owner, "roles": key.roles, "scopes": key.limits.scopes.to_string() });
        let subject = id.to_string();
        let entry = actor.does(tenant, "api_key_created", &subject, detail);
        audit::record(tx, now, &*parts.entropy, entry).await?;
        Ok(CreatedKey { key, text })
    }

    /// The roles of a new key: those that are asked for, if its owner has them, or all that the owner was granted.
    /// Read before the transaction, because what counts is what the owner has when the key is used.
    async fn roles_for(
        &self,
        tenant: TenantId,
        owner: Option<UserId>,
        asked: Option<&[RoleName]>,
    ) -> Result<Vec<String>, ApiKeyError> {
        let roles = &self.parts.roles;
        let granted = match owner {
            Some(owner) => roles.names_of(tenant, owner).await?,
            None => Vec::new(),
        };
        let Some(asked) = asked else { return Ok(granted) };
        let hierarchy = Hierarchy::of(roles.list(tenant).await?);
        let held = hierarchy.closure(&granted);
        let mut chosen = Vec::new();
        for name in asked.iter().map(RoleName::as_str) {
            if hierarchy.get(name).is_none() {
                return Err(ApiKeyError::UnknownRole(name.to_owned()));
            }
            if owner.is_some() && !held.iter().any(|role| role.name == name) {
                return Err(ApiKeyError::RoleNotHeld(name.to_owned()));
            }
            if !chosen.iter().any(|known| known == name) {
                chosen.push(name.to_owned());
            }
        }
        Ok(chosen)
    }
}
