//! Messages over Postgres LISTEN and NOTIFY.

use std::{sync::Arc, time::Duration};

use sqlx::{
    PgPool,
    postgres::{PgListener, PgPoolOptions},
};

use super::{
    BusError, Topic,
    link::{Carrier, Link, Listener},
};
use crate::base::{Clock, Entropy};

/// Time to send one message, waiting for a connection included.
const PUBLISH_LIMIT: Duration = Duration::from_secs(1);

/// A pool that publishes, and the options of the connection that listens.
#[derive(Debug)]
pub struct Postgres {
    pool: PgPool,
    link: Link,
}

/// A listening connection.
pub(super) struct Listening(PgListener);

impl Postgres {
    pub(super) fn new(pool: PgPool, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { pool, link: Link::new(clock, entropy) }
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// Sends one message within the time limit.
    pub(super) async fn publish(&self, topic: Topic, payload: &str) -> Result<(), BusError> {
        let notify =
            sqlx::query("SELECT pg_notify($1, $2)").bind(channel(topic)).bind(payload).execute(&self.pool);
        match tokio::time::timeout(PUBLISH_LIMIT, notify).await {
            Ok(sent) => sent.map(|_| ()).map_err(BusError::Postgres),
            Err(_) => Err(BusError::Silent(PUBLISH_LIMIT)),
        }
    }
}

impl Carrier for Postgres {
    type Listener = Listening;

    async fn connect(&self) -> Result<Listening, BusError> {
        // A pool of its own: the listener keeps its connection for good, and a connection that was
        // lost must not come back by itself without a gap.
        let options = self.pool.connect_options().as_ref().clone();
        let own = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_with(options)
            .await
            .map_err(BusError::Postgres)?;
        let mut listener = PgListener::connect_with(&own).await.map_err(BusError::Postgres)?;
        listener.eager_reconnect(false);
        listener.listen_all(Topic::ALL.map(channel)).await.map_err(BusError::Postgres)?;
        Ok(Listening(listener))
    }
}

impl Listener for Listening {
    async fn next(&mut self) -> Result<Option<(Topic, String)>, BusError> {
        let message = self.0.try_recv().await.map_err(BusError::Postgres)?.ok_or(BusError::Ended)?;
        let topic = Topic::ALL.into_iter().find(|topic| channel(*topic) == message.channel());
        Ok(topic.map(|topic| (topic, message.payload().to_owned())))
    }

    async fn ping(&mut self) -> Result<(), BusError> {
        sqlx::query("SELECT 1").execute(&mut self.0).await.map(|_| ()).map_err(BusError::Postgres)
    }
}

/// A notification stays within its database, and an installation has one of its own: no prefix.
fn channel(topic: Topic) -> &'static str {
    match topic {
        Topic::Revocation => "bailiwick_rev",
        Topic::Policy => "bailiwick_policy",
        Topic::Identity => "bailiwick_identity",
        Topic::Entities => "bailiwick_entities",
        Topic::SigningKeys => "bailiwick_signing_keys",
    }
}
