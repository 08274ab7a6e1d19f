//! Table `signing_keys`. Keys belong to the installation, not to a tenant.

use crate::{
    base::Millis,
    storage::{Result, Run},
};

/// A stored key.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct KeyRow {
    /// RFC 7638 thumbprint.
    pub(super) kid: String,
    /// `EdDSA`.
    pub(super) alg: String,
    /// The public JWK as JSON.
    pub(super) public_jwk: String,
    /// The sealed seed.
    pub(super) private_sealed: Vec<u8>,
    /// `pending`, `active`, `retiring`.
    pub(super) state: String,
}

/// Keys that verify, the newest active one first.
pub(super) async fn usable(run: &mut dyn Run) -> Result<Vec<KeyRow>> {
    run.sql(
        "SELECT kid, alg, public_jwk, private_sealed, state FROM signing_keys WHERE state <> 'retired'
         ORDER BY COALESCE(activated_at_ms, 0) DESC, kid",
    )
    .all()
    .await
}

/// How many keys sign.
pub(super) async fn count_active(run: &mut dyn Run) -> Result<i64> {
    run.sql("SELECT CAST(COUNT(*) AS BIGINT) FROM signing_keys WHERE state = 'active'").scalar().await
}

/// Adds a key that signs from now on.
pub(super) async fn insert_active(run: &mut dyn Run, key: &KeyRow, now: Millis) -> Result<()> {
    run.sql(
        "INSERT INTO signing_keys (kid, alg, public_jwk, private_sealed, state, created_at_ms, activated_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $6)",
    )
    .bind(key.kid.as_str())
    .bind(key.alg.as_str())
    .bind(key.public_jwk.as_str())
    .bind(key.private_sealed.as_slice())
    .bind(key.state.as_str())
    .bind(now)
    .run()
    .await?;
    Ok(())
}
