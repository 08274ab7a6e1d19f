//! Tables `totp_factors`, `recovery_codes` and `mfa_steps`.

use crate::{
    base::{DeviceId, Digest32, Millis, TenantId, UserId},
    storage::{Result, Run},
};

/// The factor of a user.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Totp {
    pub(super) secret_sealed: Vec<u8>,
    pub(super) confirmed_at_ms: Option<Millis>,
}

/// Stores a secret that waits to be confirmed, in place of one that was not; answers whether it was stored, which
/// it is not where one is confirmed.
pub(super) async fn put(
    run: &mut dyn Run,
    tenant: TenantId,
    user: UserId,
    sealed: &[u8],
    now: Millis,
) -> Result<bool> {
    let stored = run
        .sql(
            "INSERT INTO totp_factors (user_id, tenant_id, secret_sealed, confirmed_at_ms, last_step, created_at_ms)
             VALUES ($1, $2, $3, NULL, 0, $4)
             ON CONFLICT (user_id) DO UPDATE
             SET secret_sealed = excluded.secret_sealed, last_step = 0, created_at_ms = excluded.created_at_ms
             WHERE totp_factors.confirmed_at_ms IS NULL AND totp_factors.tenant_id = excluded.tenant_id",
        )
        .bind(user)
        .bind(tenant)
        .bind(sealed)
        .bind(now)
        .run()
        .await?;
    Ok(stored == 1)
}

/// The factor of a user, confirmed or not.
pub(super) async fn get(run: &mut dyn Run, tenant: TenantId, user: UserId) -> Result<Option<Totp>> {
    run.sql("SELECT secret_sealed, confirmed_at_ms FROM totp_factors WHERE tenant_id = $1 AND user_id = $2")
        .bind(tenant)
        .bind(user)
        .optional()
        .await
}

/// Uses a step up, which must be later than the last one used; answers whether it was.
pub(super) async fn use_step(run: &mut dyn Run, tenant: TenantId, user: UserId, step: i64) -> Result<bool> {
    let done = run
        .sql(
            "UPDATE totp_factors SET last_step = $3 WHERE tenant_id = $1 AND user_id = $2 AND last_step < $3",
        )
        .bind(tenant)
        .bind(user)
        .bind(step)
        .run()
        .await?;
    Ok(done == 1)
}

/// Confirms the factor of a user; answers whether there was one that was not.
pub(super) async fn confirm(run: &mut dyn Run, tenant: TenantId, user: UserId, now: Millis) -> Result<bool> {
    let confirmed = run
        .sql(
            "UPDATE totp_factors SET confirmed_at_ms = $3
             WHERE tenant_id = $1 AND user_id = $2 AND confirmed_at_ms IS NULL",
        )
        .bind(tenant)
        .bind(user)
        .bind(now)
        .run()
        .await?;
    Ok(confirmed == 1)
}

/// A sealed secret and whose it is.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(in crate::authn) struct Secret {
    pub(in crate::authn) tenant_id: TenantId,
    pub(in crate::authn) user_id: UserId,
    #[sqlx(rename = "secret_sealed")]
    pub(in crate::authn) sealed: Vec<u8>,
}

/// The secrets of the next so many users, of whatever tenant, in the order of their ids.
pub(in crate::authn) async fn secrets_after(
    run: &mut dyn Run,
    after: Option<UserId>,
    most: i64,
) -> Result<Vec<Secret>> {
    run.sql(
        "SELECT tenant_id, user_id, secret_sealed FROM totp_factors
         WHERE CAST($1 AS TEXT) IS NULL OR user_id > $1 ORDER BY user_id LIMIT $2",
    )
    .bind(after)
    .bind(most)
    .all()
    .await
}

/// Puts a secret sealed anew in the place of the one that was read.
pub(in crate::authn) async fn reseal(
    run: &mut dyn Run,
    (tenant, user): (TenantId, UserId),
    old: &[u8],
    sealed: &[u8],
) -> Result<()> {
    run.sql(
        "UPDATE totp_factors SET secret_sealed = $4
         WHERE tenant_id = $1 AND user_id = $2 AND secret_sealed = $3",
    )
    .bind(tenant)
    .bind(user)
    .bind(old)
    .bind(sealed)
    .run()
    .await?;
    Ok(())
}

