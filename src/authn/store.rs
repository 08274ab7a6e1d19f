//! Tables `setup_token`, at most one row, `login_failures` and `links`.

use super::{links::StoredLink, lockout::Failures};
use crate::{
    base::{Digest32, Millis, TenantId, UserId},
    storage::{Result, Run},
};

/// Whether a setup token waits to be used.
pub(super) async fn has_pending(run: &mut dyn Run) -> Result<bool> {
    let count: i64 =
        run.sql("SELECT CAST(COUNT(*) AS BIGINT) FROM setup_token WHERE used_at_ms IS NULL").scalar().await?;
    Ok(count > 0)
}

/// Whether this is the digest of the setup token that waits to be used.
pub(super) async fn is_pending(run: &mut dyn Run, digest: &Digest32) -> Result<bool> {
    let count: i64 = run
        .sql("SELECT CAST(COUNT(*) AS BIGINT) FROM setup_token WHERE digest = $1 AND used_at_ms IS NULL")
        .bind(&digest.as_bytes()[..])
        .scalar()
        .await?;
    Ok(count > 0)
}

/// Puts a new setup token in place of whatever was there.
pub(super) async fn put(run: &mut dyn Run, digest: &Digest32, now: Millis) -> Result<()> {
    run.sql(
        "INSERT INTO setup_token (id, digest, created_at_ms, used_at_ms) VALUES (1, $1, $2, NULL)
         ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, created_at_ms = excluded.created_at_ms,
                                        used_at_ms = NULL",
    )
    .bind(&digest.as_bytes()[..])
    .bind(now)
    .run()
    .await?;
    Ok(())
}

/// Uses up the setup token with this digest, or whichever waits; answers whether there was one.
pub(super) async fn use_up(run: &mut dyn Run, digest: Option<&Digest32>, now: Millis) -> Result<bool> {
    let used = match digest {
        Some(digest) => {
            run.sql("UPDATE setup_token SET used_at_ms = $2 WHERE digest = $1 AND used_at_ms IS NULL")
                .bind(&digest.as_bytes()[..])
                .bind(now)
                .run()
                .await?
        }
        None => {
            run.sql("UPDATE setup_token SET used_at_ms = $1 WHERE used_at_ms IS NULL").bind(now).run().await?
        }
    };
    Ok(used == 1)
}

/// Counts a wrong password of a subject; answers the count with it.
pub(super) async fn add_failure(
    run: &mut dyn Run,
    tenant: TenantId,
    subject: &str,
    forget_at: Millis,
) -> Result<Failures> {
    run.sql(
        "INSERT INTO login_failures (tenant_id, subject, failures, locks, locked_until_ms, forget_at_ms)
         VALUES ($1, $2, 1, 0, 0, $3)
         ON CONFLICT (tenant_id, subject) DO UPDATE
         SET failures = login_failures.failures + 1, forget_at_ms = excluded.forget_at_ms
         RETURNING failures AS in_a_row, locks, locked_until_ms",
    )
    .bind(tenant)
    .bind(subject)
    .bind(forget_at)
    .one()
    .await
}

/// Locks a subject that was counted.
pub(super) async fn set_lock(
    run: &mut dyn Run,
    tenant: TenantId,
    subject: &str,
    until: Millis,
) -> Result<()> {
    run.sql(
        "UPDATE login_failures SET locks = locks + 1, locked_until_ms = $3 WHERE tenant_id = $1 AND subject = $2",
    )
    .bind(tenant)
    .bind(subject)
    .bind(until)
    .run()
    .await?;
    Ok(())
}

/// The count of a subject.
pub(super) async fn failures(run: &mut dyn Run, tenant: TenantId, subject: &str) -> Result<Option<Failures>> {
    run.sql(
        "SELECT failures AS in_a_row, locks, locked_until_ms FROM login_failures WHERE tenant_id = $1 AND subject = $2",
    )
    .bind(tenant)
    .bind(subject)
    .optional()
    .await
}

/// Forgets the count of a subject.
pub(super) async fn clear_failures(run: &mut dyn Run, tenant: TenantId, subject: &str) -> Result<()> {
    run.sql("DELETE FROM login_failures WHERE tenant_id = $1 AND subject = $2")
        .bind(tenant)
        .bind(subject)
        .run()
        .await?;
    Ok(())
}

/// Forgets the counts, of whatever tenant, whose time has come.
pub(super) async fn forget_failures(run: &mut dyn Run, now: Millis) -> Result<()> {
    run.sql("DELETE FROM login_failures WHERE forget_at_ms <= $1").bind(now).run().await?;
    Ok(())
}

/// Stores a link by the digest of its token.
pub(super) async fn insert_link(
    run: &mut dyn Run,
    digest: &Digest32,
    link: &StoredLink,
    expires_at: Millis,
) -> Result<()> {
    run.sql(
        "INSERT INTO links (digest, tenant_id, user_id, purpose, epoch, address, expires_at_ms, used_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, NULL)",
    )
    .bind(&digest.as_bytes()[..])
    .bind(link.tenant_id)
    .bind(link.user_id)
    .bind(link.purpose.as_str())
    .bind(link.epoch)
    .bind(&*link.address)
    .bind(expires_at)
    .run()
    .await?;
    Ok(())
}

/// The link of this digest, of whatever tenant, if it can still be used.
pub(super) async fn link(run: &mut dyn Run, digest: &Digest32, now: Millis) -> Result<Option<StoredLink>> {
    run.sql(
        "SELECT tenant_id, user_id, purpose, epoch, address FROM links
         WHERE digest = $1 AND used_at_ms IS NULL AND expires_at_ms > $2",
    )
    .bind(&digest.as_bytes()[..])
    .bind(now)
    .optional()
    .await
}

/// Uses up the link of this digest, of whatever tenant; answers it, once.
pub(super) async fn use_link(
    run: &mut dyn Run,
    digest: &Digest32,
    now: Millis,
) -> Result<Option<StoredLink>> {
    run.sql(
        "UPDATE links SET used_at_ms = $2 WHERE digest = $1 AND used_at_ms IS NULL AND expires_at_ms > $2
         RETURNING tenant_id, user_id, purpose, epoch, address",
    )
    .bind(&digest.as_bytes()[..])
    .bind(now)
    .optional()
    .await
}

/// Forgets the links of a user.
pub(super) async fn drop_links(run: &mut dyn Run, tenant: TenantId, user: UserId) -> Result<()> {
    run.sql("DELETE FROM links WHERE tenant_id = $1 AND user_id = $2").bind(tenant).bind(user).run().await?;
    Ok(())
}

/// Forgets the links, of whatever tenant, whose time is over.
pub(super) async fn forget_links(run: &mut dyn Run, now: Millis) -> Result<()> {
    run.sql("DELETE FROM links WHERE expires_at_ms <= $1").bind(now).run().await?;
    Ok(())
}
