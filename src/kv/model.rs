//! The device: one set of operations over two implementations.

use std::{sync::Arc, time::Duration};

use super::{KvError, Memory, Redis, RedisOptions};
use crate::base::{Clock, Millis};

/// The longest time to live; a longer one is cut to it. Ten years.
pub const MAX_TTL: Duration = Duration::from_hours(10 * 365 * 24);
/// The most that a key and its value may measure together, bytes.
pub const MAX_VALUE_BYTES: usize = 1024 * 1024;

/// How much may happen: `burst` at once, and as many again over each `period`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// How many, from 1.
    pub burst: u32,
    /// In which time.
    pub period: Duration,
}

impl Allowance {
    /// Time in which one is given back, milliseconds, at least 1.
    pub(super) fn step_ms(self) -> i64 {
        let period = i64::try_from(self.period.as_millis()).unwrap_or(i64::MAX);
        (period / i64::from(self.burst.max(1))).max(1)
    }

    /// Time in which all are given back, milliseconds.
    pub(super) fn window_ms(self) -> i64 {
        self.step_ms().saturating_mul(i64::from(self.burst.max(1)))
    }
}

/// What became of one try to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Whether it was granted.
    pub granted: bool,
    /// How many more would be granted now.
    pub left: u32,
    /// How long until the next one is granted; zero when one would be now.
    pub wait: Duration,
}

impl Taken {
    /// The answer when the cell holds `ahead_ms`, milliseconds that are spoken for, after the try.
    pub(super) fn new(granted: bool, ahead_ms: i64, allowance: Allowance) -> Self {
        let (step, window) = (allowance.step_ms(), allowance.window_ms());
        let free = window.saturating_sub(ahead_ms);
        Self {
            granted,
            left: u32::try_from(free.max(0) / step).unwrap_or(u32::MAX),
            wait: Duration::from_millis(u64::try_from(step.saturating_sub(free)).unwrap_or(0)),
        }
    }
}

/// Short-lived state of this process or of all nodes. Cheap to clone; clones share the state.
#[derive(Debug, Clone)]
pub enum Kv {
    /// In this process.
    Memory(Memory),
    /// On a Redis or Valkey server.
    Redis(Redis),
}

impl Kv {
    /// Whether other nodes see the same.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Redis(_))
    }

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

    /// Takes one of `allowance` under `key` at `now`; one atomic step. What is refused takes nothing.
    /// `now` is the caller's, so that a node whose clock jumps is wrong for one window at most.
    ///
    /// Errors: `NotACounter` (something else is kept there), `NoTtl`, `TooLarge`, `Unavailable`.
    /// Source: the generic cell rate algorithm (ITU-T I.371 Annex A).
    pub async fn take(&self, key: &str, allowance: Allowance, now: Millis) -> Result<Taken, KvError> {
        let window = u64::try_from(allowance.window_ms()).unwrap_or(u64::MAX);
        let ttl = checked(key, &[], Duration::from_millis(window))?;
        match self {
            Self::Memory(memory) => memory.take(key, allowance, now, ttl),
            Self::Redis(redis) => redis.take(key, allowance, now, ttl).await,
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
