//! Following the news: what the bus says at once, and a poll that finds what it lost.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{SessionError, SessionService};
use crate::{
    base::{Millis, SessionId, UserId},
    bus::{Event, Topic},
    revocations,
};

/// How far a poll looks back over the last one: longer than any transaction and any clock difference.
const OVERLAP: Duration = Duration::from_mins(1);
/// How much longer than needed news are kept.
const PRUNE_AFTER: Duration = Duration::from_mins(10);
/// How often a node polls while the bus is down.
const DEGRADED_POLL: Duration = Duration::from_secs(1);
/// How many polls pass between two prunings.
const PRUNE_EVERY: u32 = 60;

impl SessionService {
    /// Follows the news until `shutdown`.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut events = self.bus.subscribe(); // before the first pull, so that nothing falls between
        let mut next = tokio::time::Instant::now();
        let mut pulls = 0_u32;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                event = events.next() => match event {
                    Event::Message { topic: Topic::Revocation, payload } => self.hear(&payload),
                    Event::Message { .. } => {}
                    Event::Gap => {
                        self.news.missed();
                        next = tokio::time::Instant::now();
                    }
                },
                () = tokio::time::sleep_until(next) => {
                    self.pull_and_prune(pulls).await;
                    pulls = pulls.wrapping_add(1);
                    let poll = self.settings.poll;
                    next = tokio::time::Instant::now()
                        + if self.bus.is_degraded() { poll.min(DEGRADED_POLL) } else { poll };
                }
            }
        }
    }

    /// Takes in what a message says: `session:<id>` or `user:<id>:<epoch>`. It is hearsay; see `epoch`.
    pub fn hear(&self, payload: &str) {
        let now = self.clock.now();
        if let Some(session) = payload.strip_prefix("session:").and_then(|id| id.parse::<SessionId>().ok()) {
            self.news.hear_session(session, now);
        } else if let Some((user, epoch)) =
            payload.strip_prefix("user:").and_then(|rest| rest.split_once(':'))
            && let (Ok(user), Ok(epoch)) = (user.parse::<UserId>(), epoch.parse())
        {
            self.news.hear_user(user, epoch, now);
        }
    }

    /// Pulls the news since the last pull, or all that matter if there was none or some were missed.
    ///
    /// Errors: `Storage`; what was known stays, and soon SQL is asked about everyone.
    pub async fn pull(&self) -> Result<(), SessionError> {
        let now = self.clock.now();
        let since = match self.news.pulled_at() {
            Some(last) => last.min(now), // a clock that jumped back must not skip anything
            None => now.minus(self.settings.news_ttl),
        };
        for row in revocations::since(&mut &self.db, since.minus(OVERLAP)).await? {
            match row.kind.as_str() {
                "session" => {
                    if let Ok(session) = row.subject.parse() {
                        self.news.know_session(session, now);
                    }
                }
                "user" => {
                    if let Ok(user) = row.subject.parse() {
                        self.news.know_user(user, row.epoch, now);
                    }
                }
                _ => {} // what nodes hold of others is seconds old at most
            }
        }
        self.news.pulled(now);
        Ok(())
    }

    /// Forgets news that no token is young enough to care about; answers how many.
    ///
    /// Errors: `Storage`.
    pub async fn prune(&self) -> Result<u64, SessionError> {
        let before: Millis = self.clock.now().minus(self.settings.news_ttl).minus(PRUNE_AFTER);
        Ok(revocations::prune(&self.db, before).await?)
    }

    async fn pull_and_prune(&self, pulls: u32) {
        let mut done = self.pull().await;
        if done.is_ok() && pulls % PRUNE_EVERY == PRUNE_EVERY - 1 {
            done = self.prune().await.map(drop);
        }
        if let Err(error) = done {
            tracing::warn!(error = &error as &dyn std::error::Error, "revocations could not be pulled");
        }
    }
}
