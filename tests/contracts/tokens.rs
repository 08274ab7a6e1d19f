//! Tokens and keys: the store through its service.

use std::{sync::Arc, time::Duration};

use bailiwick::{
    base::{Clock, DeviceId, ManualClock, MasterKey, Millis, OsEntropy, SessionId, TenantId, UserId},
    bus::Bus,
    storage::{Db, Run},
    tokens::{AccessSubject, Algorithm, TokenError, TokenParts, TokenService, TokenSettings},
    write_tx,
};
use serde_json::Value;

use crate::{both, support::TestDb};

pub(crate) const START: Millis = Millis(1_795_223_748_000);

pub(crate) fn settings() -> TokenSettings {
    TokenSettings {
        issuer: "https://id.example".to_owned(),
        audience: "https://id.example".to_owned(),
        access_ttl: Duration::from_mins(15),
        leeway: Duration::from_secs(5),
        signing_alg: Algorithm::EdDsa,
        key_life: Duration::from_hours(24 * 90),
    }
}

pub(crate) async fn start(db: &Db, clock: &Arc<ManualClock>) -> Result<TokenService, TokenError> {
    start_as(db, clock, &MasterKey::new([5; 32]), Bus::local()).await
}

pub(crate) async fn start_as(
    db: &Db,
    clock: &Arc<ManualClock>,
    master: &MasterKey,
    bus: Bus,
) -> Result<TokenService, TokenError> {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    let parts = TokenParts { db: db.clone(), bus, settings: settings(), clock, entropy: Arc::new(OsEntropy) };
    TokenService::start(parts, master).await
}

pub(crate) fn subject() -> AccessSubject {
    AccessSubject {
        client_id: None,
        tenant_id: TenantId::DEFAULT,
        user_id: UserId::new(START, &OsEntropy).unwrap(),
        session_id: SessionId::new(START, &OsEntropy).unwrap(),
        device_id: DeviceId::new(START, &OsEntropy).unwrap(),
        version: 1,
        epoch: 0,
        auth_time: START,
        amr: vec!["pwd".to_owned()],
        roles: (0..21).map(|n| format!("r{n}")).collect(),
        scope: String::new(),
        origin: None,
    }
}

both! {
    async fn two_nodes_that_start_at_once_share_a_key(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (clock, second) = (Arc::new(ManualClock::at(START)), test.second().await);
        let (one, two) = tokio::join!(start(&test.db, &clock), start(&second, &clock));
        let (one, two) = (one.unwrap(), two.unwrap());
        let active: i64 =
            test.db.sql("SELECT CAST(COUNT(*) AS BIGINT) FROM signing_keys").scalar().await.unwrap();
        assert_eq!(active, 1);
        assert_eq!((one.jwks().json, one.jwks().etag), (two.jwks().json, two.jwks().etag));
        let issued = one.issue(subject(), clock.now()).unwrap();
        let claims = two.verify(issued.token.expose()).await.unwrap();
        assert_eq!((claims.jti, claims.roles, issued.expires_at), (issued.claims.jti, None, START.plus(Duration::from_mins(15))));
        let third = start(&test.db, &clock).await.unwrap();
        assert!(third.verify(issued.token.expose()).await.is_ok(), "a restart changed the key");
    }

    async fn another_master_key_is_told_at_start(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let clock = Arc::new(ManualClock::at(START));
        start(&test.db, &clock).await.unwrap();
        let other = start_as(&test.db, &clock, &MasterKey::new([6; 32]), Bus::local()).await;
        assert!(matches!(other, Err(TokenError::KeyUnusable { .. })));
        let sealed: Vec<u8> = test.db.sql("SELECT private_sealed FROM signing_keys").scalar().await.unwrap();
        assert_eq!(sealed.len(), 24 + 32 + 16);
    }

    /// T3: unknown keys make a node look once in 30 seconds, and it does find a new key then.
    async fn new_keys_are_found_and_storms_are_not_served(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let clock = Arc::new(ManualClock::at(START));
        let old = start(&test.db, &clock).await.unwrap();
        let done = write_tx!(test.db, "test.retire", |tx| -> Result<u64, TokenError> {
            Ok(tx.sql("UPDATE signing_keys SET state = 'retiring'").run().await?)
        });
        assert_eq!(done.unwrap(), 1);
        let new = start(&test.db, &clock).await.unwrap();
        let set: Value = serde_json::from_str(&new.jwks().json).unwrap();
        assert_eq!(set["keys"].as_array().unwrap().len(), 2);
        let before = old.issue(subject(), clock.now()).unwrap();
        assert!(new.verify(before.token.expose()).await.is_ok(), "a retiring key still verifies");
        let token = new.issue(subject(), clock.now()).unwrap();
        assert!(old.verify(token.token.expose()).await.is_ok(), "a new key was not found");

        let done = write_tx!(test.db, "test.retire", |tx| -> Result<u64, TokenError> {
            Ok(tx.sql("UPDATE signing_keys SET state = 'retiring'").run().await?)
        });
        done.unwrap();
        let newest = start(&test.db, &clock).await.unwrap();
        let token = newest.issue(subject(), clock.now()).unwrap();
        clock.advance(Duration::from_millis(29_999));
        assert!(matches!(old.verify(token.token.expose()).await, Err(TokenError::Invalid(_))), "looked too often");
        clock.advance(Duration::from_millis(1));
        assert!(old.verify(token.token.expose()).await.is_ok());
    }
}
