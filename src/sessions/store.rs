//! Table `sessions`; see the module's docs for the columns of others that are read.

use super::{ClientInfo, LiveSession, NewSession, OpenedBy, Session, fingerprint::Fingerprint};
use crate::{
    base::{ApiKeyId, DeviceId, Digest32, Limit, Millis, SessionId, TenantId, UserId},
    storage::{Result, Run},
};

/// A session and all that decides whether it is live.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct SessionRow {
    pub(super) id: SessionId,
    pub(super) tenant_id: TenantId,
    pub(super) user_id: UserId,
    pub(super) device_id: DeviceId,
    kind: String,
    api_key_id: Option<ApiKeyId>,
    origin: Option<String>,
    pub(super) version: i64,
    pub(super) epoch: i64,
    pub(super) rt_hash: Vec<u8>,
    pub(super) prev_rt_hash: Option<Vec<u8>>,
    pub(super) grace_blob: Option<Vec<u8>>,
    pub(super) rotated_at_ms: Millis,
    pub(super) amr: String,
    pub(super) auth_time_ms: Millis,
    pub(super) agent_tag: Option<Vec<u8>>,
    pub(super) platform_tag: Option<Vec<u8>>,
    pub(super) idle_expires_at_ms: Millis,
    pub(super) abs_expires_at_ms: Millis,
    pub(super) revoked_at_ms: Option<Millis>,
    pub(super) user_epoch: i64,
    pub(super) user_status: String,
    pub(super) tenant_status: String,
}

impl SessionRow {
    /// Whether somebody ended the session, in whatever way.
    pub(super) fn was_ended(&self) -> bool {
        self.revoked_at_ms.is_some()
            || self.epoch != self.user_epoch
            || self.user_status != "active"
            || self.tenant_status != "active"
    }

    /// Whether it was unused for too long or is too old.
    pub(super) fn is_over(&self, now: Millis) -> bool {
        self.idle_expires_at_ms <= now || self.abs_expires_at_ms <= now
    }

    /// Who opened it.
    pub(super) fn opened_by(&self) -> OpenedBy {
        match self.api_key_id.filter(|_| self.kind == "sdk") {
            Some(key) => OpenedBy::Key { key, origin: self.origin.clone() },
            None => OpenedBy::User,
        }
    }

    /// The session.
    pub(super) fn session(&self) -> LiveSession {
        LiveSession {
            id: self.id,
            tenant_id: self.tenant_id,
            user_id: self.user_id,
            device_id: self.device_id,
            version: self.version,
            epoch: self.epoch,
            amr: self.amr.split_whitespace().map(str::to_owned).collect(),
            auth_time: self.auth_time_ms,
            by: self.opened_by(),
            rotated_at: self.rotated_at_ms,
            idle_expires_at: self.idle_expires_at_ms,
            abs_expires_at: self.abs_expires_at_ms,
        }
    }
}

/// Adds a session if its user may sign in and is still in the epoch that `new` names, and the key that opens it, if
/// one does, has not ended; answers whether. One statement: a password change or a revocation beside it either sees
/// the session or is seen by it.
pub(super) async fn insert(
    run: &mut dyn Run,
    session: &LiveSession,
    new: &NewSession,
    client: &ClientInfo,
    rt_hash: &Digest32,
    looks: Option<&Fingerprint>,
) -> Result<bool> {
    let ip = client.ip.map(|ip| ip.to_canonical().to_string());
    let added = run
        .sql(
            "INSERT INTO sessions (id, tenant_id, user_id, device_id, kind, version, epoch, rt_hash,
                 rotated_at_ms, ip_first, ip_last, user_agent, device_name, device_platform, amr, auth_time_ms,
                 created_at_ms, last_seen_at_ms, idle_expires_at_ms, abs_expires_at_ms, agent_tag, platform_tag,
                 api_key_id, origin)
             SELECT $1, u.tenant_id, u.id, $4, $19, $5, u.token_epoch, $7,
                 $8, $9, $9, $10, $11, $12, $13, $14, $8, $8, $15, $16, $17, $18, $20, $21
             FROM users u JOIN tenants t ON t.id = u.tenant_id
             WHERE u.tenant_id = $2 AND u.id = $3 AND u.token_epoch = $6
               AND u.status = 'active' AND t.status = 'active'
               AND (CAST($20 AS TEXT) IS NULL OR EXISTS (
                   SELECT 1 FROM api_keys k
                   WHERE k.tenant_id = u.tenant_id AND k.id = $20 AND k.revoked_at_ms IS NULL
                     AND (k.expires_at_ms IS NULL OR k.expires_at_ms > $8)))",
        )
        .bind(session.id)
        .bind(new.tenant_id)
        .bind(new.user_id)
        .bind(session.device_id)
        .bind(session.version)
        .bind(new.epoch)
        .bind(&rt_hash.as_bytes()[..])
        .bind(session.rotated_at)
        .bind(ip)
        .bind(ClientInfo::clean(client.user_agent.as_deref()))
        .bind(ClientInfo::clean(client.device_name.as_deref()))
        .bind(ClientInfo::clean(client.device_platform.as_deref()))
        .bind(session.amr.join(" "))
        .bind(session.auth_time)
        .bind(session.idle_expires_at)
        .bind(session.abs_expires_at)
        .bind(looks.map(|looks| &looks.agent[..]))
        .bind(looks.map(|looks| &looks.platform[..]))
        .bind(session.by.kind())
        .bind(session.by.key())
        .bind(session.by.origin())
        .run()
        .await?;
    Ok(added == 1)
}

