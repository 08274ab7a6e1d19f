//! Table `devices`.

use super::{Device, DeviceChange, PublicKey};
use crate::{
    base::{DeviceId, Limit, Millis, TenantId, UserId},
    sessions::ClientInfo,
    storage::{Db, Result, Run},
};

/// Adds a device of a user, seen now.
pub(in crate::sessions) async fn add(
    run: &mut dyn Run,
    (tenant, user): (TenantId, UserId),
    id: DeviceId,
    client: &ClientInfo,
    now: Millis,
) -> Result<()> {
    run.sql(
        "INSERT INTO devices (id, tenant_id, user_id, name, platform, public_key, created_at_ms, last_seen_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
    )
    .bind(id)
    .bind(tenant)
    .bind(user)
    .bind(ClientInfo::clean(client.device_name.as_deref()))
    .bind(ClientInfo::clean(client.device_platform.as_deref()))
    .bind(client.device_key.as_ref().map(PublicKey::as_str))
    .bind(now)
    .run()
    .await?;
    Ok(())
}

/// Says that a device was used, and what it now says of itself; answers whether the user still has it.
pub(in crate::sessions) async fn see(
    run: &mut dyn Run,
    (tenant, user): (TenantId, UserId),
    id: DeviceId,
    client: &ClientInfo,
    now: Millis,
) -> Result<bool> {
    let seen = run
        .sql(
            "UPDATE devices SET last_seen_at_ms = $4, name = COALESCE($5, name), platform = COALESCE($6, platform),
                    public_key = COALESCE($7, public_key)
             WHERE tenant_id = $1 AND user_id = $2 AND id = $3",
        )
        .bind(tenant)
        .bind(user)
        .bind(id)
        .bind(now)
        .bind(ClientInfo::clean(client.device_name.as_deref()))
        .bind(ClientInfo::clean(client.device_platform.as_deref()))
        .bind(client.device_key.as_ref().map(PublicKey::as_str))
        .run()
        .await?;
    Ok(seen == 1)
}

/// Says when a device was used, if that is news.
pub(in crate::sessions) async fn used(
    run: &mut dyn Run,
    (tenant, user): (TenantId, UserId),
    id: DeviceId,
    at: Millis,
) -> Result<()> {
    run.sql(
        "UPDATE devices SET last_seen_at_ms = $4
         WHERE tenant_id = $1 AND user_id = $2 AND id = $3 AND last_seen_at_ms < $4",
    )
    .bind(tenant)
    .bind(user)
    .bind(id)
    .bind(at)
    .run()
    .await?;
    Ok(())
}

/// Whether the user has the device.
pub(super) async fn has(run: &mut dyn Run, tenant: TenantId, user: UserId, id: DeviceId) -> Result<bool> {
    let found: Option<(DeviceId,)> = run
        .sql("SELECT id FROM devices WHERE tenant_id = $1 AND user_id = $2 AND id = $3")
        .bind(tenant)
        .bind(user)
        .bind(id)
        .optional()
        .await?;
    Ok(found.is_some())
}

/// The devices of a user, the last used first.
pub(super) async fn list(
    run: &mut dyn Run,
    tenant: TenantId,
    user: UserId,
    now: Millis,
) -> Result<Vec<Device>> {
    run.sql(
        "SELECT d.id, d.name, d.platform, d.public_key, d.trusted_at_ms, d.created_at_ms, d.last_seen_at_ms,
                (SELECT COUNT(*) FROM sessions s JOIN users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
                 WHERE s.tenant_id = d.tenant_id AND s.user_id = d.user_id AND s.device_id = d.id
                   AND s.revoked_at_ms IS NULL AND s.epoch = u.token_epoch
                   AND s.idle_expires_at_ms > $3 AND s.abs_expires_at_ms > $3) AS sessions
         FROM devices d
         WHERE d.tenant_id = $1 AND d.user_id = $2
         ORDER BY d.last_seen_at_ms DESC, d.id DESC LIMIT $4",
    )
    .bind(tenant)
    .bind(user)
    .bind(now)
    .bind(i64::from(Limit::MAX))
    .all()
    .await
}

/// Changes a device; answers whether the user has it.
pub(super) async fn change(
    run: &mut dyn Run,
    (tenant, user): (TenantId, UserId),
    id: DeviceId,
    change: &DeviceChange,
    now: Millis,
) -> Result<bool> {
    let name = change.name.as_ref();
    let changed = run
        .sql(
            "UPDATE devices SET
                 name = CASE WHEN $4 = 1 THEN $5 ELSE name END,
                 trusted_at_ms = CASE WHEN $6 = 0 THEN NULL WHEN $6 = 1 THEN COALESCE(trusted_at_ms, $7)
                                 ELSE trusted_at_ms END
             WHERE tenant_id = $1 AND user_id = $2 AND id = $3",
        )
        .bind(tenant)
        .bind(user)
        .bind(id)
        .bind(i64::from(name.is_some()))
        .bind(name.and_then(|name| ClientInfo::clean(name.0.as_deref())))
        .bind(change.is_trusted.map_or(2_i64, i64::from))
        .bind(now)
        .run()
        .await?;
    Ok(changed == 1)
}

/// Removes a device; answers whether the user had it.
pub(super) async fn remove(run: &mut dyn Run, tenant: TenantId, user: UserId, id: DeviceId) -> Result<bool> {
    let removed = run
        .sql("DELETE FROM devices WHERE tenant_id = $1 AND user_id = $2 AND id = $3")
        .bind(tenant)
        .bind(user)
        .bind(id)
        .run()
        .await?;
    Ok(removed == 1)
}

/// Forgets devices on which nobody was seen since a moment; answers how many. Of nodes that do at once each takes others.
pub(in crate::sessions) async fn forget_unused(db: &Db, since: Millis, most: i64) -> Result<u64> {
    db.lone_write(
        "DELETE FROM devices WHERE id IN (SELECT id FROM devices WHERE last_seen_at_ms < $1 LIMIT $2 ",
    )
    .push(db.skip_locked())
    .push(")")
    .bind(since)
    .bind(most)
    .run()
    .await
}
