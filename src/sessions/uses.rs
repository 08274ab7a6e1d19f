//! Table `sessions`, as far as it says when each was used and which were there.

use super::{LiveSession, PastSession, usage::Use};
use crate::{
    base::{Millis, SessionId, TenantId, UserId},
    storage::{Db, Result, Run},
};

/// Says when a session was used, unless it ended before that. Its idle end moves if it is live at `now`.
pub(super) async fn used(
    run: &mut dyn Run,
    id: SessionId,
    used: &Use,
    idle_expires_at: Millis,
    now: Millis,
) -> Result<()> {
    run.sql(
        "UPDATE sessions SET last_seen_at_ms = $3, ip_last = COALESCE($4, ip_last),
             idle_expires_at_ms = CASE
                 WHEN revoked_at_ms IS NOT NULL OR idle_expires_at_ms <= $6 OR idle_expires_at_ms >= $5
                     THEN idle_expires_at_ms
                 WHEN $5 < abs_expires_at_ms THEN $5
                 ELSE abs_expires_at_ms
             END
         WHERE tenant_id = $1 AND id = $2 AND last_seen_at_ms < $3
           AND (revoked_at_ms IS NULL OR revoked_at_ms >= $3)",
    )
    .bind(used.tenant)
    .bind(id)
    .bind(used.at)
    .bind(used.ip.map(|ip| ip.to_canonical().to_string()))
    .bind(idle_expires_at)
    .bind(now)
    .run()
    .await?;
    Ok(())
}

/// How many live sessions the user of one has at `now`, in its epoch.
pub(super) async fn count_live(run: &mut dyn Run, of: &LiveSession, now: Millis) -> Result<i64> {
    run.sql(
        "SELECT COUNT(*) FROM sessions
         WHERE tenant_id = $1 AND user_id = $2 AND epoch = $3 AND revoked_at_ms IS NULL
           AND idle_expires_at_ms > $4 AND abs_expires_at_ms > $4",
    )
    .bind(of.tenant_id)
    .bind(of.user_id)
    .bind(of.epoch)
    .bind(now)
    .scalar()
    .await
}

/// The live sessions beside `newest`, in its epoch, but for the `kept` youngest.
pub(super) async fn oldest_live(
    run: &mut dyn Run,
    newest: &LiveSession,
    kept: i64,
    now: Millis,
) -> Result<Vec<(SessionId,)>> {
    run.sql(
        "SELECT id FROM sessions
         WHERE tenant_id = $1 AND user_id = $2 AND epoch = $3 AND revoked_at_ms IS NULL AND id <> $5
           AND idle_expires_at_ms > $4 AND abs_expires_at_ms > $4
         ORDER BY created_at_ms DESC, id DESC LIMIT 10000 OFFSET $6",
    )
    .bind(newest.tenant_id)
    .bind(newest.user_id)
    .bind(newest.epoch)
    .bind(now)
    .bind(newest.id)
    .bind(kept)
    .all()
    .await
}

/// When a user last used a session, if one is still known.
pub(super) async fn last_use(run: &mut dyn Run, tenant: TenantId, user: UserId) -> Result<Option<Millis>> {
    run.sql("SELECT MAX(last_seen_at_ms) FROM sessions WHERE tenant_id = $1 AND user_id = $2")
        .bind(tenant)
        .bind(user)
        .scalar()
        .await
}

/// The sessions of a user, live and over, the newest first.
pub(super) async fn all_of(run: &mut dyn Run, tenant: TenantId, user: UserId) -> Result<Vec<PastSession>> {
    run.sql(
        "SELECT id, device_id, device_name, device_platform, ip_first, ip_last, user_agent, created_at_ms,
                last_seen_at_ms, idle_expires_at_ms, abs_expires_at_ms, amr, revoked_at_ms, revoke_reason
         FROM sessions WHERE tenant_id = $1 AND user_id = $2 ORDER BY id DESC LIMIT 10000",
    )
    .bind(tenant)
    .bind(user)
    .all()
    .await
}

/// Forgets sessions whose idle end was before a moment; answers how many. Of nodes that do at once each takes others.
pub(super) async fn forget_ended(db: &Db, before: Millis, most: i64) -> Result<u64> {
    db.lone_write(
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE idle_expires_at_ms < $1 LIMIT $2 ",
    )
    .push(db.skip_locked())
    .push(")")
    .bind(before)
    .bind(most)
    .run()
    .await
}
