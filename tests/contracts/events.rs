//! The outbox: written with what it tells of, dispatched at least once, with an effect exactly once.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bailiwick::{
    audit::{self, Actor, AuditError},
    base::{ManualClock, Millis, SeededEntropy, TenantId},
    events::{Consumer, Event, EventService, HandleError},
    storage::{Db, StorageError, Tx},
    write_tx,
};
use futures_util::future::BoxFuture;
use serde_json::json;

use crate::{both, support::TestDb};

const TENANT: TenantId = TenantId::DEFAULT;
const START: Millis = Millis(1_795_428_000_000);
const ACTOR: Actor<'static> = Actor { name: "usr_x", request_id: Some("req_1") };

/// Notes what it handles, in memory and, as its effect, in the audit log.
#[derive(Debug)]
struct Noting {
    name: &'static str,
    handled: Mutex<Vec<(String, String)>>,
    refuses: AtomicBool,
    entropy: SeededEntropy,
}

impl Noting {
    fn new(name: &'static str) -> Arc<Self> {
        let entropy = SeededEntropy::new(name.len() as u64);
        Arc::new(Self { name, handled: Mutex::default(), refuses: AtomicBool::new(false), entropy })
    }

    fn handled(&self) -> Vec<(String, String)> {
        self.handled.lock().unwrap().clone()
    }

    /// Every subject with what it was told of it, in this order.
    fn of(&self, subject: &str) -> Vec<String> {
        self.handled().into_iter().filter(|(of, _)| of == subject).map(|(_, role)| role).collect()
    }
}

impl Consumer for Noting {
    fn name(&self) -> &'static str {
        self.name
    }

    fn wants(&self, name: &str) -> bool {
        name == "bwk.role.granted.v1"
    }

    fn handle<'a>(&'a self, tx: &'a mut Tx, event: &'a Event) -> BoxFuture<'a, Result<(), HandleError>> {
        Box::pin(async move {
            let entry =
                Actor::named(self.name).does(event.tenant_id, "role_created", &event.subject, json!({}));
            audit::record(tx, event.at, &self.entropy, entry).await.map_err(HandleError::of)?;
            if self.refuses.load(Ordering::SeqCst) && event.subject == "ann" {
                return Err(HandleError::of(StorageError::from(sqlx::Error::RowNotFound)));
            }
            let role = event.text("role").unwrap().to_owned();
            self.handled.lock().unwrap().push((event.subject.clone(), role));
            Ok(())
        })
    }
}

/// Grants a role as far as the log knows; `false` undoes it.
async fn grant(db: &Db, entropy: &SeededEntropy, who: &str, role: &str, commit: bool) {
    let done = write_tx!(db, "test.events", |tx| -> Result<(), AuditError> {
        let entry =
            ACTOR.does(TENANT, "role_granted", who, json!({ "role": role, "email": "a@example.com" }));
        audit::record(tx, START, entropy, entry).await?;
        if commit { Ok(()) } else { Err(StorageError::from(sqlx::Error::RowNotFound).into()) }
    });
    assert_eq!(done.is_ok(), commit);
}

async fn count(db: &Db, text: &'static str) -> i64 {
    db.sql(text).scalar().await.unwrap()
}

fn service(db: &Db, clock: &Arc<ManualClock>, consumers: &[&Arc<Noting>]) -> EventService {
    let consumers = consumers.iter().map(|it| Arc::clone(it) as Arc<dyn Consumer>).collect();
    EventService::new(db.clone(), clock.clone(), consumers)
}

