//! Telling revocations, and waking whoever listens.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    Batch, Revocation,
    places::{Place, Places},
    store,
};
use crate::{
    base::{Limit, Millis, TenantId},
    bus::{Bus, Event, Topic},
    storage::{Db, Result},
};

/// How often a node looks while anybody listens: what the bus loses is told within this.
const POLL: Duration = Duration::from_secs(1);
/// How long after a message, or after a revocation is recorded here, a node looks: it has committed by then, and others
/// came with it.
const PAUSE: Duration = Duration::from_millis(20);

/// Rings when a revocation is recorded in this process. It carries nothing: who is woken for nothing looks and waits on.
static RECORDED: Notify = Notify::const_new();

/// Wakes the loops of this process.
pub(super) fn wake() {
    RECORDED.notify_waiters();
}

/// What the service is made of.
#[derive(Debug)]
pub struct RevocationParts {
    /// Where revocations are.
    pub db: Db,
    /// News from other nodes.
    pub bus: Bus,
    /// How long a revocation matters: the life of a token and the forgiven clock difference.
    pub matters_for: Duration,
    /// How many may listen on this node at once.
    pub max_followers: usize,
}

/// Tells revocations in their order.
#[derive(Debug)]
pub struct RevocationService {
    parts: RevocationParts,
    places: Places,
    bell: watch::Sender<Bell>,
}

/// What followers watch.
#[derive(Debug, Clone, Copy, Default)]
struct Bell {
    /// The last `seq` that this node has seen.
    last: i64,
    is_closing: bool,
}

/// Somebody who listens. Dropped, it makes place for another.
#[derive(Debug)]
pub struct Follower {
    bell: watch::Receiver<Bell>,
    _place: Place,
}

impl RevocationService {
    /// The service. Nobody listens yet.
    #[must_use]
    pub fn new(parts: RevocationParts) -> Self {
        let places = Places::new(parts.max_followers);
        Self { parts, places, bell: watch::Sender::default() }
    }

    /// What was told after `after`, or all that is known. `within`: only what concerns this tenant.
    ///
    /// Errors: the database failed.
    pub async fn list(&self, within: Option<TenantId>, after: Option<i64>, limit: Limit) -> Result<Batch> {
        store::tell(&self.parts.db).await?;
        self.read(within, after, limit).await
    }

    /// As [`RevocationService::list`], of what was told already: for who was woken because there is more.
    ///
    /// Errors: the database failed.
    pub async fn read(&self, within: Option<TenantId>, after: Option<i64>, limit: Limit) -> Result<Batch> {
        // One moment for both, so that nothing is forgotten in between.
        let mut tx = self.parts.db.begin_read().await?;
        let bounds = store::bounds(&mut tx).await?;
        let oldest = bounds.first.map_or(bounds.last, |first| first - 1);
        let known = after.filter(|after| (oldest..=bounds.last).contains(after));
        let begin = known.unwrap_or(oldest);
        let mut revocations = store::told(&mut tx, within, begin, limit.rows() + 1).await?;
        tx.commit().await?;
        let most = usize::try_from(limit.rows()).unwrap_or(usize::MAX);
        let has_more = revocations.len() > most;
        revocations.truncate(most);
        let next = revocations.last().filter(|_| has_more).map_or(bounds.last, |last| last.seq);
        Ok(Batch { revocations, next, has_more, is_complete: known.is_some() || after.is_none() })
    }

    /// When a revocation matters no more: no token can be alive that it concerns.
    #[must_use]
    pub fn expires_at(&self, revocation: &Revocation) -> Millis {
        revocation.at.plus(self.parts.matters_for)
    }

    /// A place among those who listen for a program of `tenant`, unless all are taken, or as many as one tenant gets: a
    /// tenth, where it is not the installation's own.
    #[must_use]
    pub fn follow(&self, tenant: TenantId) -> Option<Follower> {
        let place = self.places.take(tenant)?;
        Some(Follower { bell: self.bell.subscribe(), _place: place })
    }

    /// How many listen.
    #[must_use]
    pub fn followers(&self) -> usize {
        self.places.count()
    }

    /// Tells what ended and wakes followers until `shutdown`, which sends them away.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut events = self.parts.bus.subscribe();
        let mut recorded = pin!(RECORDED.notified());
        let mut next = Instant::now();
        loop {
            recorded.as_mut().enable(); // what is recorded from here on is not missed
            tokio::select! {
                () = shutdown.cancelled() => break,
                event = events.next() => if is_of_interest(&event) {
                    next = next.min(Instant::now() + PAUSE);
                },
                () = recorded.as_mut() => {
                    recorded.set(RECORDED.notified());
                    next = next.min(Instant::now() + PAUSE);
                }
                () = tokio::time::sleep_until(next) => {
                    shutdown.run_until_cancelled(self.look_and_ring()).await;
                    next = Instant::now() + POLL;
                }
            }
        }
        self.bell.send_modify(|bell| bell.is_closing = true);
    }

    /// Tells what has committed and rings, whether or not there was anything: what ended may be what a follower listens
    /// by. While the database is away it rings all the same.
    async fn look_and_ring(&self) {
        if self.bell.receiver_count() == 0 {
            return;
        }
        let last = self.look().await.inspect_err(|error| {
            tracing::warn!(error = error as &dyn std::error::Error, "revocations cannot be told now");
        });
        self.bell.send_modify(|bell| bell.last = last.unwrap_or(bell.last));
    }

    async fn look(&self) -> Result<i64> {
        store::tell(&self.parts.db).await?;
        Ok(store::bounds(&mut &self.parts.db).await?.last)
    }
}

/// Whether something may have ended by what the bus says.
fn is_of_interest(event: &Event) -> bool {
    match event {
        Event::Gap => true,
        Event::Message { topic, .. } => {
            matches!(topic, Topic::Revocation | Topic::Identity | Topic::SigningKeys)
        }
    }
}

impl Follower {
    /// Waits until there may be more to tell, or less to be told to.
    pub async fn rung(&mut self) {
        if self.bell.changed().await.is_err() {
            // Unreachable while the service lives; nothing will ring.
            std::future::pending::<()>().await;
        }
    }

    /// The last `seq` that this node has seen.
    #[must_use]
    pub fn last(&self) -> i64 {
        self.bell.borrow().last
    }

    /// Whether the server stops.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.bell.borrow().is_closing
    }
}
