//! Short-lived state, in memory and on Redis.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use bailiwick::{
    base::{Clock, ManualClock, Millis},
    kv::{Allowance, Kv, KvError, MAX_VALUE_BYTES, Memory, Outage, RedisOptions, Taken},
};
use secrecy::SecretString;
use tokio::net::TcpListener;

use crate::{
    both,
    support::{Backend, redis_url, unique},
};

const MINUTE: Duration = Duration::from_mins(1);
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// A device of a test's own.
struct TestKv {
    kv: Kv,
    clock: Arc<ManualClock>,
}

impl TestKv {
    async fn new(backend: Backend) -> Option<Self> {
        let clock = Arc::new(ManualClock::at(Millis(1_000_000)));
        let kv = match backend {
            Backend::Embedded => Kv::memory(clock.clone(), 8 << 20),
            Backend::Shared => {
                let options = options(&redis_url()?, Duration::from_secs(5));
                Kv::redis(&options, clock.clone()).await.unwrap()
            }
        };
        Some(Self { kv, clock })
    }

    /// Sees the entry under `key`, written with a time to live of `ttl`, end.
    async fn see_it_end(&self, key: &str, ttl: Duration) {
        if let Kv::Memory(_) = self.kv {
            self.clock.advance(ttl.saturating_sub(Duration::from_millis(1)));
            assert!(self.kv.get(key).await.unwrap().is_some(), "ended early");
            self.clock.advance(Duration::from_millis(1));
            assert_eq!(self.kv.get(key).await.unwrap(), None);
        } else {
            let gone = async { while self.kv.get(key).await.unwrap().is_some() {} };
            tokio::time::timeout(PATIENCE, gone).await.expect("it never ended");
        }
    }
}

fn options(url: &str, timeout: Duration) -> RedisOptions {
    RedisOptions { url: SecretString::from(url), prefix: format!("test:{}:", unique()), timeout }
}

