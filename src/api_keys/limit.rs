//! Limits that are counted in memory: the generic cell rate algorithm.
//!
//! For each key one moment is kept: when all that was taken so far would have been earned again at the
//! steady rate. What may be taken at once is how far that moment may lie ahead.

use std::{
    convert::Infallible,
    fmt,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use quick_cache::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::base::Millis;

/// Nanoseconds of a millisecond: what moments are counted in, so that fast rates are exact.
const NANOS: i64 = 1_000_000;

/// What is left of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metered {
    /// Its name in `RateLimit-Policy`.
    pub name: &'static str,
    /// How many it allows at once.
    pub burst: u32,
    /// In which time all of them are earned again.
    pub window: Duration,
    /// How many more there are now.
    pub left: u32,
    /// After a refusal, how long until there is one; else, until all are there again.
    pub reset: Duration,
}

/// How often something may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    name: &'static str,
    /// Time in which one more is earned.
    every: Duration,
    /// How many at once.
    burst: u32,
}

impl Pace {
    /// `burst` at once, and `count` in `period` for ever.
    pub(super) fn new(name: &'static str, count: u32, period: Duration, burst: u32) -> Self {
        Self { name, every: period / count.max(1), burst: burst.max(1) }
    }

    fn metered(self, left: u32, reset: Duration) -> Metered {
        let Self { name, burst, every } = self;
        Metered { name, burst, window: every.saturating_mul(burst), left, reset }
    }
}

/// A limit for each of many; the ones unused for longest are forgotten first.
pub(super) struct Limits<K>(Cache<K, Arc<AtomicI64>>);

impl<K> fmt::Debug for Limits<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limits")
    }
}

impl<K: Hash + Eq + Clone> Limits<K> {
    /// Nothing was taken yet; `capacity` are remembered.
    pub(super) fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }

    /// Takes one, and says what is left.
    ///
    /// Errors: there is none left.
    pub(super) fn take(&self, key: &K, pace: Pace, now: Millis) -> Result<Metered, Metered> {
        let Ok(full) = self.0.get_or_insert_with::<_, ()>(key, || Ok(Arc::default())) else {
            return Ok(pace.metered(0, Duration::ZERO)); // nothing that fails is called
        };
        let (now, every) = (now.0.saturating_mul(NANOS), nanos(pace.every));
        let ahead = every.saturating_mul(i64::from(pace.burst));
        let (mut wait, mut until_full) = (0, 0);
        let taken = full.try_update(Ordering::SeqCst, Ordering::SeqCst, |full| {
            // What lies ahead further than it can was left by a clock that jumped back.
            let next = full.clamp(now, now.saturating_add(ahead)).saturating_add(every);
            until_full = next.saturating_sub(now);
            wait = until_full.saturating_sub(ahead);
            (wait <= 0).then_some(next)
        });
        match taken {
            Ok(_) => {
                let left = ahead.saturating_sub(until_full) / every.max(1);
                Ok(pace.metered(u32::try_from(left).unwrap_or(0), from_nanos(until_full)))
            }
            Err(_) => Err(pace.metered(0, from_nanos(wait))),
        }
    }

    /// Gives one back that was taken.
    pub(super) fn give_back(&self, key: &K, pace: Pace) {
        if let Some(full) = self.0.get(key) {
            full.fetch_sub(nanos(pace.every), Ordering::SeqCst);
        }
    }
}

/// Turns of each of many: so many at once, and who comes after them waits.
pub(super) struct Turns<K> {
    of: Cache<K, Arc<Semaphore>>,
    at_once: usize,
}

impl<K> fmt::Debug for Turns<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turns")
    }
}

impl<K: Hash + Eq + Clone> Turns<K> {
    /// Nobody waits yet; `capacity` are remembered.
    pub(super) fn new(capacity: usize, at_once: usize) -> Self {
        Self { of: Cache::new(capacity), at_once: at_once.max(1) }
    }

    /// Waits for a turn, which lasts until it is dropped.
    pub(super) async fn wait(&self, key: &K) -> Option<OwnedSemaphorePermit> {
        let new = || Ok::<_, Infallible>(Arc::new(Semaphore::new(self.at_once)));
        let Ok(turns) = self.of.get_or_insert_with(key, new);
        turns.acquire_owned().await.ok() // nobody closes it
    }
}

/// Whom an address stands for: one host, or in IPv6 the network of 64 bits that a customer is given.
pub(super) fn client_of(ip: Option<IpAddr>) -> Option<IpAddr> {
    ip.map(|ip| match ip.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        address @ IpAddr::V4(_) => address,
    })
}

fn from_nanos(nanos: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(count: u32, burst: u32) -> Pace {
        Pace::new("test", count, Duration::from_secs(1), burst)
    }

    #[test]
    fn a_burst_and_then_the_steady_rate() {
        let (limits, at) = (Limits::new(10), |ms: i64| Millis(1_000_000 + ms));
        let left = |ms| match limits.take(&'a', pace(10, 3), at(ms)) {
            Ok(metered) => Ok((metered.left, metered.reset.as_millis())),
            Err(metered) => Err(metered.reset),
        };
        let take = |ms| left(ms).map(drop);
        assert_eq!((left(0), left(0), left(0)), (Ok((2, 100)), Ok((1, 200)), Ok((0, 300))));
        assert_eq!(take(0), Err(Duration::from_millis(100)));
        assert_eq!(take(40), Err(Duration::from_millis(60)));
        assert_eq!((take(100), take(100)), (Ok(()), Err(Duration::from_millis(100))));
        assert!(limits.take(&'b', pace(10, 3), at(0)).is_ok(), "others are not held up");
        limits.give_back(&'a', pace(10, 3));
        assert_eq!(take(100), Ok(()));
        assert!(
            (0..3).all(|_| take(60_000).is_ok()) && take(60_000).is_err(),
            "no more than a burst gathers"
        );
        assert_eq!(
            take(-900_000),
            Err(Duration::from_millis(100)),
            "a clock that jumps back stops nobody for long"
        );
    }

    #[test]
    fn a_network_of_64_bits_is_one_client() {
        let of = |text: &str| client_of(Some(text.parse().unwrap())).unwrap().to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!((of("::ffff:192.0.2.1"), of("192.0.2.1")), ("192.0.2.1".into(), "192.0.2.1".into()));
    }
}
