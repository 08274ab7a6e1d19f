//! Following the stored keys: what the bus says at once, and a poll that finds what it lost.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{
    TokenError, TokenService,
    keys::Ring,
    store::{self, KeyRow},
};
use crate::bus::{Event, Topic};

/// How often a node looks: a revoked key is refused everywhere within five seconds, bus or not.
const POLL: Duration = Duration::from_secs(4);
/// The same while the bus is down.
const DEGRADED_POLL: Duration = Duration::from_secs(1);
/// How long a node waits before an unknown `kid` makes it look again.
const RELOAD_EVERY: Duration = Duration::from_secs(30);

impl TokenService {
    /// Follows the keys and does what their schedule asks for, until `shutdown`.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut events = self.bus.subscribe(); // before the first look, so that nothing falls between
        let mut next = tokio::time::Instant::now();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                event = events.next() => {
                    if matches!(event, Event::Gap | Event::Message { topic: Topic::SigningKeys, .. }) {
                        next = tokio::time::Instant::now();
                    }
                }
                () = tokio::time::sleep_until(next) => {
                    if let Err(error) = self.tend().await {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "the signing keys could not be looked after"
                        );
                    }
                    let poll = if self.bus.is_degraded() { DEGRADED_POLL } else { POLL };
                    next = tokio::time::Instant::now() + poll;
                }
            }
        }
    }

    /// How often keys of this node were dropped. Who remembers that a token was verified takes the number
    /// before the verification, and trusts the memory only while it is the same.
    pub fn dropped_keys(&self) -> u64 {
        self.dropped.load(Ordering::SeqCst)
    }

    /// Reads the keys again, makes them those of this node, and answers them.
    ///
    /// Errors: `Storage`; the known keys stay.
    pub(super) async fn reload(&self) -> Result<Vec<KeyRow>, TokenError> {
        let _turn = self.reloaded_at.lock().await;
        let rows = store::usable(&mut &self.db).await?;
        self.take_up(&rows);
        Ok(rows)
    }

    /// Looks for new keys, unless that was done for a token in the last 30 seconds.
    ///
    /// Errors: `Storage`; the known keys stay.
    pub(super) async fn reload_if_due(&self) -> Result<(), TokenError> {
        let mut reloaded_at = self.reloaded_at.lock().await;
        let now = self.clock.now();
        if reloaded_at.is_some_and(|last| last <= now && now.since(last) < RELOAD_EVERY) {
            return Ok(());
        }
        *reloaded_at = Some(now); // before the look-up: a failing database is not to be stormed either
        self.take_up(&store::usable(&mut &self.db).await?);
        Ok(())
    }

    /// Makes stored keys those of this node. One that does not open is left out, and alarms.
    ///
    /// INVARIANT: rows are read and taken up under one lock, so that no older ones replace newer ones.
    fn take_up(&self, rows: &[KeyRow]) {
        let before = self.ring.load();
        if before.is_of(rows) {
            return;
        }
        let (ring, unusable) = Ring::open(rows, &self.sealing);
        for kid in unusable {
            tracing::error!(kid, "a stored signing key does not open: another master key, or altered rows");
        }
        let dropped = !before.is_within(&ring);
        // INVARIANT: the keys first, then the number: who takes the new number verifies with the new keys.
        self.ring.store(Arc::new(ring));
        if dropped {
            self.dropped.fetch_add(1, Ordering::SeqCst);
        }
    }
}