both! {
    async fn an_event_lives_and_dies_with_what_it_tells_of(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let entropy = SeededEntropy::new(1);
        grant(&test.db, &entropy, "ann", "editor", true).await;
        grant(&test.db, &entropy, "bob", "editor", false).await;
        let done = write_tx!(test.db, "test.untold", |tx| -> Result<(), AuditError> {
            audit::record(tx, START, &entropy, ACTOR.does(TENANT, "role_created", "editor", json!({}))).await
        });
        done.unwrap();
        let rows: Vec<(String, String, String, String, Option<String>)> =
            test.db.sql("SELECT type, tenant_id, subject, data, request_id FROM outbox").all().await.unwrap();
        let [(name, tenant, subject, data, request)] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!((name.as_str(), subject.as_str(), tenant), ("bwk.role.granted.v1", "ann", &TENANT.to_string()));
        assert_eq!(request.as_deref(), Some("req_1"));
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(data, json!({"user_id": "ann", "actor": "usr_x", "role": "editor"}), "no more than its kind tells");
    }

    async fn each_event_has_its_effect_once_and_in_order(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (clock, entropy, noting) = (Arc::new(ManualClock::at(START)), SeededEntropy::new(2), Noting::new("a"));
        let events = service(&test.db, &clock, &[&noting]);
        for role in ["r1", "r2", "r3"] {
            grant(&test.db, &entropy, "ann", role, true).await;
        }
        grant(&test.db, &entropy, "bob", "r1", true).await;
        assert_eq!(events.dispatch().await.unwrap(), 4);
        assert_eq!(noting.of("ann"), ["r1", "r2", "r3"]);
        assert_eq!(noting.of("bob"), ["r1"]);
        assert_eq!(count(&test.db, "SELECT COUNT(*) FROM audit_log WHERE actor = 'a'").await, 4);
        assert_eq!(count(&test.db, "SELECT COUNT(*) FROM inbox").await, 4);
        assert_eq!(events.dispatch().await.unwrap(), 0);
        let seqs: Vec<(i64,)> = test.db.sql("SELECT seq FROM outbox ORDER BY seq").all().await.unwrap();
        assert_eq!(seqs, [(1,), (2,), (3,), (4,)]);
    }

    async fn a_failing_consumer_holds_back_its_subject_and_undoes_no_other(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (clock, entropy) = (Arc::new(ManualClock::at(START)), SeededEntropy::new(3));
        let (good, bad) = (Noting::new("good"), Noting::new("ba"));
        let events = service(&test.db, &clock, &[&good, &bad]);
        bad.refuses.store(true, Ordering::SeqCst);
        for (who, role) in [("ann", "r1"), ("ann", "r2"), ("bob", "r1")] {
            grant(&test.db, &entropy, who, role, true).await;
        }
        assert_eq!(events.dispatch().await.unwrap(), 1, "bob's");
        assert_eq!((good.of("ann"), bad.of("ann")), (vec!["r1".to_owned()], vec![]));
        assert_eq!(count(&test.db, "SELECT COUNT(*) FROM audit_log WHERE actor = 'ba'").await, 1, "undone with the error");
        assert_eq!(events.dispatch().await.unwrap(), 0, "not before its time");
        for _ in 0..3 {
            clock.advance(Duration::from_secs(10));
            assert_eq!(events.dispatch().await.unwrap(), 0);
        }
        bad.refuses.store(false, Ordering::SeqCst);
        clock.advance(Duration::from_secs(10));
        assert_eq!(events.dispatch().await.unwrap(), 2);
        assert_eq!((good.of("ann"), bad.of("ann")), (vec!["r1".to_owned(), "r2".to_owned()], vec!["r1".to_owned(), "r2".to_owned()]));
    }

    async fn nodes_that_dispatch_at_once_share_the_work(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (clock, entropy, noting) = (Arc::new(ManualClock::at(START)), SeededEntropy::new(4), Noting::new("a"));
        let nodes = [
            service(&test.db, &clock, &[&noting]),
            service(&test.second().await, &clock, &[&noting]),
            service(&test.second().await, &clock, &[&noting]),
        ];
        for number in 0..150 {
            grant(&test.db, &entropy, &format!("u{}", number % 30), &format!("{number:03}"), true).await;
        }
        let (a, b, c) = tokio::join!(nodes[0].dispatch(), nodes[1].dispatch(), nodes[2].dispatch());
        let mut published = a.unwrap() + b.unwrap() + c.unwrap();
        while count(&test.db, "SELECT COUNT(*) FROM outbox WHERE published_at_ms IS NULL").await > 0 {
            published += nodes[0].dispatch().await.unwrap();
        }
        assert_eq!(published, 150);
        assert_eq!(count(&test.db, "SELECT COUNT(*) FROM audit_log WHERE actor = 'a'").await, 150);
        for user in 0..30 {
            let seen: BTreeSet<_> = noting.of(&format!("u{user}")).into_iter().collect();
            assert_eq!(seen.len(), 5);
            let mut firsts = Vec::new(); // a transaction that ran again notes twice
            noting.of(&format!("u{user}")).into_iter().for_each(|it| if !firsts.contains(&it) { firsts.push(it) });
            assert!(firsts.is_sorted(), "{firsts:?}");
        }
        let seqs = "SELECT COUNT(DISTINCT seq) FROM outbox WHERE seq >= 1";
        assert_eq!(count(&test.db, seqs).await, 150);
    }

    async fn what_a_dead_node_had_claimed_is_dispatched_by_another(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (clock, entropy) = (Arc::new(ManualClock::at(START)), SeededEntropy::new(5));
        grant(&test.db, &entropy, "ann", "r1", true).await;
        // Claimed, handled by one consumer, and dead before it was published.
        let noting = Noting::new("a");
        let dying = "UPDATE outbox SET due_at_ms = due_at_ms + 30000, attempts = 1";
        test.db.lone_write(dying).run().await.unwrap();
        let events = service(&test.db, &clock, &[&noting]);
        assert_eq!(events.dispatch().await.unwrap(), 0, "its lease still runs");
        clock.advance(Duration::from_secs(30));
        assert_eq!(events.dispatch().await.unwrap(), 1);
        // Published by nobody, though handled: the next node only publishes.
        test.db.lone_write("UPDATE outbox SET published_at_ms = NULL, seq = NULL").run().await.unwrap();
        clock.advance(Duration::from_secs(30));
        assert_eq!(events.dispatch().await.unwrap(), 1);
        assert_eq!(noting.of("ann"), ["r1"]);
    }

    async fn published_events_are_forgotten_after_a_month(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (clock, entropy, noting) = (Arc::new(ManualClock::at(START)), SeededEntropy::new(6), Noting::new("a"));
        let events = service(&test.db, &clock, &[&noting]);
        for number in 0..120 {
            grant(&test.db, &entropy, &format!("u{number}"), "r1", true).await;
        }
        events.dispatch().await.unwrap();
        grant(&test.db, &entropy, "waits", "r1", true).await;
        assert_eq!(events.prune().await.unwrap(), 0);
        clock.advance(Duration::from_hours(31 * 24));
        assert_eq!(events.prune().await.unwrap(), 119);
        assert_eq!(count(&test.db, "SELECT COUNT(*) FROM inbox").await, 1);
        events.dispatch().await.unwrap();
        let seqs: Vec<(i64,)> = test.db.sql("SELECT seq FROM outbox ORDER BY seq").all().await.unwrap();
        assert_eq!(seqs, [(120,), (121,)], "the count goes on");
    }
}