both! {
    async fn puts_gets_and_deletes(backend: Backend) {
        let Some(TestKv { kv, .. }) = TestKv::new(backend).await else { return };
        kv.ping().await.unwrap();
        assert_eq!(kv.get("a").await.unwrap(), None);
        kv.put("a", b"\x00\xff one", MINUTE).await.unwrap();
        kv.put("b", b"", MINUTE).await.unwrap();
        assert_eq!(kv.get("a").await.unwrap().unwrap(), b"\x00\xff one");
        assert_eq!(kv.get("b").await.unwrap().unwrap(), b"");
        kv.put("a", b"two", MINUTE).await.unwrap();
        assert_eq!(kv.get("a").await.unwrap().unwrap(), b"two");
        assert!(kv.delete("a").await.unwrap());
        assert!(!kv.delete("a").await.unwrap());
        assert_eq!(kv.get("a").await.unwrap(), None);
        assert!(kv.get("b").await.unwrap().is_some());
    }

    async fn clones_share_the_state(backend: Backend) {
        let Some(TestKv { kv, .. }) = TestKv::new(backend).await else { return };
        kv.clone().put("a", b"1", MINUTE).await.unwrap();
        assert_eq!(kv.get("a").await.unwrap().unwrap(), b"1");
    }

    async fn only_one_puts_if_absent(backend: Backend) {
        let Some(TestKv { kv, .. }) = TestKv::new(backend).await else { return };
        let calls = (0..32_u8).map(|n| {
            let kv = kv.clone();
            async move { kv.put_if_absent("nonce", &[n], MINUTE).await.unwrap().then_some(n) }
        });
        let winners: Vec<u8> = futures_util::future::join_all(calls).await.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(kv.get("nonce").await.unwrap().unwrap(), winners);
    }

    async fn compares_and_sets(backend: Backend) {
        let Some(TestKv { kv, .. }) = TestKv::new(backend).await else { return };
        assert!(!kv.compare_and_set("v", Some(b"0"), b"1", MINUTE).await.unwrap(), "nothing is there");
        assert_eq!(kv.get("v").await.unwrap(), None);
        assert!(!kv.compare_and_set("v", Some(b""), b"1", MINUTE).await.unwrap(), "nothing is not empty");
        assert!(kv.compare_and_set("v", None, b"1\x00", MINUTE).await.unwrap());
        assert!(!kv.compare_and_set("v", None, b"2", MINUTE).await.unwrap());
        assert!(!kv.compare_and_set("v", Some(b"1"), b"2", MINUTE).await.unwrap());
        assert!(kv.compare_and_set("v", Some(b"1\x00"), b"2", MINUTE).await.unwrap());
        assert_eq!(kv.get("v").await.unwrap().unwrap(), b"2");
    }

    /// Many writers that read, add one and compare-and-set: no addition is lost.
    async fn compare_and_set_loses_nothing(backend: Backend) {
        let Some(TestKv { kv, .. }) = TestKv::new(backend).await else { return };
        kv.put("n", b"0", MINUTE).await.unwrap();
        let calls = (0..8).map(|_| {
            let kv = kv.clone();
            async move {
                for _ in 0..10 {
                    loop {
                        let old = kv.get("n").await.unwrap().unwrap();
                        let sum = std::str::from_utf8(&old).unwrap().parse::<u32>().unwrap() + 1;
                        if kv.compare_and_set("n", Some(&old), sum.to_string().as_bytes(), MINUTE).await.unwrap() {
                            break;
                        }
                    }
                }
            }
        });
        futures_util::future::join_all(calls).await;
        assert_eq!(kv.get("n").await.unwrap().unwrap(), b"80");
    }

    async fn counts(backend: Backend) {
        let Some(TestKv { kv, .. }) = TestKv::new(backend).await else { return };
        let calls = (0..50).map(|_| kv.increment("n", 2, MINUTE));
        let sums: BTreeSet<i64> =
            futures_util::future::join_all(calls).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(sums, (1..=50).map(|n| n * 2).collect());
        assert_eq!(kv.increment("n", -101, MINUTE).await.unwrap(), -1);
        assert_eq!(kv.get("n").await.unwrap().unwrap(), b"-1");
        kv.put("n", b"41", MINUTE).await.unwrap();
        assert_eq!(kv.increment("n", 1, MINUTE).await.unwrap(), 42);
    }

    /// Exact over the whole of `i64`, and refused at its end without changing anything.
    async fn counts_exactly(backend: Backend) {
        let Some(TestKv { kv, .. }) = TestKv::new(backend).await else { return };
        assert_eq!(kv.increment("n", i64::MAX - 1, MINUTE).await.unwrap(), i64::MAX - 1);
        assert_eq!(kv.increment("n", 1, MINUTE).await.unwrap(), i64::MAX);
        assert!(matches!(kv.increment("n", 1, MINUTE).await, Err(KvError::NotACounter)));
        assert_eq!(kv.get("n").await.unwrap().unwrap(), i64::MAX.to_string().as_bytes());
        assert_eq!(kv.increment("m", i64::MIN, MINUTE).await.unwrap(), i64::MIN);
    }

    async fn counts_on_counters_only(backend: Backend) {
        let Some(TestKv { kv, .. }) = TestKv::new(backend).await else { return };
        for value in [&b"twelve"[..], b"", b"+5", b"007", b"-0", b" 1", b"1.5"] {
            kv.put("x", value, MINUTE).await.unwrap();
            let counted = kv.increment("x", 1, MINUTE).await;
            assert!(matches!(counted, Err(KvError::NotACounter)), "{value:?}: {counted:?}");
            assert_eq!(kv.get("x").await.unwrap().unwrap(), value);
        }
    }

    /// A burst, then one more for each step of the period; a refusal takes nothing.
    async fn takes_no_more_than_is_allowed(backend: Backend) {
        let Some(TestKv { kv, clock }) = TestKv::new(backend).await else { return };
        let five = Allowance { burst: 5, period: MINUTE };
        let take = async |at: Millis| kv.take("cell", five, at).await.unwrap();
        let start = clock.now();
        for left in [4, 3, 2, 1] {
            assert_eq!(take(start).await, Taken { granted: true, left, wait: Duration::ZERO });
        }
        let step = Duration::from_secs(12);
        assert_eq!(take(start).await, Taken { granted: true, left: 0, wait: step });
        for _ in 0..3 {
            assert_eq!(take(start).await, Taken { granted: false, left: 0, wait: step });
        }
        let almost = start.plus(step).minus(Duration::from_millis(1));
        assert_eq!(take(almost).await.wait, Duration::from_millis(1));
        assert!(take(start.plus(step)).await.granted && !take(start.plus(step)).await.granted);
        // A clock that jumps back makes nobody wait for longer than the window.
        assert!(take(start.minus(MINUTE * 60)).await.wait <= step);
        assert!(take(start.plus(MINUTE * 60)).await.granted);
        let other = Allowance { burst: 1, period: Duration::from_millis(1) };
        assert!(kv.take("other", other, start).await.unwrap().granted);
        kv.put("word", b"word", MINUTE).await.unwrap();
        assert!(matches!(kv.take("word", five, start).await, Err(KvError::NotACounter)));
    }

    async fn many_at_once_take_no_more_than_is_allowed(backend: Backend) {
        let Some(TestKv { kv, clock }) = TestKv::new(backend).await else { return };
        let ten = Allowance { burst: 10, period: MINUTE };
        let calls = (0..64).map(|_| kv.take("cell", ten, clock.now()));
        let taken = futures_util::future::join_all(calls).await;
        assert_eq!(taken.into_iter().filter(|taken| taken.as_ref().unwrap().granted).count(), 10);
    }

    async fn entries_end(backend: Backend) {
        let Some(test) = TestKv::new(backend).await else { return };
        let (kv, ttl) = (&test.kv, Duration::from_millis(200));
        kv.put("a", b"1", ttl).await.unwrap();
        test.see_it_end("a", ttl).await;
        assert!(!kv.delete("a").await.unwrap());
        assert!(kv.put_if_absent("a", b"2", ttl).await.unwrap());
        test.see_it_end("a", ttl).await;
        assert!(kv.compare_and_set("a", None, b"3", MINUTE).await.unwrap());
        assert!(kv.compare_and_set("a", Some(b"3"), b"4", ttl).await.unwrap(), "the shorter end counts");
        test.see_it_end("a", ttl).await;
        assert!(!kv.compare_and_set("a", Some(b"4"), b"5", ttl).await.unwrap());
    }

    /// The end of a counter is set at its birth: counting on does not put it off.
    async fn counters_end_after_their_birth(backend: Backend) {
        let Some(test) = TestKv::new(backend).await else { return };
        let ttl = Duration::from_millis(200);
        assert_eq!(test.kv.increment("n", 1, ttl).await.unwrap(), 1);
        assert_eq!(test.kv.increment("n", 1, MINUTE * 60).await.unwrap(), 2);
        test.see_it_end("n", ttl).await;
        assert_eq!(test.kv.increment("n", 1, ttl).await.unwrap(), 1);
    }

    async fn a_time_to_live_is_above_zero(backend: Backend) {
        let Some(test) = TestKv::new(backend).await else { return };
        let kv = &test.kv;
        kv.put("a", b"1", MINUTE).await.unwrap();
        assert!(matches!(kv.put("a", b"2", Duration::ZERO).await, Err(KvError::NoTtl)));
        assert!(matches!(kv.put_if_absent("b", b"2", Duration::ZERO).await, Err(KvError::NoTtl)));
        assert!(matches!(kv.compare_and_set("a", Some(b"1"), b"2", Duration::ZERO).await, Err(KvError::NoTtl)));
        assert!(matches!(kv.increment("n", 1, Duration::ZERO).await, Err(KvError::NoTtl)));
        assert_eq!(kv.get("a").await.unwrap().unwrap(), b"1");
        // Less than a millisecond is a millisecond, and forever is ten years.
        kv.put("c", b"1", Duration::from_nanos(1)).await.unwrap();
        test.see_it_end("c", Duration::from_millis(1)).await;
        kv.put("d", b"1", Duration::MAX).await.unwrap();
        assert_eq!(kv.get("d").await.unwrap().unwrap(), b"1");
    }

    async fn what_is_too_large_is_refused(backend: Backend) {
        let Some(TestKv { kv, .. }) = TestKv::new(backend).await else { return };
        let value = vec![b'x'; MAX_VALUE_BYTES];
        assert!(matches!(kv.put("k", &value, MINUTE).await, Err(KvError::TooLarge { .. })));
        kv.put("k", &value[1..], MINUTE).await.unwrap();
        assert_eq!(kv.get("k").await.unwrap().unwrap().len(), MAX_VALUE_BYTES - 1);
    }
}

