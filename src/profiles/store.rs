//! Table `profiles`.

use super::sealed::{Columns, ProfileRow};
use crate::{
    base::{Millis, TenantId, UserId},
    storage::{Result, Run},
};

/// The profile of a user.
pub(super) async fn get(run: &mut dyn Run, tenant: TenantId, user: UserId) -> Result<Option<ProfileRow>> {
    run.sql(
        "SELECT user_id, tenant_id, claims_sealed, metadata_sealed, key_id, revision, last_activity_at_ms,
                updated_at_ms
         FROM profiles WHERE tenant_id = $1 AND user_id = $2",
    )
    .bind(tenant)
    .bind(user)
    .optional()
    .await
}

/// Stores the profile of a user as `revision`, if that is the next one, or the first there is; answers whether it is.
pub(super) async fn put(
    run: &mut dyn Run,
    (tenant, user): (TenantId, UserId),
    sealed: &Columns,
    revision: i64,
    now: Millis,
) -> Result<bool> {
    let stored = run
        .sql(
            "INSERT INTO profiles (user_id, tenant_id, claims_sealed, metadata_sealed, key_id, revision,
                 created_at_ms, updated_at_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
             ON CONFLICT (user_id) DO UPDATE
             SET claims_sealed = excluded.claims_sealed, metadata_sealed = excluded.metadata_sealed,
                 key_id = excluded.key_id, revision = excluded.revision, updated_at_ms = excluded.updated_at_ms
             WHERE profiles.tenant_id = excluded.tenant_id AND profiles.revision = excluded.revision - 1",
        )
        .bind(user)
        .bind(tenant)
        .bind(&sealed.claims_sealed[..])
        .bind(&sealed.metadata_sealed[..])
        .bind(&*sealed.key_id)
        .bind(revision)
        .bind(now)
        .run()
        .await?;
    Ok(stored == 1)
}

/// Keeps when a user was last active, unless later is known. Says nothing new of the user, so the revision stays.
pub(super) async fn set_last_activity(
    run: &mut dyn Run,
    (tenant, user): (TenantId, UserId),
    at: Millis,
) -> Result<()> {
    run.sql(
        "UPDATE profiles SET last_activity_at_ms = $3 WHERE tenant_id = $1 AND user_id = $2
           AND (last_activity_at_ms IS NULL OR last_activity_at_ms < $3)",
    )
    .bind(tenant)
    .bind(user)
    .bind(at)
    .run()
    .await?;
    Ok(())
}

/// Profiles of whatever tenant, after a user, that are sealed with another key than this.
pub(super) async fn sealed_otherwise(
    run: &mut dyn Run,
    key_id: &str,
    after: &str,
    most: i64,
) -> Result<Vec<ProfileRow>> {
    run.sql(
        "SELECT user_id, tenant_id, claims_sealed, metadata_sealed, key_id, revision, last_activity_at_ms,
                updated_at_ms
         FROM profiles WHERE key_id <> $1 AND user_id > $2 ORDER BY user_id LIMIT $3",
    )
    .bind(key_id)
    .bind(after)
    .bind(most)
    .all()
    .await
}

/// How many profiles, of whatever tenant, are sealed with this key.
pub(super) async fn count_sealed(run: &mut dyn Run, key_id: &str) -> Result<i64> {
    run.sql("SELECT CAST(COUNT(*) AS BIGINT) FROM profiles WHERE key_id = $1").bind(key_id).scalar().await
}

/// Replaces the sealed part of a profile, if it is still that of `row`; answers whether it was. Nothing of what it
/// says changes, so neither does its revision.
pub(super) async fn reseal(run: &mut dyn Run, row: &ProfileRow, sealed: &Columns) -> Result<bool> {
    let done = run
        .sql(
            "UPDATE profiles SET claims_sealed = $3, metadata_sealed = $4, key_id = $5
             WHERE tenant_id = $1 AND user_id = $2 AND revision = $6 AND key_id = $7",
        )
        .bind(row.tenant_id)
        .bind(row.user_id)
        .bind(&sealed.claims_sealed[..])
        .bind(&sealed.metadata_sealed[..])
        .bind(&*sealed.key_id)
        .bind(row.revision)
        .bind(&*row.sealed.key_id)
        .run()
        .await?;
    Ok(done == 1)
}
