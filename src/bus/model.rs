//! Topics, events and the bus over its three carriers.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{BusError, Local, Postgres, Redis, RedisOptions, Subscription};
use crate::base::{Clock, Entropy};

/// The longest payload that is carried, bytes: what Postgres takes (its limit is 8 000 with the
/// closing zero). A longer one arrives as [`Event::Gap`].
pub const MAX_PAYLOAD_BYTES: usize = 7_999;

/// What a message is about. The list is closed; nodes of another version ignore what they do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A session, a user or a tenant lost its tokens.
    Revocation,
    /// A policy store has another active version.
    Policy,
    /// A user or a role is not what it was.
    Identity,
    /// The pushed entities of a policy store were written.
    Entities,
    /// A signing key was made, changed its state or was dropped.
    SigningKeys,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 5] =
        [Self::Revocation, Self::Policy, Self::Identity, Self::Entities, Self::SigningKeys];

    /// Its name in channel names: `rev`, `policy`, `identity`, `entities` or `signing_keys`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Revocation => "rev",
            Self::Policy => "policy",
            Self::Identity => "identity",
            Self::Entities => "entities",
            Self::SigningKeys => "signing_keys",
        }
    }
}

/// What a subscriber hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Something changed.
    Message {
        /// What it is about.
        topic: Topic,
        /// As it was published.
        payload: String,
    },
    /// Something may have been missed, on any topic: read everything again.
    Gap,
}

/// Messages between nodes. Cheap to clone; clones share the connection and the subscribers.
#[derive(Debug, Clone)]
pub enum Bus {
    /// Within this process.
    Local(Local),
    /// Redis pub/sub.
    Redis(Arc<Redis>),
    /// Postgres LISTEN and NOTIFY.
    Postgres(Arc<Postgres>),
}

impl Bus {
    /// Messages within this process.
    #[must_use]
    pub fn local() -> Self {
        Self::Local(Local::new())
    }

    /// Messages over Redis. Connects in [`Self::run`].
    ///
    /// Errors: `BadAddress`.
    pub fn redis(
        options: &RedisOptions,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, BusError> {
        Ok(Self::Redis(Arc::new(Redis::new(options, clock, entropy)?)))
    }

    /// Messages over the database of `pool`. Publishes on the pool and listens, in [`Self::run`], on
    /// one connection beside it.
    #[must_use]
    pub fn postgres(pool: sqlx::PgPool, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self::Postgres(Arc::new(Postgres::new(pool, clock, entropy)))
    }

    /// Tells every node, this one included. An empty payload, one that is too long and one with a
    /// NUL in it arrive as [`Event::Gap`]. Call it after the commit, never before.
    ///
    /// Errors: any but `BadAddress`; log it and go on.
    pub async fn publish(&self, topic: Topic, payload: &str) -> Result<(), BusError> {
        let fits = payload.len() <= MAX_PAYLOAD_BYTES && !payload.contains('\0');
        let payload = if fits { payload } else { "" };
        match self {
            Self::Local(local) => {
                local.deliver(topic, payload.to_owned());
                Ok(())
            }
            Self::Redis(redis) => redis.publish(topic, payload).await,
            Self::Postgres(postgres) => postgres.publish(topic, payload).await,
        }
    }

    /// Hears everything from now on.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        match self {
            Self::Local(local) => local.subscribe(),
            Self::Redis(redis) => redis.link().local().subscribe(),
            Self::Postgres(postgres) => postgres.link().local().subscribe(),
        }
    }

    /// Whether other nodes have not been heard for more than two seconds, so that consumers should
    /// poll more often. Never for [`Bus::Local`].
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        match self {
            Self::Local(_) => false,
            Self::Redis(redis) => redis.link().is_degraded(),
            Self::Postgres(postgres) => postgres.link().is_degraded(),
        }
    }

    /// Keeps the listening connection until `shutdown`: connects, tells subscribers by a
    /// [`Event::Gap`] that they may have missed something, delivers; and so again when it breaks, with
    /// growing pauses. One run a process.
    pub async fn run(&self, shutdown: CancellationToken) {
        match self {
            Self::Local(_) => shutdown.cancelled().await,
            Self::Redis(redis) => redis.link().keep(redis.as_ref(), &shutdown).await,
            Self::Postgres(postgres) => postgres.link().keep(postgres.as_ref(), &shutdown).await,
        }
    }
}