/// What a rotation changes.
pub(super) struct Rotation<'a> {
    pub(super) session: SessionId,
    pub(super) generation: i64,
    pub(super) presented: Digest32,
    pub(super) successor: Digest32,
    pub(super) grace_blob: &'a [u8],
    pub(super) now: Millis,
    pub(super) idle_expires_at: Millis,
    pub(super) ip: Option<String>,
}

/// Rotates a session if `presented` is its current token and it is live; answers its new version.
/// The one compare-and-swap of identity.md §2.4. A session is found by its id alone: the secret proves
/// whose it is, and the tenant is the session's own.
pub(super) async fn rotate(run: &mut dyn Run, rotation: &Rotation<'_>) -> Result<Option<i64>> {
    let row: Option<(i64,)> = run
        .sql(
            "UPDATE sessions SET version = version + 1, prev_rt_hash = rt_hash, rt_hash = $4, grace_blob = $5,
                 rotated_at_ms = $6, last_seen_at_ms = $6, ip_last = COALESCE($8, ip_last),
                 idle_expires_at_ms = CASE WHEN $7 < abs_expires_at_ms THEN $7 ELSE abs_expires_at_ms END
             WHERE id = $1 AND version = $2 AND rt_hash = $3 AND revoked_at_ms IS NULL
               AND idle_expires_at_ms > $6 AND abs_expires_at_ms > $6
               AND epoch = (SELECT u.token_epoch FROM users u JOIN tenants t ON t.id = u.tenant_id
                            WHERE u.tenant_id = sessions.tenant_id AND u.id = sessions.user_id
                              AND u.status = 'active' AND t.status = 'active')
             RETURNING version",
        )
        .bind(rotation.session)
        .bind(rotation.generation)
        .bind(&rotation.presented.as_bytes()[..])
        .bind(&rotation.successor.as_bytes()[..])
        .bind(rotation.grace_blob)
        .bind(rotation.now)
        .bind(rotation.idle_expires_at)
        .bind(rotation.ip.as_deref())
        .optional()
        .await?;
    Ok(row.map(|(version,)| version))
}

/// The session of this id, of whatever tenant: for refresh tokens, which prove whose they are.
pub(super) async fn by_id(run: &mut dyn Run, id: SessionId) -> Result<Option<SessionRow>> {
    run.sql(
        "SELECT s.id, s.tenant_id, s.user_id, s.device_id, s.kind, s.api_key_id, s.origin, s.version, s.epoch,
                s.rt_hash, s.prev_rt_hash, s.grace_blob, s.rotated_at_ms, s.amr, s.auth_time_ms, s.agent_tag,
                s.platform_tag, s.idle_expires_at_ms, s.abs_expires_at_ms, s.revoked_at_ms,
                u.token_epoch AS user_epoch, u.status AS user_status, t.status AS tenant_status
         FROM sessions s
         JOIN users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
         JOIN tenants t ON t.id = s.tenant_id
         WHERE s.id = $1",
    )
    .bind(id)
    .optional()
    .await
}

/// The live sessions of a user, the newest first.
pub(super) async fn list(
    run: &mut dyn Run,
    tenant: TenantId,
    user: UserId,
    now: Millis,
) -> Result<Vec<Session>> {
    run.sql(
        "SELECT s.id, s.device_id, s.device_name, s.device_platform, s.ip_first, s.ip_last, s.user_agent,
                s.created_at_ms, s.last_seen_at_ms, s.idle_expires_at_ms, s.abs_expires_at_ms
         FROM sessions s JOIN users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
         WHERE s.tenant_id = $1 AND s.user_id = $2 AND s.revoked_at_ms IS NULL AND s.epoch = u.token_epoch
           AND s.idle_expires_at_ms > $3 AND s.abs_expires_at_ms > $3
         ORDER BY s.id DESC LIMIT $4",
    )
    .bind(tenant)
    .bind(user)
    .bind(now)
    .bind(i64::from(Limit::MAX))
    .all()
    .await
}

