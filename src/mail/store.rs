//! Table `mails`.

use super::{Kind, Notice};
use crate::{
    base::{MailId, Millis, TenantId, UserId},
    storage::{Result, Run},
};

/// Adds a mail that is due now.
pub(super) async fn insert(
    run: &mut dyn Run,
    tenant: TenantId,
    id: MailId,
    kind: Kind,
    (user, address): (Option<UserId>, Option<&str>),
    now: Millis,
) -> Result<()> {
    run.sql(
        "INSERT INTO mails (id, tenant_id, kind, user_id, address, tries, due_at_ms, created_at_ms)
         VALUES ($1, $2, $3, $4, $5, 0, $6, $6)",
    )
    .bind(id)
    .bind(tenant)
    .bind(kind.as_str())
    .bind(user)
    .bind(address)
    .bind(now)
    .run()
    .await?;
    Ok(())
}

/// Claims a mail of whatever tenant that is due, until `lease_ends`. Of nodes that claim at once each gets
/// another, or none for now.
pub(super) async fn claim(run: &mut dyn Run, now: Millis, lease_ends: Millis) -> Result<Option<Notice>> {
    run.sql(
        "UPDATE mails SET due_at_ms = $2, tries = tries + 1
         WHERE id = (SELECT id FROM mails WHERE due_at_ms <= $1 ORDER BY due_at_ms, id LIMIT 1)
           AND due_at_ms <= $1
         RETURNING id, tenant_id, kind, user_id, address, tries, created_at_ms",
    )
    .bind(now)
    .bind(lease_ends)
    .optional()
    .await
}

/// Puts a claimed mail off.
pub(super) async fn put_off(run: &mut dyn Run, tenant: TenantId, id: MailId, due_at: Millis) -> Result<()> {
    run.sql("UPDATE mails SET due_at_ms = $3 WHERE tenant_id = $1 AND id = $2")
        .bind(tenant)
        .bind(id)
        .bind(due_at)
        .run()
        .await?;
    Ok(())
}

/// Forgets a mail.
pub(super) async fn delete(run: &mut dyn Run, tenant: TenantId, id: MailId) -> Result<()> {
    run.sql("DELETE FROM mails WHERE tenant_id = $1 AND id = $2").bind(tenant).bind(id).run().await?;
    Ok(())
}

/// Removes all mail to or about a user, by whichever address.
pub(super) async fn delete_of_user(
    run: &mut dyn Run,
    tenant: TenantId,
    user: UserId,
    addresses: &[&str],
) -> Result<()> {
    run.sql("DELETE FROM mails WHERE tenant_id = $1 AND (user_id = $2 OR address IN (")
        .bind(tenant)
        .bind(user)
        .list(addresses.iter().copied())
        .push("))")
        .run()
        .await?;
    Ok(())
}
