//! Table `idempotency_keys`.

use super::model::Kept;
use crate::{
    base::{Millis, TenantId},
    storage::{Result, Run},
};

/// The moments of a claim.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) now: Millis,
    pub(super) lease_ends: Millis,
    pub(super) expires: Millis,
}

/// Claims a key that nobody used; answers whether nobody did.
pub(super) async fn claim(
    run: &mut dyn Run,
    (tenant, id): (TenantId, &[u8]),
    body_tag: &[u8],
    request_id: &str,
    times: Times,
) -> Result<bool> {
    let claimed = run
        .sql(
            "INSERT INTO idempotency_keys
                 (id, tenant_id, body_tag, request_id, claimed_at_ms, lease_ends_at_ms, expires_at_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(id)
        .bind(tenant)
        .bind(body_tag)
        .bind(request_id)
        .bind(times.now)
        .bind(times.lease_ends)
        .bind(times.expires)
        .run()
        .await?;
    Ok(claimed == 1)
}

/// Claims a key anew whose request `of` left nothing behind; answers whether it was still that one's.
pub(super) async fn take_over(
    run: &mut dyn Run,
    (tenant, id): (TenantId, &[u8]),
    of: &str,
    body_tag: &[u8],
    request_id: &str,
    times: Times,
) -> Result<bool> {
    let taken = run
        .sql(
            "UPDATE idempotency_keys
             SET body_tag = $4, request_id = $5, claimed_at_ms = $6, lease_ends_at_ms = $7, expires_at_ms = $8,
                 answer = NULL
             WHERE tenant_id = $1 AND id = $2 AND request_id = $3",
        )
        .bind(tenant)
        .bind(id)
        .bind(of)
        .bind(body_tag)
        .bind(request_id)
        .bind(times.now)
        .bind(times.lease_ends)
        .bind(times.expires)
        .run()
        .await?;
    Ok(taken == 1)
}

/// What is kept under a key.
pub(super) async fn read(run: &mut dyn Run, tenant: TenantId, id: &[u8]) -> Result<Option<Kept>> {
    run.sql(
        "SELECT body_tag, request_id, claimed_at_ms, lease_ends_at_ms, expires_at_ms, answer
         FROM idempotency_keys WHERE tenant_id = $1 AND id = $2",
    )
    .bind(tenant)
    .bind(id)
    .optional()
    .await
}

/// Keeps the sealed answer of the request that holds the claim; answers whether it still did.
pub(super) async fn answer(
    run: &mut dyn Run,
    tenant: TenantId,
    id: &[u8],
    request_id: &str,
    sealed: &[u8],
) -> Result<bool> {
    let kept = run
        .sql("UPDATE idempotency_keys SET answer = $4 WHERE tenant_id = $1 AND id = $2 AND request_id = $3")
        .bind(tenant)
        .bind(id)
        .bind(request_id)
        .bind(sealed)
        .run()
        .await?;
    Ok(kept == 1)
}

/// Lets the lease of the request that holds the claim end at `at`.
pub(super) async fn end_lease(
    run: &mut dyn Run,
    tenant: TenantId,
    id: &[u8],
    request_id: &str,
    at: Millis,
) -> Result<()> {
    run.sql("UPDATE idempotency_keys SET lease_ends_at_ms = $4 WHERE tenant_id = $1 AND id = $2 AND request_id = $3")
        .bind(tenant)
        .bind(id)
        .bind(request_id)
        .bind(at)
        .run()
        .await?;
    Ok(())
}

/// Forgets the claim of a request.
pub(super) async fn forget(run: &mut dyn Run, tenant: TenantId, id: &[u8], request_id: &str) -> Result<()> {
    run.sql("DELETE FROM idempotency_keys WHERE tenant_id = $1 AND id = $2 AND request_id = $3")
        .bind(tenant)
        .bind(id)
        .bind(request_id)
        .run()
        .await?;
    Ok(())
}

/// Forgets what has run out, of every tenant; answers how many.
pub(super) async fn prune(run: &mut dyn Run, now: Millis) -> Result<u64> {
    run.sql("DELETE FROM idempotency_keys WHERE expires_at_ms <= $1").bind(now).run().await
}
