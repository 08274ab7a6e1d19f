//! Signing keys: their life by schedule and by command, on one node and on several.

use std::{sync::Arc, time::Duration};

use bailiwick::{
    audit::{self, Actor},
    base::{Clock, Limit, ManualClock, MasterKey, OsEntropy, Rewrapped, TenantId},
    bus::Bus,
    storage::{Db, Run},
    tokens::{Algorithm, KeyState, SigningKey, TokenError, TokenParts, TokenService, TokenSettings},
    write_tx,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    both,
    support::TestDb,
    tokens::{START, settings, start, start_as, subject},
};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const CLI: Actor<'static> = Actor { name: "cli", request_id: None };

fn master(byte: u8) -> MasterKey {
    MasterKey::new([byte; 32])
}

/// The keys and their states, the newest first.
async fn states(node: &TokenService) -> Vec<(String, KeyState)> {
    let mut keys = node.list().await.unwrap();
    keys.sort_by_key(|key| (key.state.as_str(), key.kid.clone()));
    keys.into_iter().map(|key| (key.kid, key.state)).collect()
}

async fn in_state(node: &TokenService, state: KeyState) -> Vec<SigningKey> {
    node.list().await.unwrap().into_iter().filter(|key| key.state == state).collect()
}

async fn the(node: &TokenService, state: KeyState) -> SigningKey {
    let mut found = in_state(node, state).await;
    assert_eq!(found.len(), 1, "one key is {}", state.as_str());
    found.remove(0)
}

fn published(node: &TokenService) -> usize {
    let set: Value = serde_json::from_str(&node.jwks().json).unwrap();
    set["keys"].as_array().unwrap().len()
}

/// What was recorded about keys, the oldest first.
async fn recorded(db: &Db) -> Vec<String> {
    let mut records = audit::list(&mut &*db, TenantId::DEFAULT, Limit::new(200).unwrap()).await.unwrap();
    records.reverse();
    records
        .into_iter()
        .map(|record| record.action)
        .filter(|action| action.starts_with("signing_key"))
        .collect()
}

