//! Table `signing_keys`. Keys belong to the installation, not to a tenant.

use super::{KeyState, SigningKey};
use crate::{
    base::{Limit, Millis},
    storage::{Result, Run},
};

/// A stored key.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct KeyRow {
    /// RFC 7638 thumbprint.
    pub(super) kid: String,
    /// `EdDSA` or `ES256`.
    pub(super) alg: String,
    /// The public JWK as JSON.
    pub(super) public_jwk: String,
    /// The sealed private part; empty once retired.
    pub(super) private_sealed: Vec<u8>,
    /// What it is good for.
    #[sqlx(try_from = "String")]
    pub(super) state: KeyState,
    /// When it was made, and published.
    pub(super) created_at_ms: Millis,
    /// When a pending key is to sign.
    pub(super) not_before_ms: Option<Millis>,
    /// Since when it signs, or signed.
    pub(super) activated_at_ms: Option<Millis>,
    /// When the last token that it signed has ended.
    pub(super) retire_after_ms: Option<Millis>,
}

/// Keys that verify, the newest active one first.
pub(super) async fn usable(run: &mut dyn Run) -> Result<Vec<KeyRow>> {
    run.sql(
        "SELECT kid, alg, public_jwk, private_sealed, state, created_at_ms, not_before_ms, activated_at_ms,
                retire_after_ms
         FROM signing_keys WHERE state <> 'retired'
         ORDER BY COALESCE(activated_at_ms, 0) DESC, kid",
    )
    .all()
    .await
}

/// Every key that there is or was, the newest first, 200 at most.
pub(super) async fn list(run: &mut dyn Run) -> Result<Vec<SigningKey>> {
    run.sql(
        "SELECT kid, alg, state, created_at_ms, not_before_ms, activated_at_ms, retire_after_ms, revoked_at_ms
         FROM signing_keys ORDER BY created_at_ms DESC, kid LIMIT $1",
    )
    .bind(i64::from(Limit::MAX))
    .all()
    .await
}

/// How many keys sign.
pub(super) async fn count_active(run: &mut dyn Run) -> Result<i64> {
    run.sql("SELECT CAST(COUNT(*) AS BIGINT) FROM signing_keys WHERE state = 'active'").scalar().await
}

/// Adds a key.
pub(super) async fn insert(run: &mut dyn Run, key: &KeyRow) -> Result<()> {
    run.sql(
        "INSERT INTO signing_keys (kid, alg, public_jwk, private_sealed, state, created_at_ms, not_before_ms,
             activated_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(key.kid.as_str())
    .bind(key.alg.as_str())
    .bind(key.public_jwk.as_str())
    .bind(key.private_sealed.as_slice())
    .bind(key.state.as_str())
    .bind(key.created_at_ms)
    .bind(key.not_before_ms)
    .bind(key.activated_at_ms)
    .run()
    .await?;
    Ok(())
}

/// Says when a pending key is to sign.
pub(super) async fn set_not_before(run: &mut dyn Run, kid: &str, at: Millis) -> Result<()> {
    run.sql("UPDATE signing_keys SET not_before_ms = $2 WHERE kid = $1 AND state = 'pending'")
        .bind(kid)
        .bind(at)
        .run()
        .await?;
    Ok(())
}

/// Makes a pending key sign, and what signed until now verify until `retire_after`.
pub(super) async fn activate(run: &mut dyn Run, kid: &str, now: Millis, retire_after: Millis) -> Result<()> {
    run.sql("UPDATE signing_keys SET state = 'retiring', retire_after_ms = $1 WHERE state = 'active'")
        .bind(retire_after)
        .run()
        .await?;
    run.sql(
        "UPDATE signing_keys SET state = 'active', activated_at_ms = $2 WHERE kid = $1 AND state = 'pending'",
    )
    .bind(kid)
    .bind(now)
    .run()
    .await?;
    Ok(())
}

/// Ends a key and forgets its private part; `revoked_at` when that was not its time.
pub(super) async fn retire(run: &mut dyn Run, kid: &str, revoked_at: Option<Millis>) -> Result<()> {
    let nothing: &[u8] = &[];
    run.sql(
        "UPDATE signing_keys SET state = 'retired', private_sealed = $2, revoked_at_ms = $3
         WHERE kid = $1 AND state <> 'retired'",
    )
    .bind(kid)
    .bind(nothing)
    .bind(revoked_at)
    .run()
    .await?;
    Ok(())
}

/// Puts the private part sealed anew in the place of the one that was read.
pub(super) async fn reseal(run: &mut dyn Run, key: &KeyRow, sealed: &[u8]) -> Result<()> {
    run.sql(
        "UPDATE signing_keys SET private_sealed = $3
         WHERE kid = $1 AND private_sealed = $2 AND state <> 'retired'",
    )
    .bind(key.kid.as_str())
    .bind(key.private_sealed.as_slice())
    .bind(sealed)
    .run()
    .await?;
    Ok(())
}
