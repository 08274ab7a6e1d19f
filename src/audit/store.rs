//! Table `audit_log`.

use super::{AuditError, Entry, Record};
use crate::{
    base::{AuditId, Entropy, Limit, Millis, TenantId},
    events::{self, Happening, Kind, UNTOLD},
    storage::{Run, StorageError, Tx},
};

/// Records `entry` in the transaction that does what it says, and the event that it is, if it is one.
///
/// Errors: [`AuditError`]; let it undo the transaction.
pub async fn record(
    tx: &mut Tx,
    now: Millis,
    entropy: &dyn Entropy,
    entry: Entry<'_>,
) -> Result<(), AuditError> {
    let known = Kind::of(entry.action);
    debug_assert!(known.is_some() || UNTOLD.contains(&entry.action), "`{}` is in no list", entry.action);
    let id = AuditId::new(now, entropy)?;
    tx.sql(
        "INSERT INTO audit_log (id, tenant_id, at_ms, actor, action, subject, detail, request_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id)
    .bind(entry.tenant)
    .bind(now)
    .bind(entry.actor)
    .bind(entry.action)
    .bind(entry.subject)
    .bind(entry.detail.to_string())
    .bind(entry.request_id)
    .run()
    .await?;
    if let Some(kind) = known {
        let Entry { tenant, actor, subject, ref detail, request_id, .. } = entry;
        events::put(tx, now, entropy, kind, Happening { tenant, actor, subject, detail, request_id }).await?;
    }
    Ok(())
}

/// The newest records of a tenant, newest first.
///
/// Errors: the database failed.
pub async fn list(run: &mut dyn Run, tenant: TenantId, limit: Limit) -> Result<Vec<Record>, StorageError> {
    run.sql(
        "SELECT id, tenant_id, at_ms, actor, action, subject, detail, request_id
         FROM audit_log WHERE tenant_id = $1 ORDER BY at_ms DESC, id DESC LIMIT $2",
    )
    .bind(tenant)
    .bind(limit.rows())
    .all()
    .await
}

/// Whether a request left a record between two moments, in whatever tenant: whether it changed something.
///
/// Errors: the database failed.
pub async fn has_request(
    run: &mut dyn Run,
    request_id: &str,
    (from, to): (Millis, Millis),
) -> Result<bool, StorageError> {
    let found: Option<(AuditId,)> = run
        .sql("SELECT id FROM audit_log WHERE request_id = $1 AND at_ms >= $2 AND at_ms <= $3 LIMIT 1")
        .bind(request_id)
        .bind(from)
        .bind(to)
        .optional()
        .await?;
    Ok(found.is_some())
}

/// The newest records of a tenant in which `name` acts or is acted upon, newest first, 10,000 at most.
///
/// Errors: the database failed.
pub async fn about(run: &mut dyn Run, tenant: TenantId, name: &str) -> Result<Vec<Record>, StorageError> {
    run.sql(
        "SELECT id, tenant_id, at_ms, actor, action, subject, detail, request_id
         FROM audit_log WHERE tenant_id = $1 AND (actor = $2 OR subject = $2)
         ORDER BY at_ms DESC, id DESC LIMIT 10000",
    )
    .bind(tenant)
    .bind(name)
    .all()
    .await
}
