//! Tables `users` and `password_credentials`.

use super::{Credentials, DisplayName, Email, NewUser, Phc, User, UserChange, UserStatus, Username};
use crate::{
    base::{Limit, Millis, TenantId, UserId},
    storage::{Result, Run},
};

#[derive(sqlx::FromRow)]
struct CredentialsRow {
    #[sqlx(flatten)]
    user: User,
    phc: Option<String>,
}

/// Adds a user, unless the address or the user name is taken; answers whether it was added.
pub(super) async fn insert(
    run: &mut dyn Run,
    tenant: TenantId,
    id: UserId,
    new: &NewUser,
    now: Millis,
) -> Result<bool> {
    let added = run
        .sql(
            "INSERT INTO users (id, tenant_id, email, email_norm, username, username_norm, name, status,
                                email_verified, token_epoch, created_at_ms, updated_at_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $10)
             ON CONFLICT DO NOTHING",
        )
        .bind(id)
        .bind(tenant)
        .bind(new.email.address())
        .bind(new.email.norm())
        .bind(new.username.as_ref().map(Username::text))
        .bind(new.username.as_ref().map(Username::norm))
        .bind(new.name.as_ref().map(DisplayName::as_str))
        .bind(new.status.as_str())
        .bind(new.email_verified)
        .bind(now)
        .run()
        .await?;
    if added == 0 {
        return Ok(false);
    }
    if let Some(phc) = &new.phc {
        set_phc(run, tenant, id, phc, now).await?;
    }
    Ok(true)
}

/// The user with this id.
pub(super) async fn by_id(run: &mut dyn Run, tenant: TenantId, id: UserId) -> Result<Option<User>> {
    run.sql(
        "SELECT id, tenant_id, email, external_id, username, name, status, email_verified, token_epoch,
                created_at_ms
         FROM users WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tenant)
    .bind(id)
    .optional()
    .await
}

/// The users whose address or user name fits a pattern, after an id.
pub(super) async fn search(
    run: &mut dyn Run,
    tenant: TenantId,
    pattern: Option<&str>,
    after: &str,
    limit: Limit,
) -> Result<Vec<User>> {
    run.sql(
        "SELECT id, tenant_id, email, external_id, username, name, status, email_verified, token_epoch,
                created_at_ms
         FROM users
         WHERE tenant_id = $1 AND id > $3
           AND (CAST($2 AS TEXT) IS NULL OR email_norm LIKE $2 ESCAPE '\\' OR username_norm LIKE $2 ESCAPE '\\')
         ORDER BY id LIMIT $4",
    )
    .bind(tenant)
    .bind(pattern)
    .bind(after)
    .bind(limit.rows() + 1)
    .all()
    .await
}

/// Sets the address, as known to be the user's; answers whether there is such a user.
pub(super) async fn set_email(
    run: &mut dyn Run,
    tenant: TenantId,
    id: UserId,
    email: &Email,
    now: Millis,
) -> Result<bool> {
    let changed = run
        .sql(
            "UPDATE users SET email = $3, email_norm = $4, email_verified = TRUE, updated_at_ms = $5
             WHERE tenant_id = $1 AND id = $2",
        )
        .bind(tenant)
        .bind(id)
        .bind(email.address())
        .bind(email.norm())
        .bind(now)
        .run()
        .await?;
    Ok(changed == 1)
}

/// Changes the names; answers whether there is such a user.
pub(super) async fn change(
    run: &mut dyn Run,
    tenant: TenantId,
    id: UserId,
    change: &UserChange,
    now: Millis,
) -> Result<bool> {
    let username = change.username.as_ref().and_then(Option::as_ref);
    let name = change.name.as_ref().and_then(Option::as_ref);
    let changed = run
        .sql(
            "UPDATE users SET
                 username = CASE WHEN $3 = 1 THEN $4 ELSE username END,
                 username_norm = CASE WHEN $3 = 1 THEN $5 ELSE username_norm END,
                 name = CASE WHEN $6 = 1 THEN $7 ELSE name END,
                 updated_at_ms = $8
             WHERE tenant_id = $1 AND id = $2",
        )
        .bind(tenant)
        .bind(id)
        .bind(i64::from(change.username.is_some()))
        .bind(username.map(Username::text))
        .bind(username.map(Username::norm))
        .bind(i64::from(change.name.is_some()))
        .bind(name.map(DisplayName::as_str))
        .bind(now)
        .run()
        .await?;
    Ok(changed == 1)
}

/// Removes a user; answers whether there was one. What refers to the row goes with it.
pub(super) async fn delete(run: &mut dyn Run, tenant: TenantId, id: UserId) -> Result<bool> {
    let deleted =
        run.sql("DELETE FROM users WHERE tenant_id = $1 AND id = $2").bind(tenant).bind(id).run().await?;
    Ok(deleted == 1)
}

/// Marks the address as the user's, and lets in who waited for it; answers whether there is such a user.
pub(super) async fn set_verified(
    run: &mut dyn Run,
    tenant: TenantId,
    id: UserId,
    now: Millis,
) -> Result<bool> {
    let changed = run
        .sql(
            "UPDATE users SET email_verified = TRUE, updated_at_ms = $3,
                 status = CASE WHEN status = 'pending' THEN 'active' ELSE status END
             WHERE tenant_id = $1 AND id = $2",
        )
        .bind(tenant)
        .bind(id)
        .bind(now)
        .run()
        .await?;
    Ok(changed == 1)
}

