//! The device: one set of operations over two implementations.

use std::{sync::Arc, time::Duration};

use super::{KvError, Memory, Redis, RedisOptions};
use crate::base::Clock;

/// The longest time to live; a longer one is cut to it. Ten years.
pub const MAX_TTL: Duration = Duration::from_hours(10 * 365 * 24);
/// The most that a key and its value may measure together, bytes.
pub const MAX_VALUE_BYTES: usize = 1024 * 1024;

/// Short-lived state of this process or of all nodes. Cheap to clone; clones share the state.
#[derive(Debug, Clone)]
pub enum Kv {
    /// In this process.
    Memory(Memory),
    /// On a Redis or Valkey server.
    Redis(Redis),
}

impl Kv {
    /// State of this process. Keeps at most `capacity_bytes`, keys and bookkeeping included.
    #[must_use]
    pub fn memory(clock: Arc<dyn Clock>, capacity_bytes: usize) -> Self {
        Self::Memory(Memory::new(clock, capacity_bytes))
    }

    /// State on a server. Tries to connect once, and goes on without when there is no answer: the
    /// connection is made when the server comes. `clock` times the breaker.
    ///
    /// Errors: `BadAddress`.
    pub async fn redis(options: &RedisOptions, clock: Arc<dyn Clock>) -> Result<Self, KvError> {
        let redis = Redis::new(options, clock)?;
        if let Err(error) = redis.ping().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "redis does not answer, going on without"
            );
        }
        Ok(Self::Redis(redis))
    }

    /// Whether it can be used now.
    ///
    /// Errors: `Unavailable`.
    pub async fn ping(&self) -> Result<(), KvError> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Redis(redis) => redis.ping().await,
        }
    }

    /// The value under `key`.
    ///
    /// Errors: `Unavailable`.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        match self {
            Self::Memory(memory) => Ok(memory.get(key)),
            Self::Redis(redis) => redis.get(key).await,
        }
    }

    /// Keeps `value` for `ttl`, whatever was there before.
    ///
    /// Errors: `NoTtl`, `TooLarge`, `Unavailable`.
    pub async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), KvError> {
        let ttl = checked(key, value, ttl)?;
        match self {
            Self::Memory(memory) => memory.put(key, value, ttl),
            Self::Redis(redis) => redis.put(key, value, ttl).await,
        }
    }

    /// Keeps `value` for `ttl` if nothing is there. True: it was kept. Of many calls at once, one is.
    ///
    /// Errors: `NoTtl`, `TooLarge`, `Unavailable`.
    pub async fn put_if_absent(&self, key: &str, value: &[u8], ttl: Duration) -> Result<bool, KvError> {
        let ttl = checked(key, value, ttl)?;
        match self {
            Self::Memory(memory) => memory.compare_and_set(key, None, value, ttl),
            Self::Redis(redis) => redis.put_if_absent(key, value, ttl).await,
        }
    }

    /// Forgets `key`. True: there was something.
    ///
    /// Errors: `Unavailable`.
    pub async fn delete(&self, key: &str) -> Result<bool, KvError> {
        match self {
            Self::Memory(memory) => Ok(memory.delete(key)),
            Self::Redis(redis) => redis.delete(key).await,
        }
    }

    /// Keeps `value` for `ttl` if what is there equals `expected` (`None`: nothing is there). True: it
    /// was kept.
    ///
    /// Errors: `NoTtl`, `TooLarge`, `Unavailable`.
    pub async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
        ttl: Duration,
    ) -> Result<bool, KvError> {
        let ttl = checked(key, value, ttl)?;
        match (self, expected) {
            (Self::Memory(memory), _) => memory.compare_and_set(key, expected, value, ttl),
            (Self::Redis(redis), None) => redis.put_if_absent(key, value, ttl).await,
            (Self::Redis(redis), Some(expected)) => redis.compare_and_set(key, expected, value, ttl).await,
        }
    }

    /// Adds `by` to the counter under `key` and answers the sum. A counter that is not there is born
    /// as zero and ends `ttl` after its birth, however often it is counted on. [`Kv::get`] reads it
    /// as decimal text.
    ///
    /// Errors: `NotACounter` (nothing changed), `NoTtl`, `TooLarge`, `Unavailable`.
    pub async fn increment(&self, key: &str, by: i64, ttl: Duration) -> Result<i64, KvError> {
        let ttl = checked(key, &[], ttl)?;
        match self {
            Self::Memory(memory) => memory.increment(key, by, ttl),
            Self::Redis(redis) => redis.increment(key, by, ttl).await,
        }
    }
}

/// `ttl` in whole milliseconds, rounded up, once the sizes are right.
fn checked(key: &str, value: &[u8], ttl: Duration) -> Result<Duration, KvError> {
    let bytes = key.len().saturating_add(value.len());
    if bytes > MAX_VALUE_BYTES {
        return Err(KvError::TooLarge { bytes });
    }
    let millis = u64::try_from(ttl.min(MAX_TTL).as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    if millis == 0 { Err(KvError::NoTtl) } else { Ok(Duration::from_millis(millis)) }
}
