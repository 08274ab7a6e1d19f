//! The subscribers of this process.

use tokio::sync::broadcast::{self, error::RecvError};

use super::{Event, Topic};

/// Messages that a subscriber may lag behind before it loses the oldest.
const BACKLOG: usize = 1024;

/// A fan-out within this process. The other carriers deliver through one too.
#[derive(Debug, Clone)]
pub struct Local(broadcast::Sender<Event>);

/// One subscriber's view.
#[derive(Debug)]
pub struct Subscription {
    events: broadcast::Receiver<Event>,
    /// Keeps the channel open: a subscription outlives every bus handle without ending.
    _open: broadcast::Sender<Event>,
}

impl Local {
    pub(super) fn new() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }

    pub(super) fn subscribe(&self) -> Subscription {
        Subscription { events: self.0.subscribe(), _open: self.0.clone() }
    }

    /// Hands a message to all subscribers; an empty one says only "look".
    pub(super) fn deliver(&self, topic: Topic, payload: String) {
        if payload.is_empty() {
            self.gap();
        } else {
            self.send(Event::Message { topic, payload });
        }
    }

    pub(super) fn gap(&self) {
        self.send(Event::Gap);
    }

    fn send(&self, event: Event) {
        // An error means that nobody listens, which is nobody's fault.
        let _ = self.0.send(event);
    }
}

impl Subscription {
    /// The next event. Waits as long as it takes; stop it by dropping the future, nothing is lost.
    pub async fn next(&mut self) -> Event {
        match self.events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(lost)) => {
                tracing::debug!(lost, "a subscriber fell behind");
                Event::Gap
            }
            // Unreachable while `_open` lives; no event will come, so none is answered.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
