//! State on a Redis or Valkey server: one multiplexed connection, a time limit, a breaker.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use redis::{
    Client, Cmd, FromRedisValue, RedisResult, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    Allowance, KvError, Outage, Taken,
    breaker::{Breaker, Failure},
};
use crate::base::{Clock, Millis};

/// Writes only over the expected value. One key, so a cluster runs it where the key lives.
const COMPARE_AND_SET: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1";

/// Counts, and gives a key without an end one. The sum comes back as text: a Lua number is a double
/// and would round above 2^53. False: the value is no counter.
const INCREMENT: &str = "\
local sum = redis.pcall('INCRBY', KEYS[1], ARGV[1])
if type(sum) == 'table' and sum.err then
  if string.find(sum.err, 'integer') or string.find(sum.err, 'overflow') or string.find(sum.err, 'WRONGTYPE') then
    return false
  end
  return sum
end
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return redis.call('GET', KEYS[1])";

/// Takes one from a cell that holds the moment until which all is spoken for. Answers whether, and how
/// many milliseconds are spoken for now. False: the value is no moment.
const TAKE: &str = "\
local held = redis.pcall('GET', KEYS[1])
if type(held) == 'table' and held.err then
  if string.find(held.err, 'WRONGTYPE') then return false end
  return held
end
local at, step, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local held_until = 0
if held then held_until = tonumber(held) end
if not held_until then return false end
local ahead = math.min(math.max(held_until - at, 0), window)
if ahead + step > window then return {0, ahead} end
redis.call('SET', KEYS[1], string.format('%.0f', at + ahead + step), 'PX', ARGV[4])
return {1, ahead + step}";

/// Commands that may wait for the connection at once.
const QUEUE: usize = 1024;

/// Where the server is and how long it may take.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// `redis://user:password@host:port/database`, or `rediss://` for TLS.
    pub url: SecretString,
    /// What every key begins with.
    pub prefix: String,
    /// Time to connect, and time of one operation.
    pub timeout: Duration,
}

/// State on a server. Cheap to clone.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    client: Client,
    prefix: String,
    timeout: Duration,
    /// Held to clone or replace the connection, never while waiting.
    connection: Mutex<ConnectionManager>,
    breaker: Breaker,
    compare_and_set: Script,
    increment: Script,
    take: Script,
}

impl Redis {
    /// A handle that connects when first used.
    ///
    /// Errors: `BadAddress`.
    pub(super) fn new(options: &RedisOptions, clock: Arc<dyn Clock>) -> Result<Self, KvError> {
        let bad = |source| KvError::BadAddress { source };
        let client = Client::open(options.url.expose_secret()).map_err(bad)?;
        let connection = lazy(&client, options.timeout).map_err(bad)?;
        Ok(Self(Arc::new(Inner {
            client,
            prefix: options.prefix.clone(),
            timeout: options.timeout,
            connection: Mutex::new(connection),
            breaker: Breaker::new(clock),
            compare_and_set: Script::new(COMPARE_AND_SET),
            increment: Script::new(INCREMENT),
            take: Script::new(TAKE),
        })))
    }

    pub(super) async fn ping(&self) -> Result<(), KvError> {
        self.command(redis::cmd("PING")).await
    }

    pub(super) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        self.command(Cmd::get(self.full(key))).await
    }

    pub(super) async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), KvError> {
        self.command(Cmd::pset_ex(self.full(key), value, millis(ttl))).await
    }

    pub(super) async fn put_if_absent(
        &self,
        key: &str,
        value: &[u8],
        ttl: Duration,
    ) -> Result<bool, KvError> {
        let mut set = redis::cmd("SET");
        set.arg(self.full(key)).arg(value).arg("NX").arg("PX").arg(millis(ttl));
        self.command::<Option<()>>(set).await.map(|kept| kept.is_some())
    }

    pub(super) async fn delete(&self, key: &str) -> Result<bool, KvError> {
        self.command(Cmd::del(self.full(key))).await
    }

    pub(super) async fn compare_and_set(
        &self,
        key: &str,
        expected: &[u8],
        value: &[u8],
        ttl: Duration,
    ) -> Result<bool, KvError> {
        let mut script = self.0.compare_and_set.prepare_invoke();
        script.key(self.full(key)).arg(expected).arg(value).arg(millis(ttl));
        self.guarded(async |mut connection| script.invoke_async(&mut connection).await).await
    }

    pub(super) async fn take(
        &self,
        key: &str,
        allowance: Allowance,
        at: Millis,
        ttl: Duration,
    ) -> Result<Taken, KvError> {
        let mut script = self.0.take.prepare_invoke();
        script.key(self.full(key)).arg(at.0).arg(allowance.step_ms()).arg(allowance.window_ms());
        script.arg(millis(ttl));
        let answer: Option<(i64, i64)> =
            self.guarded(async |mut connection| script.invoke_async(&mut connection).await).await?;
        let (granted, ahead) = answer.ok_or(KvError::NotACounter)?;
        Ok(Taken::new(granted == 1, ahead, allowance))
    }

    pub(super) async fn increment(&self, key: &str, by: i64, ttl: Duration) -> Result<i64, KvError> {
        let mut script = self.0.increment.prepare_invoke();
        script.key(self.full(key)).arg(by).arg(millis(ttl));
        let sum: Option<i64> =
            self.guarded(async |mut connection| script.invoke_async(&mut connection).await).await?;
        sum.ok_or(KvError::NotACounter)
    }

    async fn command<T: FromRedisValue>(&self, command: Cmd) -> Result<T, KvError> {
        self.guarded(async |mut connection| command.query_async(&mut connection).await).await
    }

    /// Runs one operation within the time limit, unless the breaker is open.
    async fn guarded<T>(
        &self,
        operation: impl AsyncFnOnce(ConnectionManager) -> RedisResult<T>,
    ) -> Result<T, KvError> {
        let inner = &self.0;
        if !inner.breaker.admits() {
            return Err(Outage::Resting.into());
        }
        let connection = inner.connection.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let outage = match tokio::time::timeout(inner.timeout, operation(connection)).await {
            Ok(Ok(value)) => {
                if inner.breaker.answered() {
                    tracing::info!("redis answers again");
                }
                return Ok(value);
            }
            Ok(Err(error)) => Outage::Failed(error),
            Err(_) => Outage::Silent(inner.timeout),
        };
        match inner.breaker.failed() {
            Failure::Counted => {}
            Failure::Opened => {
                tracing::warn!(error = &outage as &dyn std::error::Error, "redis fails, leaving it alone");
                self.renew();
            }
            Failure::StillOpen => self.renew(),
        }
        Err(outage.into())
    }

    /// Starts over with a new connection. The manager itself leaves a silent connection (a host that
    /// went away without a word) only when TCP gives up, a quarter of an hour later.
    fn renew(&self) {
        match lazy(&self.0.client, self.0.timeout) {
            Ok(fresh) => *self.0.connection.lock().unwrap_or_else(PoisonError::into_inner) = fresh,
            Err(error) => tracing::error!(%error, "the redis connection cannot be renewed"),
        }
    }

    fn full(&self, key: &str) -> String {
        [self.0.prefix.as_str(), key].concat()
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("prefix", &self.0.prefix).finish_non_exhaustive()
    }
}

/// A connection that is made at its first use, and again whenever it broke. One attempt a use: the
/// next caller is the next attempt.
fn lazy(client: &Client, timeout: Duration) -> RedisResult<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(timeout))
        .set_response_timeout(Some(timeout))
        .set_number_of_retries(0)
        .set_pipeline_buffer_size(QUEUE);
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)
}
