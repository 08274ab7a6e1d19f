//! Handing events to their consumers.

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    Consumer, Event, HandleError,
    store::{self, BATCH, Waiting},
};
use crate::{
    base::Clock,
    storage::{Db, Fault, Result},
    write_tx,
};

/// How often a node looks for events that another one left, or that were put off.
const POLL: Duration = Duration::from_secs(1);
/// How long after an event is written it is looked for: it has committed by then, and others came with it.
const PAUSE: Duration = Duration::from_millis(20);
/// How long an event is left to the node that claimed it.
const LEASE: Duration = Duration::from_secs(30);
/// The pause after the first failure of a consumer; each further one is twice as long, up to some four minutes.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MOST_DOUBLINGS: i64 = 8;
/// How long a published event is kept.
const KEPT_FOR: Duration = Duration::from_hours(30 * 24);
/// After how many polls old events are looked for: an hour's.
const PRUNE_EVERY: u32 = 3_600;

/// Rings when an event is written in this process. It carries nothing, so one is enough for all services of a
/// process: who is woken for nothing looks and sleeps on.
static WRITTEN: Notify = Notify::const_new();

/// Wakes the loop of this process.
pub(super) fn wake() {
    WRITTEN.notify_one();
}

/// Hands the events of the outbox to the consumers of this process.
#[derive(Debug)]
pub struct EventService {
    db: Db,
    clock: Arc<dyn Clock>,
    consumers: Vec<Arc<dyn Consumer>>,
}

impl EventService {
    /// The service.
    #[must_use]
    pub fn new(db: Db, clock: Arc<dyn Clock>, consumers: Vec<Arc<dyn Consumer>>) -> Self {
        Self { db, clock, consumers }
    }

    /// Dispatches events until `shutdown`, and forgets old ones.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut polls = 0_u32;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = WRITTEN.notified() => tokio::time::sleep(PAUSE).await,
                () = tokio::time::sleep(POLL) => polls = polls.wrapping_add(1),
            }
            let mut done = self.dispatch().await.map(drop);
            if done.is_ok() && polls >= PRUNE_EVERY {
                polls = 0;
                done = self.prune().await.map(drop);
            }
            if let Err(error) = done {
                tracing::warn!(error = &error as &dyn std::error::Error, "events cannot be dispatched now");
            }
        }
    }

    /// Hands every event that is due to its consumers and publishes it; answers how many were published.
    ///
    /// Errors: the database failed. What a consumer says is no error: it is given the event again later.
    pub async fn dispatch(&self) -> Result<usize> {
        let mut published = 0;
        loop {
            let now = self.clock.now();
            if !store::is_any_due(&mut &self.db, now).await? {
                return Ok(published);
            }
            let mut claimed = store::claim(&self.db, now, now.plus(LEASE)).await?;
            if claimed.is_empty() {
                return Ok(published); // all of it is another node's, or waits for one that is
            }
            claimed.sort_by_key(|row| row.number);
            let mut done = Vec::with_capacity(claimed.len());
            for row in claimed {
                let (number, attempts) = (row.number, row.attempts);
                match self.hand_over(row).await {
                    Ok(()) => done.push(number),
                    Err(error) => self.put_off(number, attempts, &error).await?,
                }
            }
            self.publish(&done).await?;
            published += done.len();
        }
    }

    /// Forgets events that were published 30 days ago; answers how many.
    ///
    /// Errors: the database failed.
    pub async fn prune(&self) -> Result<u64> {
        let before = self.clock.now().minus(KEPT_FOR);
        let mut gone = 0;
        loop {
            let some = store::prune(&self.db, before).await?;
            gone += some;
            if some < BATCH.unsigned_abs() {
                return Ok(gone);
            }
        }
    }

    async fn hand_over(&self, row: Waiting) -> Result<(), HandleError> {
        let event = row.event();
        for consumer in self.consumers.iter().filter(|consumer| consumer.wants(&event.name)) {
            self.handle(&**consumer, &event).await?;
        }
        Ok(())
    }

    /// Lets a consumer act on an event, unless it did before.
    async fn handle(&self, consumer: &dyn Consumer, event: &Event) -> Result<(), HandleError> {
        write_tx!(self.db, "events.handle", |tx| -> Result<(), HandleError> {
            if store::note_handled(tx, consumer.name(), event.id, self.clock.now()).await? {
                consumer.handle(tx, event).await?;
            }
            Ok(())
        })
    }

    async fn put_off(&self, number: i64, attempts: i64, error: &HandleError) -> Result<()> {
        tracing::error!(error = error as &dyn std::error::Error, number, attempts, "an event is put off");
        let doublings = u32::try_from((attempts - 1).clamp(0, MOST_DOUBLINGS)).unwrap_or(0);
        let due_at = self.clock.now().plus(FIRST_PAUSE * (1 << doublings));
        store::put_off(&self.db, number, due_at).await
    }

    async fn publish(&self, numbers: &[i64]) -> Result<()> {
        if numbers.is_empty() {
            return Ok(());
        }
        loop {
            match store::publish(&self.db, numbers, self.clock.now()).await {
                // Another node took the same numbers: these are next.
                Err(error) if error.fault() == Fault::Unique => tokio::task::yield_now().await,
                done => return done,
            }
        }
    }
}
