//! Tables `outbox` and `inbox`.

use serde_json::{Map, Value};

use super::{Event, EventError, Happening, Kind, service};
use crate::{
    base::{Entropy, EventId, Millis, TenantId},
    storage::{Db, Result, Run, Tx},
};

/// How many events are claimed, or pruned, at once.
pub(super) const BATCH: i64 = 100;

/// A row of the outbox that waits for its consumers.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Waiting {
    /// Its place among all rows: in the order in which what it tells of was written.
    pub(super) number: i64,
    /// How often it was claimed.
    pub(super) attempts: i64,
    id: EventId,
    tenant_id: TenantId,
    #[sqlx(rename = "type")]
    name: String,
    subject: String,
    data: String,
    request_id: Option<String>,
    created_at_ms: Millis,
}

impl Waiting {
    pub(super) fn event(self) -> Event {
        Event {
            id: self.id,
            tenant_id: self.tenant_id,
            name: self.name,
            subject: self.subject,
            data: serde_json::from_str(&self.data).unwrap_or_default(),
            request_id: self.request_id,
            at: self.created_at_ms,
        }
    }
}

/// Puts an event of this `kind` into the outbox, in the transaction that does what it tells of. Called for every
/// record of the audit log, by the audit log: nobody else need.
///
/// Errors: [`EventError`]; let it undo the transaction.
pub async fn put(
    tx: &mut Tx,
    now: Millis,
    entropy: &dyn Entropy,
    kind: &Kind,
    happening: Happening<'_>,
) -> Result<(), EventError> {
    let Happening { tenant, actor, subject, detail, request_id } = happening;
    let mut data = Map::new();
    data.insert(kind.subject.to_owned(), subject.into());
    data.insert("actor".to_owned(), actor.into());
    for field in kind.keeps {
        if let Some(value) = detail.get(field) {
            data.insert((*field).to_owned(), value.clone());
        }
    }
    tx.sql(
        "INSERT INTO outbox (id, tenant_id, type, subject, data, request_id, created_at_ms, attempts, due_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $7)",
    )
    .bind(EventId::new(now, entropy)?)
    .bind(tenant)
    .bind(kind.name)
    .bind(subject)
    .bind(Value::Object(data).to_string())
    .bind(request_id)
    .bind(now)
    .run()
    .await?;
    service::wake();
    Ok(())
}

/// Whether anything waits that is due.
pub(super) async fn is_any_due(run: &mut dyn Run, now: Millis) -> Result<bool> {
    let first: Option<(i64,)> = run
        .sql("SELECT number FROM outbox WHERE published_at_ms IS NULL AND due_at_ms <= $1 LIMIT 1")
        .bind(now)
        .optional()
        .await?;
    Ok(first.is_some())
}

/// Claims what is due until `lease_ends`, of each subject the oldest. Of nodes that claim at once each gets others.
pub(super) async fn claim(db: &Db, now: Millis, lease_ends: Millis) -> Result<Vec<Waiting>> {
    db.lone_write(
        "WITH due AS MATERIALIZED (
             SELECT number FROM outbox o
             WHERE o.published_at_ms IS NULL AND o.due_at_ms <= $1 AND NOT EXISTS (
                 SELECT 1 FROM outbox earlier
                 WHERE earlier.tenant_id = o.tenant_id AND earlier.subject = o.subject
                   AND earlier.published_at_ms IS NULL AND earlier.number < o.number)
             ORDER BY o.number LIMIT $3 ",
    )
    .push(db.skip_locked())
    .push(
        ") UPDATE outbox SET due_at_ms = $2, attempts = attempts + 1
         WHERE published_at_ms IS NULL AND number IN (SELECT number FROM due)
         RETURNING number, id, tenant_id, type, subject, data, request_id, created_at_ms, attempts",
    )
    .bind(now)
    .bind(lease_ends)
    .bind(BATCH)
    .all()
    .await
}

/// Puts a claimed event off.
pub(super) async fn put_off(db: &Db, number: i64, due_at: Millis) -> Result<()> {
    db.lone_write("UPDATE outbox SET due_at_ms = $2 WHERE number = $1 AND published_at_ms IS NULL")
        .bind(number)
        .bind(due_at)
        .run()
        .await?;
    Ok(())
}

/// Publishes claimed events: each gets the next `seq`. Fails as a unique violation where another node publishes at
/// the same moment.
pub(super) async fn publish(db: &Db, numbers: &[i64], now: Millis) -> Result<()> {
    db.lone_write(
        "WITH last AS (SELECT COALESCE(MAX(seq), 0) AS seq FROM outbox),
              ready AS (SELECT number, ROW_NUMBER() OVER (ORDER BY number) AS place FROM outbox
                        WHERE published_at_ms IS NULL AND number IN (",
    )
    .list(numbers.iter().copied())
    .push(")) UPDATE outbox SET published_at_ms = ")
    .list([now])
    .push(
        ", seq = (SELECT seq FROM last) + (SELECT place FROM ready WHERE ready.number = outbox.number)
         WHERE published_at_ms IS NULL AND number IN (SELECT number FROM ready)",
    )
    .run()
    .await?;
    Ok(())
}

/// Notes that a consumer has handled an event; `false` if it had before.
pub(super) async fn note_handled(
    run: &mut dyn Run,
    consumer: &str,
    event: EventId,
    now: Millis,
) -> Result<bool> {
    let noted = run
        .sql(
            "INSERT INTO inbox (event_id, consumer, handled_at_ms) VALUES ($1, $2, $3)
             ON CONFLICT (event_id, consumer) DO NOTHING",
        )
        .bind(event)
        .bind(consumer)
        .bind(now)
        .run()
        .await?;
    Ok(noted > 0)
}

/// Forgets some events that were published before a moment; answers how many. The last one stays, since the next
/// `seq` is counted on from it.
pub(super) async fn prune(db: &Db, before: Millis) -> Result<u64> {
    db.lone_write(
        "DELETE FROM outbox WHERE number IN (
             SELECT number FROM outbox
             WHERE published_at_ms < $1 AND seq < (SELECT MAX(seq) FROM outbox) LIMIT $2)",
    )
    .bind(before)
    .bind(BATCH)
    .run()
    .await
}