/// Whether an address is taken, by its norm.
pub(super) async fn has_email(run: &mut dyn Run, tenant: TenantId, norm: &str) -> Result<bool> {
    let count: i64 = run
        .sql("SELECT CAST(COUNT(*) AS BIGINT) FROM users WHERE tenant_id = $1 AND email_norm = $2")
        .bind(tenant)
        .bind(norm)
        .scalar()
        .await?;
    Ok(count > 0)
}

/// The credentials of the user with this id.
pub(super) async fn credentials_by_id(
    run: &mut dyn Run,
    tenant: TenantId,
    id: UserId,
) -> Result<Option<Credentials>> {
    let row = run
        .sql(
            "SELECT u.id, u.tenant_id, u.email, u.external_id, u.username, u.name, u.status, u.email_verified,
                    u.token_epoch, u.created_at_ms, c.phc
             FROM users u
             LEFT JOIN password_credentials c ON c.tenant_id = u.tenant_id AND c.user_id = u.id
             WHERE u.tenant_id = $1 AND u.id = $2",
        )
        .bind(tenant)
        .bind(id);
    Ok(row.optional::<CredentialsRow>().await?.map(Credentials::from))
}

/// The credentials of the users after an id.
pub(super) async fn credentials_page(
    run: &mut dyn Run,
    tenant: TenantId,
    after: &str,
    limit: Limit,
) -> Result<Vec<Credentials>> {
    let rows = run
        .sql(
            "SELECT u.id, u.tenant_id, u.email, u.external_id, u.username, u.name, u.status, u.email_verified,
                    u.token_epoch, u.created_at_ms, c.phc
             FROM users u
             LEFT JOIN password_credentials c ON c.tenant_id = u.tenant_id AND c.user_id = u.id
             WHERE u.tenant_id = $1 AND u.id > $2 ORDER BY u.id LIMIT $3",
        )
        .bind(tenant)
        .bind(after)
        .bind(limit.rows() + 1);
    Ok(rows.all::<CredentialsRow>().await?.into_iter().map(Credentials::from).collect())
}

/// The credentials of the user whose address or user name has this norm. The two cannot be confused:
/// an address holds an `@`, a user name never does.
pub(super) async fn credentials_by_norm(
    run: &mut dyn Run,
    tenant: TenantId,
    norm: &str,
) -> Result<Option<Credentials>> {
    let row = run
        .sql(
            "SELECT u.id, u.tenant_id, u.email, u.external_id, u.username, u.name, u.status, u.email_verified,
                    u.token_epoch, u.created_at_ms, c.phc
             FROM users u
             LEFT JOIN password_credentials c ON c.tenant_id = u.tenant_id AND c.user_id = u.id
             WHERE u.tenant_id = $1 AND (u.email_norm = $2 OR u.username_norm = $2)",
        )
        .bind(tenant)
        .bind(norm);
    Ok(row.optional::<CredentialsRow>().await?.map(Credentials::from))
}

/// Sets the password hash, whatever it was.
pub(super) async fn set_phc(
    run: &mut dyn Run,
    tenant: TenantId,
    id: UserId,
    phc: &Phc,
    now: Millis,
) -> Result<()> {
    run.sql(
        "INSERT INTO password_credentials (user_id, tenant_id, phc, updated_at_ms) VALUES ($1, $2, $3, $4)
         ON CONFLICT (user_id) DO UPDATE SET phc = excluded.phc, updated_at_ms = excluded.updated_at_ms
         WHERE password_credentials.tenant_id = excluded.tenant_id",
    )
    .bind(id)
    .bind(tenant)
    .bind(phc.expose())
    .bind(now)
    .run()
    .await?;
    Ok(())
}

/// Replaces the password hash if it is still `old`; answers whether it was.
pub(super) async fn replace_phc(
    run: &mut dyn Run,
    tenant: TenantId,
    id: UserId,
    old: &Phc,
    new: &Phc,
    now: Millis,
) -> Result<bool> {
    let changed = run
        .sql(
            "UPDATE password_credentials SET phc = $4, updated_at_ms = $5
             WHERE tenant_id = $1 AND user_id = $2 AND phc = $3",
        )
        .bind(tenant)
        .bind(id)
        .bind(old.expose())
        .bind(new.expose())
        .bind(now)
        .run()
        .await?;
    Ok(changed == 1)
}

/// Raises the user's epoch by one; answers the new one, or nothing if there is no such user.
pub(super) async fn bump_epoch(
    run: &mut dyn Run,
    tenant: TenantId,
    id: UserId,
    now: Millis,
) -> Result<Option<i64>> {
    let row: Option<(i64,)> = run
        .sql(
            "UPDATE users SET token_epoch = token_epoch + 1, updated_at_ms = $3
             WHERE tenant_id = $1 AND id = $2 RETURNING token_epoch",
        )
        .bind(tenant)
        .bind(id)
        .bind(now)
        .optional()
        .await?;
    Ok(row.map(|(epoch,)| epoch))
}

/// Sets the status; answers whether there is such a user.
pub(super) async fn set_status(
    run: &mut dyn Run,
    tenant: TenantId,
    id: UserId,
    status: UserStatus,
    now: Millis,
) -> Result<bool> {
    let changed = run
        .sql("UPDATE users SET status = $3, updated_at_ms = $4 WHERE tenant_id = $1 AND id = $2")
        .bind(tenant)
        .bind(id)
        .bind(status.as_str())
        .bind(now)
        .run()
        .await?;
    Ok(changed == 1)
}

impl From<CredentialsRow> for Credentials {
    fn from(row: CredentialsRow) -> Self {
        Self { user: row.user, phc: row.phc.map(Phc::new) }
    }
}