fn memory(capacity: usize) -> (Kv, Memory, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(Millis(1_000_000)));
    let kv = Kv::memory(clock.clone(), capacity);
    let Kv::Memory(memory) = kv.clone() else { panic!("asked for memory") };
    (kv, memory, clock)
}

#[tokio::test]
async fn memory_stays_within_its_capacity() {
    let (kv, memory, _) = memory(10_000);
    for n in 0..1_000_u64 {
        // The later ones end sooner, except the first, which ends last.
        let ttl = if n == 0 { MINUTE * 60 } else { Duration::from_millis(100_000 - n) };
        kv.put(&format!("key-{n}"), &[0; 100], ttl).await.unwrap();
        assert!(memory.usage().bytes <= 10_000);
    }
    let usage = memory.usage();
    assert_eq!(usage.evicted, 1_000 - usage.entries as u64);
    assert!(kv.get("key-0").await.unwrap().is_some(), "the last to end stays");
    assert!(kv.get("key-998").await.unwrap().is_none(), "the soonest to end makes room");
    assert!(kv.get("key-999").await.unwrap().is_some(), "what was just kept is there");
    assert!(matches!(kv.put("big", &[0; 10_000], MINUTE).await, Err(KvError::TooLarge { .. })));
    assert_eq!(memory.usage(), usage);
}

#[tokio::test]
async fn memory_sweeps_what_has_ended_before_anything_living() {
    let (kv, memory, clock) = memory(1 << 20);
    for n in 0..100 {
        kv.put(&n.to_string(), b"x", Duration::from_secs(1)).await.unwrap();
    }
    clock.advance(Duration::from_secs(1));
    kv.put("new", b"x", MINUTE).await.unwrap();
    assert_eq!((memory.usage().entries, memory.usage().evicted), (1, 0));
    kv.delete("new").await.unwrap();
    assert_eq!((memory.usage().entries, memory.usage().bytes), (0, 0));
}

