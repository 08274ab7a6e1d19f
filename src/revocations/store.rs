//! Table `revocations`.

use super::{Ended, Revocation, service};
use crate::{
    base::{Millis, TenantId},
    storage::{Db, Fault, Result, Run, Tx},
};

/// How many are told at once.
const BATCH: i64 = 1_000;
/// How often nodes may come into each other's way when they tell.
const MAX_TRIES: u32 = 20;

/// A piece of news for a node's own memory.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct News {
    /// The stored word of its kind.
    pub kind: String,
    /// The id of what ended.
    pub subject: String,
    /// The epoch that began; 0 where there is none.
    pub epoch: i64,
}

/// The first and the last `seq` that are known.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub(super) struct Bounds {
    /// None where nothing is known any more.
    pub(super) first: Option<i64>,
    /// 0 where nothing was ever told.
    pub(super) last: i64,
}

/// Records that something ended, in the transaction that ends it. `tenant`: whom it concerns; `None` for all.
///
/// Errors: the database failed; let it undo the transaction.
pub async fn record(tx: &mut Tx, now: Millis, tenant: Option<TenantId>, ended: &Ended<'_>) -> Result<()> {
    tx.sql("INSERT INTO revocations (tenant_id, kind, subject, epoch, at_ms) VALUES ($1, $2, $3, $4, $5)")
        .bind(tenant)
        .bind(ended.kind().as_str())
        .bind(ended.to_string())
        .bind(ended.epoch())
        .bind(now)
        .run()
        .await?;
    service::wake();
    Ok(())
}

/// News after a moment, for a node's own memory. By time, and told or not: what counts is to miss nothing, and to see
/// some twice does no harm.
///
/// Errors: the database failed.
pub async fn since(run: &mut dyn Run, after: Millis) -> Result<Vec<News>> {
    run.sql("SELECT kind, subject, epoch FROM revocations WHERE at_ms > $1 ORDER BY at_ms, number")
        .bind(after)
        .all()
        .await
}

/// Forgets what ended before a moment; answers how many. They are told first, so that who reads on from an earlier
/// one is told that something is missing; and of the last one its number stays, since the next is counted on from it.
///
/// Errors: the database failed.
pub async fn prune(db: &Db, before: Millis) -> Result<u64> {
    tell(db).await?;
    let gone = db
        .lone_write("DELETE FROM revocations WHERE at_ms < $1 AND seq < (SELECT MAX(seq) FROM revocations)")
        .bind(before)
        .run()
        .await?;
    let emptied = db
        .lone_write(
            "UPDATE revocations SET kind = 'gone', subject = '', tenant_id = NULL, epoch = 0
             WHERE at_ms < $1 AND kind <> 'gone' AND seq = (SELECT MAX(seq) FROM revocations)",
        )
        .bind(before)
        .run()
        .await?;
    Ok(gone + emptied)
}

/// Gives a `seq` to every revocation that has committed and has none.
pub(super) async fn tell(db: &Db) -> Result<()> {
    let mut tries = 0;
    while is_any_untold(&mut &*db).await? {
        match tell_some(db).await {
            // Another node told meanwhile what this one had not seen yet.
            Err(error) if error.fault() == Fault::Unique && tries < MAX_TRIES => tries += 1,
            done => done?,
        }
    }
    Ok(())
}

async fn is_any_untold(run: &mut dyn Run) -> Result<bool> {
    let first: Option<(i64,)> =
        run.sql("SELECT number FROM revocations WHERE seq IS NULL LIMIT 1").optional().await?;
    Ok(first.is_some())
}

/// INVARIANT: nodes take turns, so that a higher `seq` never commits before a lower one; and that they lock no rows in
/// different orders.
async fn tell_some(db: &Db) -> Result<()> {
    db.lone_write(db.turn())
        .push(
            ", last AS MATERIALIZED (
                 SELECT (SELECT COALESCE(MAX(seq), 0) FROM revocations) AS seq FROM turn),
             ready AS MATERIALIZED (
                 SELECT number, ROW_NUMBER() OVER (ORDER BY number) AS place FROM (
                     SELECT number FROM revocations WHERE seq IS NULL ORDER BY number LIMIT $1) AS untold)
             UPDATE revocations
             SET seq = (SELECT seq FROM last) + (SELECT place FROM ready WHERE ready.number = revocations.number)
             WHERE seq IS NULL AND number IN (SELECT number FROM ready)",
        )
        .bind(BATCH)
        .run()
        .await?;
    Ok(())
}

/// The first and the last that are known.
pub(super) async fn bounds(run: &mut dyn Run) -> Result<Bounds> {
    run.sql(
        "SELECT (SELECT MIN(seq) FROM revocations WHERE kind <> 'gone') AS first,
                (SELECT COALESCE(MAX(seq), 0) FROM revocations) AS last",
    )
    .one()
    .await
}

/// What was told after `after`, and concerns `within` where that is a tenant.
pub(super) async fn told(
    run: &mut dyn Run,
    within: Option<TenantId>,
    after: i64,
    rows: i64,
) -> Result<Vec<Revocation>> {
    run.sql(
        "SELECT seq, kind, subject, tenant_id, epoch, at_ms FROM revocations
         WHERE seq > $1 AND kind <> 'gone'
           AND (CAST($2 AS TEXT) IS NULL OR tenant_id IS NULL OR tenant_id = $2)
         ORDER BY seq LIMIT $3",
    )
    .bind(after)
    .bind(within)
    .bind(rows)
    .all()
    .await
}
