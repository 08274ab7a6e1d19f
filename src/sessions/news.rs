//! Table `revocations`: what every node pulls when the bus said nothing.

use crate::{
    base::Millis,
    storage::{Result, Run},
};

/// One piece of news.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct NewsRow {
    pub(super) kind: String,
    pub(super) subject: String,
    pub(super) epoch: i64,
}

/// Adds a piece of news for nodes that hear nothing.
pub(super) async fn add(run: &mut dyn Run, kind: &str, subject: &str, epoch: i64, now: Millis) -> Result<()> {
    run.sql("INSERT INTO revocations (kind, subject, epoch, at_ms) VALUES ($1, $2, $3, $4)")
        .bind(kind)
        .bind(subject)
        .bind(epoch)
        .bind(now)
        .run()
        .await?;
    Ok(())
}

/// News after a moment. By time and not by number: numbers are given in another order than commits.
pub(super) async fn since(run: &mut dyn Run, after: Millis) -> Result<Vec<NewsRow>> {
    run.sql("SELECT kind, subject, epoch FROM revocations WHERE at_ms > $1 ORDER BY at_ms, seq")
        .bind(after)
        .all()
        .await
}

/// Forgets news from before a moment; answers how many.
pub(super) async fn prune(run: &mut dyn Run, before: Millis) -> Result<u64> {
    run.sql("DELETE FROM revocations WHERE at_ms < $1").bind(before).run().await
}
