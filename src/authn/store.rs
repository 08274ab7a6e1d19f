//! Table `setup_token`: at most one row.

use crate::{
    base::{Digest32, Millis},
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
