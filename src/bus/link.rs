//! Keeps a listening connection alive, and knows for how long there has been none.

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{BusError, Local, Topic};
use crate::base::{Clock, Entropy, Millis};

/// Without a connection for longer than this, the bus is degraded.
const TOLERANCE: Duration = Duration::from_secs(2);
/// The first pause before connecting again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long connecting may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How often a silent connection is asked whether it still lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long the answer may take.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(5);

/// What carries messages from the server: a way to connect, and connections.
pub(super) trait Carrier: Sync {
    /// A connection that hears every topic.
    type Listener: Listener + Send;

    /// Connects and listens.
    ///
    /// Errors: the server cannot be reached.
    fn connect(&self) -> impl Future<Output = Result<Self::Listener, BusError>> + Send;
}

/// A listening connection.
pub(super) trait Listener {
    /// The next message. Dropping the future loses nothing. `None`: it was not one of ours.
    ///
    /// Errors: the connection is over.
    fn next(&mut self) -> impl Future<Output = Result<Option<(Topic, String)>, BusError>> + Send;

    /// Asks the server for an answer.
    ///
    /// Errors: the connection is over.
    fn ping(&mut self) -> impl Future<Output = Result<(), BusError>> + Send;
}

/// The state of the connection and the subscribers behind it.
#[derive(Debug)]
pub(super) struct Link {
    local: Local,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// Since when there is no connection.
    down_since: Mutex<Option<Millis>>,
}

impl Link {
    /// Not connected yet.
    pub(super) fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        let down_since = Mutex::new(Some(clock.now()));
        Self { local: Local::new(), clock, entropy, down_since }
    }

    pub(super) fn local(&self) -> &Local {
        &self.local
    }

    pub(super) fn is_degraded(&self) -> bool {
        let down_since = *self.down_since.lock().unwrap_or_else(PoisonError::into_inner);
        down_since.is_some_and(|since| self.clock.now().since(since) > TOLERANCE)
    }

    /// Connects, delivers and connects again until `shutdown`.
    pub(super) async fn keep(&self, carrier: &impl Carrier, shutdown: &CancellationToken) {
        shutdown.run_until_cancelled(self.keep_forever(carrier)).await;
        self.set_down_since(Some(self.clock.now()));
    }

    async fn keep_forever(&self, carrier: &impl Carrier) {
        let mut failures = 0_u32;
        loop {
            let began = self.clock.now();
            match within(CONNECT_LIMIT, Box::pin(carrier.connect())).await {
                Ok(mut listener) => {
                    self.set_down_since(None);
                    self.local.gap();
                    tracing::debug!("the bus is connected");
                    let error = self.deliver_from(&mut listener).await;
                    self.set_down_since(Some(self.clock.now()));
                    tracing::warn!(error = &error as &dyn Error, "the bus lost its connection");
                    // A server that takes connections and drops them at once is not back: each new
                    // connection makes every consumer read everything.
                    if self.clock.now().since(began) > LONGEST_PAUSE {
                        failures = 0;
                    }
                }
                Err(error) if failures == 0 => {
                    tracing::warn!(error = &error as &dyn Error, "the bus cannot connect, trying again");
                }
                Err(error) => {
                    tracing::debug!(error = &error as &dyn Error, failures, "the bus cannot connect");
                }
            }
            tokio::time::sleep(self.pause(failures)).await;
            failures = failures.saturating_add(1);
        }
    }

    /// Delivers until the connection is over, and answers why it is.
    async fn deliver_from(&self, listener: &mut impl Listener) -> BusError {
        loop {
            let outcome = match tokio::time::timeout(HEARTBEAT, listener.next()).await {
                Ok(Ok(Some((topic, payload)))) => {
                    self.local.deliver(topic, payload);
                    continue;
                }
                Ok(outcome) => outcome.map(|_| ()),
                Err(_) => within(HEARTBEAT_LIMIT, listener.ping()).await,
            };
            if let Err(error) = outcome {
                return error;
            }
        }
    }

    fn set_down_since(&self, moment: Option<Millis>) {
        *self.down_since.lock().unwrap_or_else(PoisonError::into_inner) = moment;
    }

    /// Twice as long after each failure, and anywhere in the upper half of that, so that nodes which
    /// lost the same server do not come back at the same moment.
    fn pause(&self, failures: u32) -> Duration {
        let whole = FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE);
        let share = self.entropy.bytes::<1>().map_or(u8::MAX, |[byte]| byte);
        whole / 2 + whole / 2 * u32::from(share) / u32::from(u8::MAX)
    }
}

async fn within<T>(limit: Duration, call: impl Future<Output = Result<T, BusError>>) -> Result<T, BusError> {
    tokio::time::timeout(limit, call).await.unwrap_or(Err(BusError::Silent(limit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{ManualClock, SeededEntropy};

    fn link(clock: &Arc<ManualClock>) -> Link {
        Link::new(clock.clone(), Arc::new(SeededEntropy::new(7)))
    }

    #[test]
    fn pauses_grow_to_a_limit_and_differ() {
        let link = link(&Arc::new(ManualClock::at(Millis(0))));
        for failures in 0..40 {
            let whole = FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE);
            let pause = link.pause(failures);
            assert!(whole / 2 <= pause && pause <= whole, "{failures}: {pause:?}");
        }
        let spread: std::collections::BTreeSet<_> = (0..20).map(|_| link.pause(9)).collect();
        assert!(spread.len() > 10);
    }

    #[test]
    fn degraded_after_two_seconds_without_a_connection() {
        let clock = Arc::new(ManualClock::at(Millis(1_000)));
        let link = link(&clock);
        clock.advance(TOLERANCE);
        assert!(!link.is_degraded());
        clock.advance(Duration::from_millis(1));
        assert!(link.is_degraded());
        link.set_down_since(None);
        assert!(!link.is_degraded());
    }
}