both! {
    async fn a_key_lives_as_its_schedule_says(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let clock = Arc::new(ManualClock::at(START));
        let node = start(&test.db, &clock).await.unwrap();
        let first = the(&node, KeyState::Active).await;
        node.tend().await.unwrap();
        assert_eq!(states(&node).await, [(first.kid.clone(), KeyState::Active)], "nothing is due");

        clock.set(START.plus(settings().key_life).minus(HOUR));
        node.tend().await.unwrap();
        let next = the(&node, KeyState::Pending).await;
        assert_eq!(next.not_before_ms, Some(START.plus(settings().key_life)));
        assert_eq!(published(&node), 2, "verifiers can know it before it signs");

        clock.set(START.plus(settings().key_life).minus(MINUTE));
        node.tend().await.unwrap();
        let before = node.issue(subject(), clock.now()).unwrap();
        clock.set(START.plus(settings().key_life));
        node.tend().await.unwrap();
        assert_eq!(the(&node, KeyState::Active).await.kid, next.kid);
        let old = the(&node, KeyState::Retiring).await;
        assert_eq!((&old.kid, old.retire_after_ms), (&first.kid, Some(clock.now().plus(MINUTE * 16 + Duration::from_secs(5)))));
        assert!(node.verify(before.token.expose()).await.is_ok(), "a retiring key verifies");

        clock.set(old.retire_after_ms.unwrap());
        node.tend().await.unwrap();
        assert_eq!(states(&node).await, [(next.kid, KeyState::Active), (first.kid.clone(), KeyState::Retired)]);
        assert_eq!(published(&node), 1);
        let sealed: Vec<u8> = test.db.sql("SELECT private_sealed FROM signing_keys WHERE kid = $1")
            .bind(first.kid).scalar().await.unwrap();
        assert!(sealed.is_empty(), "a retired key leaves nothing to steal");
        assert_eq!(recorded(&test.db).await, ["signing_key_published", "signing_key_activated", "signing_key_retired"]);
    }

    /// Of many nodes that find the same thing due, one does it.
    async fn one_node_does_it(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let clock = Arc::new(ManualClock::at(START));
        let mut nodes = Vec::new();
        for _ in 0..4 {
            nodes.push(start(&test.second().await, &clock).await.unwrap());
        }
        let end = START.plus(settings().key_life);
        for due in [end.minus(HOUR), end, end.plus(HOUR)] {
            clock.set(due);
            let (a, b, c, d) = tokio::join!(nodes[0].tend(), nodes[1].tend(), nodes[2].tend(), nodes[3].tend());
            for done in [a, b, c, d] {
                done.unwrap();
            }
        }
        assert_eq!(in_state(&nodes[0], KeyState::Active).await.len(), 1);
        assert_eq!(in_state(&nodes[0], KeyState::Retired).await.len(), 1);
        assert_eq!(nodes[0].list().await.unwrap().len(), 2);
        assert_eq!(recorded(&test.db).await, ["signing_key_published", "signing_key_activated", "signing_key_retired"]);
        for node in &nodes {
            node.tend().await.unwrap();
            assert_eq!(node.jwks().json, nodes[0].jwks().json);
        }
    }

    async fn a_rotation_by_command_waits_for_verifiers(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let clock = Arc::new(ManualClock::at(START));
        let node = start(&test.db, &clock).await.unwrap();
        let next = node.rotate(CLI).await.unwrap();
        assert_eq!((next.state, next.not_before_ms), (KeyState::Pending, Some(START.plus(MINUTE * 10))));
        clock.advance(MINUTE);
        assert_eq!(node.rotate(CLI).await.unwrap(), next, "a second order changes nothing");
        clock.set(START.plus(MINUTE * 10).minus(Duration::from_millis(1)));
        node.tend().await.unwrap();
        assert_eq!(the(&node, KeyState::Pending).await.kid, next.kid, "it signed too early");
        clock.advance(Duration::from_millis(1));
        node.tend().await.unwrap();
        assert_eq!(the(&node, KeyState::Active).await.kid, next.kid);
        let orders = recorded(&test.db).await.iter().filter(|action| **action == "signing_key_rotation_ordered").count();
        assert_eq!(orders, 2);

        // A key that the schedule published is brought forward.
        clock.set(clock.now().plus(settings().key_life).minus(HOUR));
        node.tend().await.unwrap();
        let scheduled = the(&node, KeyState::Pending).await;
        clock.advance(MINUTE * 20);
        let hurried = node.rotate(CLI).await.unwrap();
        assert_eq!((&hurried.kid, hurried.not_before_ms), (&scheduled.kid, Some(clock.now())));
        node.tend().await.unwrap();
        assert_eq!(the(&node, KeyState::Active).await.kid, scheduled.kid);
    }

    /// T47: what one node drops, every node refuses, and the next key signs.
    async fn t47_a_revoked_key_is_refused_everywhere(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let clock = Arc::new(ManualClock::at(START));
        let (a, b) = (start(&test.db, &clock).await.unwrap(), start(&test.second().await, &clock).await.unwrap());
        let leaked = the(&a, KeyState::Active).await;
        let token = a.issue(subject(), clock.now()).unwrap();
        assert!(b.verify(token.token.expose()).await.is_ok());
        let drops = b.dropped_keys();

        a.revoke(&leaked.kid, CLI).await.unwrap();
        assert!(matches!(a.verify(token.token.expose()).await, Err(TokenError::Invalid("unknown kid"))));
        b.tend().await.unwrap();
        assert!(matches!(b.verify(token.token.expose()).await, Err(TokenError::Invalid("unknown kid"))));
        assert!(b.dropped_keys() > drops, "who remembers a verification is told");
        let token = b.issue(subject(), clock.now()).unwrap();
        assert!(a.verify(token.token.expose()).await.is_ok(), "a new key signs at once");
        assert_eq!(the(&a, KeyState::Retired).await.revoked_at_ms, Some(START));

        assert!(matches!(a.revoke(&leaked.kid, CLI).await, Err(TokenError::KeyNotFound)));
        assert!(matches!(a.revoke("nothing", CLI).await, Err(TokenError::KeyNotFound)));
        assert_eq!(recorded(&test.db).await, ["signing_key_revoked"]);
    }

    async fn the_key_that_waits_takes_over_from_a_revoked_one(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let clock = Arc::new(ManualClock::at(START));
        let node = start(&test.db, &clock).await.unwrap();
        let next = node.rotate(CLI).await.unwrap();
        let signing = the(&node, KeyState::Active).await;
        node.revoke(&signing.kid, CLI).await.unwrap();
        assert_eq!(the(&node, KeyState::Active).await.kid, next.kid);
        // One that waits is dropped without harm.
        let waiting = node.rotate(CLI).await.unwrap();
        node.revoke(&waiting.kid, CLI).await.unwrap();
        assert_eq!(the(&node, KeyState::Active).await.kid, next.kid);
        assert_eq!(published(&node), 1);
    }

    async fn another_algorithm_takes_effect_with_the_next_key(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let clock = Arc::new(ManualClock::at(START));
        let node = start(&test.db, &clock).await.unwrap();
        let waiting = node.rotate(CLI).await.unwrap();
        let before = node.issue(subject(), clock.now()).unwrap();
        let parts = TokenParts {
            db: test.db.clone(),
            bus: Bus::local(),
            settings: TokenSettings { signing_alg: Algorithm::Es256, ..settings() },
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy: Arc::new(OsEntropy),
        };
        let node = TokenService::start(parts, &master(5)).await.unwrap();
        let next = node.rotate(CLI).await.unwrap();
        assert_eq!(next.alg, "ES256");
        assert_eq!(the(&node, KeyState::Retired).await.kid, waiting.kid, "the one of the old algorithm is dropped");
        clock.advance(MINUTE * 10);
        node.tend().await.unwrap();
        let token = node.issue(subject(), clock.now()).unwrap();
        assert!(token.token.expose().starts_with("eyJhbGciOiJFUzI1NiIs"), "the header says ES256");
        assert!(node.verify(token.token.expose()).await.is_ok());
        assert!(node.verify(before.token.expose()).await.is_ok(), "tokens of both algorithms are verified");
    }

    /// T48: a new master key takes over row by row, and an interruption is made good by the next run.
    async fn keys_are_sealed_anew_under_a_new_master_key(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let clock = Arc::new(ManualClock::at(START));
        let old = start_as(&test.db, &clock, &master(5), Bus::local()).await.unwrap();
        old.rotate(CLI).await.unwrap();
        let token = old.issue(subject(), clock.now()).unwrap();
        assert!(matches!(start_as(&test.db, &clock, &master(6), Bus::local()).await, Err(TokenError::KeyUnusable { .. })));

        let both = master(6).replacing(&master(5));
        let new = start_as(&test.db, &clock, &both, Bus::local()).await.unwrap();
        assert!(new.verify(token.token.expose()).await.is_ok());
        assert_eq!(new.rewrap(CLI).await.unwrap(), Rewrapped { resealed: 2, ..Rewrapped::default() });
        assert_eq!(new.rewrap(CLI).await.unwrap(), Rewrapped { kept: 2, ..Rewrapped::default() });
        assert_eq!(recorded(&test.db).await.iter().filter(|action| **action == "signing_key_rewrapped").count(), 2);

        // The key that was interrupted: one row is sealed as before.
        new.rotate(CLI).await.unwrap();
        let alone = start_as(&test.db, &clock, &master(6), Bus::local()).await.unwrap();
        assert!(alone.verify(token.token.expose()).await.is_ok(), "the old master key is needed no more");
        assert!(matches!(start_as(&test.db, &clock, &master(5), Bus::local()).await, Err(TokenError::KeyUnusable { .. })));
    }

    /// T48: a row that does not open is fatal at start; on a running node it neither verifies nor holds up others.
    async fn an_altered_row_is_left_out(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let clock = Arc::new(ManualClock::at(START));
        let node = start(&test.db, &clock).await.unwrap();
        let token = node.issue(subject(), clock.now()).unwrap();
        let next = node.rotate(CLI).await.unwrap();
        let done = write_tx!(test.db, "test.alter", |tx| -> Result<u64, TokenError> {
            let other: Vec<u8> = tx.sql("SELECT private_sealed FROM signing_keys WHERE state = 'active'").scalar().await?;
            Ok(tx.sql("UPDATE signing_keys SET private_sealed = $1, not_before_ms = 0 WHERE state = 'pending'").bind(other).run().await?)
        });
        assert_eq!(done.unwrap(), 1);
        assert!(matches!(start(&test.db, &clock).await, Err(TokenError::KeyUnusable { kid }) if kid == next.kid));
        node.tend().await.unwrap();
        assert!(node.verify(token.token.expose()).await.is_ok());
        assert_eq!(published(&node), 1, "it is not published");
        assert!(node.issue(subject(), clock.now()).is_ok(), "it does not take the place of one that signs");
        assert!(recorded(&test.db).await.contains(&"signing_key_unusable".to_owned()));
    }

    /// The loop itself: it hears the bus, and stops when told.
    async fn the_loop_follows(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (clock, bus) = (Arc::new(ManualClock::at(START)), Bus::local());
        let a = start_as(&test.db, &clock, &master(5), bus.clone()).await.unwrap();
        let b = Arc::new(start_as(&test.second().await, &clock, &master(5), bus).await.unwrap());
        let stop = CancellationToken::new();
        let work = async {
            let leaked = the(&a, KeyState::Active).await;
            a.revoke(&leaked.kid, CLI).await.unwrap();
            while b.dropped_keys() == 0 {
                tokio::task::yield_now().await;
            }
            assert_eq!(a.jwks().json, b.jwks().json);
            stop.cancel();
        };
        tokio::join!(Arc::clone(&b).run(stop.clone()), work);
    }
}
