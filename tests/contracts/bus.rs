//! Messages between nodes, over each carrier.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bailiwick::{
    base::{ManualClock, Millis, OsEntropy},
    bus::{Bus, BusError, Event, MAX_PAYLOAD_BYTES, RedisOptions, Subscription, Topic},
    storage::Db,
};
use futures_util::{StreamExt, stream};
use secrecy::SecretString;
use tokio::{net::TcpListener, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::support::{Backend, TestDb, redis_url, unique};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where the nodes of a test meet.
enum Place {
    Local(Bus),
    Redis { admin: String, url: String, prefix: String, user: String },
    Postgres(TestDb),
}

/// One node: a handle, its subscription, its loop.
struct Node {
    bus: Bus,
    heard: Subscription,
    clock: Arc<ManualClock>,
    shutdown: CancellationToken,
    run: JoinSet<()>,
}

impl Place {
    fn local() -> std::future::Ready<Option<Self>> {
        std::future::ready(Some(Self::Local(Bus::local())))
    }

    /// With a Redis user of the test's own, so that its connections can be told from others.
    async fn redis() -> Option<Self> {
        let admin = redis_url()?;
        let (user, word) = (format!("test-{}", unique()), unique());
        let rules =
            ["on".to_owned(), format!(">{word}"), "~*".to_owned(), "&*".to_owned(), "+@all".to_owned()];
        raw(&admin, redis::cmd("ACL").arg("SETUSER").arg(&user).arg(&rules)).await;
        let url = admin.replacen("redis://", &format!("redis://{user}:{word}@"), 1);
        Some(Self::Redis { admin, url, prefix: format!("test:{}:", unique()), user })
    }

    async fn postgres() -> Option<Self> {
        Some(Self::Postgres(TestDb::new(Backend::Shared).await?))
    }

    /// A node that runs and, where there is something to connect to, has connected.
    async fn node(&self) -> Node {
        let clock = Arc::new(ManualClock::at(Millis(1_000_000)));
        let bus = match self {
            Self::Local(bus) => bus.clone(),
            Self::Redis { url, prefix, .. } => redis_bus(url, prefix, PATIENCE, &clock),
            Self::Postgres(test) => {
                Bus::postgres(pool(&test.second().await), clock.clone(), Arc::new(OsEntropy))
            }
        };
        let mut node = Node::start(bus, clock);
        if !matches!(self, Self::Local(_)) {
            assert_eq!(node.next().await, Event::Gap, "the first connection is a gap");
        }
        assert!(!node.bus.is_degraded());
        node
    }

    /// Breaks every listening connection from the server's side; on Redis also those that send.
    async fn disconnect(&self) {
        match self {
            Self::Local(_) => {}
            Self::Redis { admin, user, .. } => {
                let mut kill = redis::cmd("CLIENT");
                kill.arg("KILL").arg("USER").arg(user);
                raw(admin, &kill).await;
            }
            Self::Postgres(test) => {
                let killed: Vec<bool> = sqlx::query_scalar(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE datname = current_database() AND query LIKE 'LISTEN%'",
                )
                .fetch_all(&pool(&test.db))
                .await
                .unwrap();
                assert!(!killed.is_empty(), "somebody listens");
            }
        }
    }

    async fn clear(&self) {
        if let Self::Redis { admin, user, .. } = self {
            raw(admin, redis::cmd("ACL").arg("DELUSER").arg(user)).await;
        }
    }
}

async fn raw(url: &str, command: &redis::Cmd) {
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    command.exec_async(&mut connection).await.unwrap();
}

fn pool(db: &Db) -> sqlx::PgPool {
    let Db::Postgres(pool) = db else { panic!("asked for Postgres") };
    pool.clone()
}

fn redis_bus(url: &str, prefix: &str, timeout: Duration, clock: &Arc<ManualClock>) -> Bus {
    let options = RedisOptions { url: SecretString::from(url), prefix: prefix.to_owned(), timeout };
    Bus::redis(&options, clock.clone(), Arc::new(OsEntropy)).unwrap()
}

impl Node {
    fn start(bus: Bus, clock: Arc<ManualClock>) -> Self {
        let shutdown = CancellationToken::new();
        let heard = bus.subscribe();
        let mut run = JoinSet::new();
        let (running, until) = (bus.clone(), shutdown.clone());
        run.spawn(async move { running.run(until).await });
        Self { bus, heard, clock, shutdown, run }
    }

    async fn next(&mut self) -> Event {
        timeout(PATIENCE, self.heard.next()).await.expect("an event arrives")
    }

    /// The next message; gaps on the way are let pass.
    async fn next_message(&mut self) -> Event {
        loop {
            match self.next().await {
                Event::Gap => {}
                message @ Event::Message { .. } => return message,
            }
        }
    }

    async fn stop(mut self) {
        self.shutdown.cancel();
        timeout(Duration::from_secs(2), self.run.join_next())
            .await
            .expect("it ends at once")
            .unwrap()
            .unwrap();
    }
}

fn message(topic: Topic, payload: &str) -> Event {
    Event::Message { topic, payload: payload.to_owned() }
}

/// Declares tests that run over each carrier.
macro_rules! every_carrier {
    ($($(#[$meta:meta])* async fn $name:ident($place:ident: &Place) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            use super::*;

            async fn run($place: &Place) $body

            every_carrier!(@ local);
            every_carrier!(@ redis);
            every_carrier!(@ postgres);
        }
    )+};
    (@ $carrier:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $carrier() {
            let Some(place) = Place::$carrier().await else { return };
            run(&place).await;
            place.clear().await;
        }
    };
}

every_carrier! {
    async fn messages_reach_every_node_and_oneself(place: &Place) {
        let (mut one, mut two) = (place.node().await, place.node().await);
        one.bus.publish(Topic::Revocation, r#"{"k":"user","id":"ü"}"#).await.unwrap();
        for node in [&mut one, &mut two] {
            assert_eq!(node.next().await, message(Topic::Revocation, r#"{"k":"user","id":"ü"}"#));
        }
        two.bus.publish(Topic::Policy, "app").await.unwrap();
        for node in [&mut one, &mut two] {
            assert_eq!(node.next().await, message(Topic::Policy, "app"));
        }
        one.stop().await;
        two.stop().await;
    }

    /// What a carrier cannot hold still says that there is something to read.
    async fn what_does_not_fit_is_a_gap(place: &Place) {
        let mut node = place.node().await;
        let longest = "x".repeat(MAX_PAYLOAD_BYTES);
        for unfit in ["", "a\0b", &format!("{longest}x"), &"x".repeat(1 << 20)] {
            node.bus.publish(Topic::Policy, unfit).await.unwrap();
            assert_eq!(node.next().await, Event::Gap);
        }
        node.bus.publish(Topic::Policy, &longest).await.unwrap();
        assert_eq!(node.next().await, message(Topic::Policy, &longest));
    }

    /// A reader that falls behind holds up nobody, is told, and hears what comes after.
    async fn a_slow_subscriber_is_told_of_its_gap(place: &Place) {
        let mut node = place.node().await;
        let mut slow = node.bus.subscribe();
        let (bus, last) = (node.bus.clone(), 1_100);
        let publishing = async {
            let all_but_the_last = stream::iter(0..last);
            all_but_the_last
                .for_each_concurrent(16, |n| {
                    let bus = bus.clone();
                    async move { bus.publish(Topic::Revocation, &n.to_string()).await.unwrap() }
                })
                .await;
            bus.publish(Topic::Revocation, &last.to_string()).await.unwrap();
        };
        let reading = async {
            while node.next().await != message(Topic::Revocation, &last.to_string()) {}
        };
        tokio::join!(publishing, reading);
        assert_eq!(timeout(PATIENCE, slow.next()).await.unwrap(), Event::Gap);
        let Event::Message { payload, .. } = timeout(PATIENCE, slow.next()).await.unwrap() else {
            panic!("one gap is told once")
        };
        assert!(payload.parse::<u32>().unwrap() > 0, "the oldest are lost");
    }

    async fn a_new_subscriber_hears_from_then_on(place: &Place) {
        let mut node = place.node().await;
        node.bus.publish(Topic::Policy, "before").await.unwrap();
        assert_eq!(node.next().await, message(Topic::Policy, "before"));
        let mut late = node.bus.subscribe();
        node.bus.publish(Topic::Policy, "after").await.unwrap();
        assert_eq!(timeout(PATIENCE, late.next()).await.unwrap(), message(Topic::Policy, "after"));
    }
}

/// The server ends the connection: a gap, a new connection, and messages again.
async fn survives_a_disconnect(place: &Place) {
    let (mut one, mut two) = (place.node().await, place.node().await);
    one.bus.publish(Topic::Revocation, "before").await.unwrap();
    for node in [&mut one, &mut two] {
        assert_eq!(node.next_message().await, message(Topic::Revocation, "before"));
    }
    place.disconnect().await;
    for node in [&mut one, &mut two] {
        assert_eq!(node.next().await, Event::Gap);
        assert!(!node.bus.is_degraded());
    }
    one.bus.publish(Topic::Revocation, "again").await.unwrap();
    for node in [&mut one, &mut two] {
        assert_eq!(node.next_message().await, message(Topic::Revocation, "again"));
    }
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn redis_comes_back_with_a_gap() {
    let Some(place) = Place::redis().await else { return };
    survives_a_disconnect(&place).await;
    place.clear().await;
}

#[tokio::test]
async fn postgres_comes_back_with_a_gap() {
    let Some(place) = Place::postgres().await else { return };
    survives_a_disconnect(&place).await;
}

/// What others write into our channels is not ours to understand.
#[tokio::test]
async fn garbled_messages_are_ignored() {
    let Some(place) = Place::redis().await else { return };
    let mut node = place.node().await;
    let Place::Redis { admin, prefix, .. } = &place else { unreachable!() };
    raw(admin, &redis::Cmd::publish(format!("{prefix}rev"), b"\xff\xfe")).await;
    raw(admin, &redis::Cmd::publish(format!("{prefix}unknown"), "x")).await;
    raw(admin, &redis::Cmd::publish(format!("{prefix}rev"), "good")).await;
    assert_eq!(node.next().await, message(Topic::Revocation, "good"));
    place.clear().await;
}

/// Installations on one Redis hear only their own prefix.
#[tokio::test]
async fn prefixes_keep_apart() {
    let (Some(here), Some(there)) = (Place::redis().await, Place::redis().await) else { return };
    let (mut one, mut two) = (here.node().await, there.node().await);
    one.bus.publish(Topic::Policy, "here").await.unwrap();
    two.bus.publish(Topic::Policy, "there").await.unwrap();
    assert_eq!(one.next().await, message(Topic::Policy, "here"));
    assert_eq!(two.next().await, message(Topic::Policy, "there"));
    here.clear().await;
    there.clear().await;
}

#[tokio::test]
async fn without_a_server_it_is_degraded_and_still_ends_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    drop(listener);
    let clock = Arc::new(ManualClock::at(Millis(1_000_000)));
    let node = Node::start(redis_bus(&url, "x:", Duration::from_secs(1), &clock), clock);
    assert!(!node.bus.is_degraded(), "two seconds are forgiven");
    node.clock.advance(Duration::from_millis(2_001));
    assert!(node.bus.is_degraded());
    assert!(matches!(node.bus.publish(Topic::Policy, "x").await, Err(BusError::Redis(_))));
    node.stop().await;
}

/// The port accepts and says nothing: publishing gives up in time, and the loop can be ended.
#[tokio::test]
async fn a_silent_server_holds_up_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let clock = Arc::new(ManualClock::at(Millis(1_000_000)));
    let node = Node::start(redis_bus(&url, "x:", Duration::from_millis(30), &clock), clock);
    for _ in 0..3 {
        let sent = timeout(Duration::from_secs(1), node.bus.publish(Topic::Policy, "x")).await;
        assert!(matches!(sent.expect("in time"), Err(BusError::Silent(_) | BusError::Redis(_))));
    }
    node.stop().await;
}

#[test]
fn topics_have_names_of_their_own() {
    let names: BTreeSet<_> = Topic::ALL.map(Topic::name).into();
    assert_eq!(names.len(), Topic::ALL.len());
}