/// Five calls in a row that get no answer, each within its limit; then no more waiting at all.
async fn fails_fast(url: &str, silent: bool) {
    let clock = Arc::new(ManualClock::at(Millis(1_000_000)));
    let limit = Duration::from_millis(30);
    // Opening asks once already.
    let kv = Kv::redis(&options(url, limit), clock.clone()).await.unwrap();
    for n in 0..4 {
        let began = Instant::now();
        let failed = kv.increment("a", 1, MINUTE).await.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(1), "call {n} hung");
        assert!(
            matches!(failed, KvError::Unavailable { source: Outage::Silent(_) | Outage::Failed(_) }),
            "{failed:?}"
        );
    }
    for _ in 0..3 {
        let failed = kv.get("a").await.unwrap_err();
        assert!(matches!(failed, KvError::Unavailable { source: Outage::Resting }), "{failed:?}");
    }
    clock.advance(Duration::from_secs(2));
    let trial = kv.get("a").await.unwrap_err();
    assert!(!matches!(trial, KvError::Unavailable { source: Outage::Resting }), "one trial: {trial:?}");
    assert!(matches!(kv.get("a").await, Err(KvError::Unavailable { source: Outage::Resting })));
    assert!(silent || matches!(trial, KvError::Unavailable { source: Outage::Failed(_) }));
}

#[tokio::test]
async fn a_server_that_never_answers_hangs_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let accept = async {
        let mut open = Vec::new();
        loop {
            open.push(listener.accept().await.unwrap());
        }
    };
    tokio::select! {
        () = fails_fast(&url, true) => {}
        () = accept => {}
    }
}

#[tokio::test]
async fn a_closed_port_hangs_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    drop(listener);
    fails_fast(&url, false).await;
}

/// The server goes away for a while, then is there again: the first call after the rest finds it.
#[tokio::test]
async fn a_server_that_comes_back_is_used_again() {
    let Some(url) = redis_url() else { return };
    let server = url.trim_start_matches("redis://").split('/').next().unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let front = format!("redis://{}", listener.local_addr().unwrap());
    let clock = Arc::new(ManualClock::at(Millis(1_000_000)));
    let kv = Kv::redis(&options(&front, Duration::from_millis(500)), clock.clone()).await.unwrap();
    // Nobody accepts yet, so the connection is made by the system and stays silent.
    for _ in 0..4 {
        kv.get("a").await.unwrap_err();
    }
    assert!(matches!(kv.get("a").await, Err(KvError::Unavailable { source: Outage::Resting })));
    let relay = async {
        let mut relays = tokio::task::JoinSet::new();
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = tokio::net::TcpStream::connect(&server).await.unwrap();
            relays.spawn(async move { _ = tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    };
    let back = async {
        let again = async {
            loop {
                clock.advance(Duration::from_secs(2));
                if kv.put("a", b"1", MINUTE).await.is_ok() {
                    break;
                }
            }
        };
        tokio::time::timeout(PATIENCE, again).await.expect("the server is found again");
        assert_eq!(kv.get("a").await.unwrap().unwrap(), b"1");
    };
    tokio::select! {
        () = back => {}
        () = relay => {}
    }
}

#[tokio::test]
async fn a_url_of_something_else_is_refused() {
    let clock = Arc::new(ManualClock::at(Millis(0)));
    let refused = Kv::redis(&options("http://127.0.0.1", MINUTE), clock).await.unwrap_err();
    assert!(matches!(refused, KvError::BadAddress { .. }));
}

/// Every key that is written ends by itself.
#[tokio::test]
async fn redis_keys_have_the_prefix_and_an_end() {
    let Some(url) = redis_url() else { return };
    let options = options(&url, Duration::from_secs(5));
    let kv = Kv::redis(&options, Arc::new(ManualClock::at(Millis(0)))).await.unwrap();
    kv.put("a", b"1", MINUTE).await.unwrap();
    kv.put_if_absent("b", b"1", MINUTE).await.unwrap();
    kv.increment("c", 1, MINUTE).await.unwrap();
    kv.compare_and_set("d", None, b"1", MINUTE * 60).await.unwrap();
    kv.compare_and_set("d", Some(b"1"), b"2", MINUTE).await.unwrap();
    let mut raw = redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap();
    for key in ["a", "b", "c", "d"] {
        let command = redis::Cmd::pttl(format!("{}{key}", options.prefix));
        let left: i64 = command.query_async(&mut raw).await.unwrap();
        assert!((50_000..=60_000).contains(&left), "{key}: {left}");
    }
}
