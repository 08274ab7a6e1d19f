//! Bringing hot copies up to the truth: at the start, by the bus, by a poll, before a write.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{EntityError, EntityService, store, store::Head};
use crate::{
    bus::{Event, Topic},
    policy::{Change, EntityRow, EntityTable, Revision, StoreName, TableBuilder},
    storage::Tx,
    write_tx,
};

/// How often the database is asked while the bus is down, where the poll is not shorter.
const POLL_WITHOUT_BUS: Duration = Duration::from_secs(1);
/// How long a write stays in the log. A node that was away for longer loads everything.
const LOGGED_FOR: Duration = Duration::from_mins(5);
/// How many polls pass between two prunings of the log.
const PRUNE_EVERY: u32 = 12;
/// Rows that a load reads at once.
const ROWS_AT_ONCE: i64 = 5_000;
/// More changes than this are not followed one by one: everything is read, page by page.
const FOLLOWED_AT_ONCE: i64 = 50_000;
/// Pages that may wait to be built in.
const PAGES_AHEAD: usize = 2;

impl EntityService {
    /// Brings the hot copy of every store up to the truth.
    ///
    /// Errors: `Storage`; `Refused` and `Stopped` where stored entities cannot be used. The hot copies stay then.
    pub async fn refresh(&self) -> Result<(), EntityError> {
        for (store, revision) in store::heads(&mut &self.db).await? {
            if self.revision(&store) != revision {
                self.follow(&store).await?;
            }
        }
        Ok(())
    }

    /// Brings the hot copy of one store up to the truth.
    ///
    /// Errors: as [`EntityService::refresh`].
    pub async fn follow(&self, store: &StoreName) -> Result<(), EntityError> {
        let _turn = self.live.turn(store).await;
        self.catch_up(store).await
    }

    /// Follows the writes of other nodes until `shutdown`: on a message, on a gap, and at least every poll.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut events = self.bus.subscribe(); // before the first look, so that nothing falls between
        let (mut failing, mut polls) = (false, 0_u32);
        let mut next = Instant::now();
        loop {
            let followed = tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep_until(next) => {
                    polls = polls.wrapping_add(1);
                    let poll = if self.bus.is_degraded() { self.poll.min(POLL_WITHOUT_BUS) } else { self.poll };
                    next = Instant::now() + poll;
                    match self.refresh().await {
                        Ok(()) if polls.is_multiple_of(PRUNE_EVERY) => self.prune().await.map(drop),
                        refreshed => refreshed,
                    }
                }
                event = events.next() => match event {
                    Event::Message { topic: Topic::Entities, payload } => match payload.parse() {
                        Ok(store) => self.follow(&store).await,
                        Err(_) => continue,
                    },
                    Event::Message { .. } => continue,
                    Event::Gap => self.refresh().await,
                },
            };
            if let (Err(error), false) = (&followed, failing) {
                let error = error as &dyn std::error::Error;
                tracing::warn!(error, "entities cannot be followed; the last good ones stay");
            }
            failing = followed.is_err();
        }
    }

    /// Takes old writes out of the log; answers how many rows that were.
    ///
    /// Errors: `Storage`.
    pub async fn prune(&self) -> Result<u64, EntityError> {
        let before = self.clock.now().minus(LOGGED_FOR);
        let mut gone = 0;
        for (store, _) in store::heads(&mut &self.db).await? {
            // Outside the transaction: a scan inside it would conflict with every write.
            let Some(old) = store::logged_before(&mut &self.db, &store, before).await? else { continue };
            gone += write_tx!(self.db, "entities.prune", |tx| -> Result<u64, EntityError> {
                Ok(store::forget(tx, &store, old).await?)
            })?;
        }
        Ok(gone)
    }

    pub(super) fn revision(&self, store: &StoreName) -> Revision {
        self.live.table(store).map(|table| table.revision()).unwrap_or_default()
    }

    /// [`EntityService::follow`] for who has the turn.
    pub(super) async fn catch_up(&self, store: &StoreName) -> Result<(), EntityError> {
        let known = self.live.table(store).unwrap_or_default();
        if store::head(&mut &self.db, store).await?.revision == known.revision() {
            return Ok(());
        }
        // One moment of the truth: the head, and what was touched up to it.
        let mut tx = self.db.begin_read().await?;
        let head = store::head(&mut tx, store).await?;
        let since = known.revision();
        let in_log = !known.is_empty() && head.log_from <= since && since <= head.revision;
        let table = if in_log && store::count_logged(&mut tx, store, since).await? <= FOLLOWED_AT_ONCE {
            let touched = store::touched(&mut tx, store, since).await?;
            let changes = touched.into_iter().map(|touched| match touched.row {
                Some(row) => Change::Put(row),
                None => Change::Remove(touched.key),
            });
            match apply(known, changes.collect(), head.revision).await {
                Err(EntityError::Refused(_)) => self.load_all(&mut tx, store, head).await?,
                applied => applied?,
            }
        } else {
            self.load_all(&mut tx, store, head).await?
        };
        self.live.install(store, &table);
        tracing::debug!(%store, from = since.0, to = head.revision.0, "entities followed");
        Ok(())
    }

    /// Reads all rows in pages and builds them in on a thread that answers no requests.
    async fn load_all(&self, tx: &mut Tx, store: &StoreName, head: Head) -> Result<EntityTable, EntityError> {
        let started = Instant::now();
        let (pages, mut built_in) = mpsc::channel::<Vec<EntityRow>>(PAGES_AHEAD);
        let building = tokio::task::spawn_blocking(move || {
            let mut builder = TableBuilder::default();
            while let Some(rows) = built_in.blocking_recv() {
                rows.into_iter().try_for_each(|row| builder.push(&Change::Put(row)))?;
            }
            builder.finish(head.revision)
        });
        let mut after = None;
        loop {
            let rows = store::page(tx, store, after.as_ref(), ROWS_AT_ONCE).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.key.clone());
            if pages.send(rows).await.is_err() {
                break; // the builder met what it refuses, and says so below
            }
        }
        drop(pages);
        let table = building.await.map_err(|_| EntityError::Stopped)??;
        let (entities, took_ms) = (table.len(), started.elapsed().as_millis());
        tracing::info!(%store, revision = head.revision.0, entities, took_ms, "entities loaded");
        Ok(table)
    }
}

/// Applies changes on a thread that answers no requests: one of them may move many.
pub(super) async fn apply(
    table: EntityTable,
    changes: Vec<Change>,
    revision: Revision,
) -> Result<EntityTable, EntityError> {
    let applied = tokio::task::spawn_blocking(move || table.apply(changes, revision)).await;
    Ok(applied.map_err(|_| EntityError::Stopped)??)
}