/// Removes the factor of a user; answers whether there was one.
pub(super) async fn delete(run: &mut dyn Run, tenant: TenantId, user: UserId) -> Result<bool> {
    let deleted = run
        .sql("DELETE FROM totp_factors WHERE tenant_id = $1 AND user_id = $2")
        .bind(tenant)
        .bind(user)
        .run()
        .await?;
    Ok(deleted == 1)
}

/// Puts recovery codes in the place of all that there were.
pub(super) async fn replace_codes(
    run: &mut dyn Run,
    tenant: TenantId,
    user: UserId,
    digests: &[Digest32],
) -> Result<()> {
    run.sql("DELETE FROM recovery_codes WHERE tenant_id = $1 AND user_id = $2")
        .bind(tenant)
        .bind(user)
        .run()
        .await?;
    for digest in digests {
        run.sql(
            "INSERT INTO recovery_codes (user_id, tenant_id, digest, used_at_ms) VALUES ($1, $2, $3, NULL)",
        )
        .bind(user)
        .bind(tenant)
        .bind(&digest.as_bytes()[..])
        .run()
        .await?;
    }
    Ok(())
}

/// Uses a recovery code up; answers whether it was one.
pub(super) async fn use_code(
    run: &mut dyn Run,
    tenant: TenantId,
    user: UserId,
    digest: &Digest32,
    now: Millis,
) -> Result<bool> {
    let done = run
        .sql(
            "UPDATE recovery_codes SET used_at_ms = $4
             WHERE tenant_id = $1 AND user_id = $2 AND digest = $3 AND used_at_ms IS NULL",
        )
        .bind(tenant)
        .bind(user)
        .bind(&digest.as_bytes()[..])
        .bind(now)
        .run()
        .await?;
    Ok(done == 1)
}

/// How many recovery codes a user has left.
pub(super) async fn codes_left(run: &mut dyn Run, tenant: TenantId, user: UserId) -> Result<i64> {
    run.sql(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM recovery_codes
         WHERE tenant_id = $1 AND user_id = $2 AND used_at_ms IS NULL",
    )
    .bind(tenant)
    .bind(user)
    .scalar()
    .await
}

/// A sign-in that waits for its second factor.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub(super) struct Step {
    pub(super) tenant_id: TenantId,
    pub(super) user_id: UserId,
    pub(super) epoch: i64,
    /// The device that it comes from, if it proved it.
    pub(super) device_id: Option<DeviceId>,
}

/// Stores a sign-in that waits, and forgets those, of whatever tenant, whose time is over.
pub(super) async fn insert_step(
    run: &mut dyn Run,
    digest: &Digest32,
    step: Step,
    now: Millis,
    expires_at: Millis,
) -> Result<()> {
    run.sql("DELETE FROM mfa_steps WHERE expires_at_ms <= $1").bind(now).run().await?;
    run.sql(
        "INSERT INTO mfa_steps (digest, tenant_id, user_id, epoch, tries, expires_at_ms, device_id)
         VALUES ($1, $2, $3, $4, 0, $5, $6)",
    )
    .bind(&digest.as_bytes()[..])
    .bind(step.tenant_id)
    .bind(step.user_id)
    .bind(step.epoch)
    .bind(expires_at)
    .bind(step.device_id)
    .run()
    .await?;
    Ok(())
}

/// Takes one of the tries of the waiting sign-in of this token, of whatever tenant; none when there is none left.
pub(super) async fn try_step(
    run: &mut dyn Run,
    digest: &Digest32,
    most: i64,
    now: Millis,
) -> Result<Option<Step>> {
    run.sql(
        "UPDATE mfa_steps SET tries = tries + 1 WHERE digest = $1 AND tries < $2 AND expires_at_ms > $3
         RETURNING tenant_id, user_id, epoch, device_id",
    )
    .bind(&digest.as_bytes()[..])
    .bind(most)
    .bind(now)
    .optional()
    .await
}

/// Ends a waiting sign-in; answers whether it waited.
pub(super) async fn end_step(run: &mut dyn Run, digest: &Digest32) -> Result<bool> {
    let ended = run.sql("DELETE FROM mfa_steps WHERE digest = $1").bind(&digest.as_bytes()[..]).run().await?;
    Ok(ended == 1)
}