/// Revokes one session of a user that was not revoked yet; answers its device.
pub(super) async fn revoke(
    run: &mut dyn Run,
    tenant: TenantId,
    user: UserId,
    id: SessionId,
    reason: &str,
    now: Millis,
) -> Result<Option<DeviceId>> {
    let row: Option<(DeviceId,)> = run
        .sql(
            "UPDATE sessions SET revoked_at_ms = $4, revoke_reason = $5, grace_blob = NULL
             WHERE tenant_id = $1 AND user_id = $2 AND id = $3 AND revoked_at_ms IS NULL
             RETURNING device_id",
        )
        .bind(tenant)
        .bind(user)
        .bind(id)
        .bind(now)
        .bind(reason)
        .optional()
        .await?;
    Ok(row.map(|(device,)| device))
}

/// Revokes the sessions of a user on one device.
pub(super) async fn revoke_of_device(
    run: &mut dyn Run,
    (tenant, user): (TenantId, UserId),
    device: DeviceId,
    reason: &str,
    now: Millis,
) -> Result<Vec<(SessionId,)>> {
    run.sql(
        "UPDATE sessions SET revoked_at_ms = $4, revoke_reason = $5, grace_blob = NULL
         WHERE tenant_id = $1 AND user_id = $2 AND device_id = $3 AND revoked_at_ms IS NULL
         RETURNING id",
    )
    .bind(tenant)
    .bind(user)
    .bind(device)
    .bind(now)
    .bind(reason)
    .all()
    .await
}

/// Revokes the sessions that a key opened; answers them with their users and devices.
pub(super) async fn revoke_of_key(
    run: &mut dyn Run,
    tenant: TenantId,
    key: ApiKeyId,
    reason: &str,
    now: Millis,
) -> Result<Vec<(SessionId, UserId, DeviceId)>> {
    run.sql(
        "UPDATE sessions SET revoked_at_ms = $3, revoke_reason = $4, grace_blob = NULL
         WHERE tenant_id = $1 AND api_key_id = $2 AND revoked_at_ms IS NULL
         RETURNING id, user_id, device_id",
    )
    .bind(tenant)
    .bind(key)
    .bind(now)
    .bind(reason)
    .all()
    .await
}

/// Keeps what the client of a session looks like now.
pub(super) async fn keep_looks(
    run: &mut dyn Run,
    tenant: TenantId,
    id: SessionId,
    looks: &Fingerprint,
) -> Result<()> {
    run.sql("UPDATE sessions SET agent_tag = $3, platform_tag = $4 WHERE tenant_id = $1 AND id = $2")
        .bind(tenant)
        .bind(id)
        .bind(&looks.agent[..])
        .bind(&looks.platform[..])
        .run()
        .await?;
    Ok(())
}

/// Revokes all sessions of a user, but `keep`; answers them with their devices.
pub(super) async fn revoke_all(
    run: &mut dyn Run,
    tenant: TenantId,
    user: UserId,
    keep: Option<SessionId>,
    reason: &str,
    now: Millis,
) -> Result<Vec<(SessionId, DeviceId)>> {
    run.sql(
        "UPDATE sessions SET revoked_at_ms = $4, revoke_reason = $5, grace_blob = NULL
         WHERE tenant_id = $1 AND user_id = $2 AND (CAST($3 AS TEXT) IS NULL OR id <> $3)
           AND revoked_at_ms IS NULL
         RETURNING id, device_id",
    )
    .bind(tenant)
    .bind(user)
    .bind(keep)
    .bind(now)
    .bind(reason)
    .all()
    .await
}

/// Revokes all sessions of a tenant; answers them with their users and devices.
pub(super) async fn revoke_tenant(
    run: &mut dyn Run,
    tenant: TenantId,
    reason: &str,
    now: Millis,
) -> Result<Vec<(SessionId, UserId, DeviceId)>> {
    run.sql(
        "UPDATE sessions SET revoked_at_ms = $2, revoke_reason = $3, grace_blob = NULL
         WHERE tenant_id = $1 AND revoked_at_ms IS NULL
         RETURNING id, user_id, device_id",
    )
    .bind(tenant)
    .bind(now)
    .bind(reason)
    .all()
    .await
}
