//! Table `users`: those whom a tenant's own server names.

use super::{DisplayName, ExternalId, ExternalUser, Told, ToldOfUser};
use crate::{
    base::{Millis, TenantId, UserId},
    storage::{Result, Run},
};

/// The user whom the tenant's own server calls so.
pub(super) async fn by_external_id(
    run: &mut dyn Run,
    tenant: TenantId,
    external: &ExternalId,
) -> Result<Option<ExternalUser>> {
    run.sql(
        "SELECT id, tenant_id, email, external_id, username, name, status, email_verified, token_epoch,
                created_at_ms, external_data AS data
         FROM users WHERE tenant_id = $1 AND external_id = $2",
    )
    .bind(tenant)
    .bind(external.as_str())
    .optional()
    .await
}

/// Adds a user whom the tenant's own server calls so, unless there is one; answers whose the name is then.
pub(super) async fn insert_external(
    run: &mut dyn Run,
    tenant: TenantId,
    id: UserId,
    external: &ExternalId,
    told: Told<'_>,
    now: Millis,
) -> Result<UserId> {
    run.sql(
        "INSERT INTO users (id, tenant_id, name, status, email_verified, token_epoch, created_at_ms,
                            updated_at_ms, external_id, external_data)
         VALUES ($1, $2, $3, 'active', FALSE, 0, $4, $4, $5, $6)
         ON CONFLICT (tenant_id, external_id) DO UPDATE SET updated_at_ms = excluded.updated_at_ms
         RETURNING id",
    )
    .bind(id)
    .bind(tenant)
    .bind(told.name.map(DisplayName::as_str))
    .bind(now)
    .bind(external.as_str())
    .bind(told.data)
    .scalar()
    .await
}

/// Keeps what the tenant's own server says of a user.
pub(super) async fn set_external(
    run: &mut dyn Run,
    tenant: TenantId,
    id: UserId,
    told: Told<'_>,
    now: Millis,
) -> Result<()> {
    run.sql(
        "UPDATE users SET name = $3, external_data = $4, updated_at_ms = $5
         WHERE tenant_id = $1 AND id = $2 AND external_id IS NOT NULL",
    )
    .bind(tenant)
    .bind(id)
    .bind(told.name.map(DisplayName::as_str))
    .bind(told.data)
    .bind(now)
    .run()
    .await?;
    Ok(())
}

/// What was told of the next so many users after one, of whatever tenant.
pub(super) async fn told_after(
    run: &mut dyn Run,
    after: Option<UserId>,
    most: i64,
) -> Result<Vec<ToldOfUser>> {
    run.sql(
        "SELECT id, tenant_id, external_id, external_data AS data FROM users
         WHERE external_id IS NOT NULL AND external_data IS NOT NULL
           AND (CAST($1 AS TEXT) IS NULL OR id > $1)
         ORDER BY id LIMIT $2",
    )
    .bind(after)
    .bind(most)
    .all()
    .await
}

/// Puts what was told, sealed anew, in the place of what was read.
pub(super) async fn reseal_told(
    run: &mut dyn Run,
    (tenant, id): (TenantId, UserId),
    old: &[u8],
    sealed: &[u8],
) -> Result<()> {
    run.sql("UPDATE users SET external_data = $4 WHERE tenant_id = $1 AND id = $2 AND external_data = $3")
        .bind(tenant)
        .bind(id)
        .bind(old)
        .bind(sealed)
        .run()
        .await?;
    Ok(())
}
