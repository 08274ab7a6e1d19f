//! Sessions: what one node ends, every node refuses, whatever the bus and the hot copies say.

use std::{sync::Arc, time::Duration};

use bailiwick::{
    authn::AuthnError,
    base::Clock,
    bus::{Bus, Event, Topic},
    config::RegistrationConfig,
    kv::{Kv, RedisOptions},
    sessions::{KeySalt, SessionError, session_key},
};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::{
    both,
    identity::{SALT, TENANT, World},
    sessions::{CLI, MAIL, refused, secs, session_error, world_now},
};

both! {
    /// T29: what node A ends, node B refuses: after its next poll, and after a message at once.
    async fn t29_other_nodes_learn_of_it(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let (a, b) = (world.node().await, world.node().await);
        let user = a.sign_up(MAIL).await;
        b.sessions.pull().await.unwrap();
        let (polled, told) = (a.login(MAIL).await, a.login(MAIL).await);
        for session in [&polled, &told] {
            b.caller(session).await.unwrap(); // B holds a hot copy now
            a.sessions.revoke(TENANT, user.id, session.session.id, "signed_out", CLI).await.unwrap();
            refused!(a.caller(session).await, Revoked);
            assert!(b.caller(session).await.is_ok(), "B was told nothing yet: its hot copy speaks");
        }
        b.sessions.hear(&format!("session:{}", told.session.id));
        refused!(b.caller(&told).await, Revoked);
        world.clock.advance(secs(5));
        b.sessions.pull().await.unwrap();
        refused!(b.caller(&polled).await, Revoked);
        // T7: a clock that jumps back revives nothing.
        world.clock.set(world_now(&world).minus(secs(300)));
        assert!(b.caller(&polled).await.is_err());
    }

    async fn a_forged_message_costs_a_query_and_nothing_else(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        let user = node.sign_up(MAIL).await;
        let signed_in = node.login(MAIL).await;
        node.sessions.pull().await.unwrap();
        for forged in [
            format!("user:{}:{}", user.id, i64::MAX),
            format!("session:{}", signed_in.session.id),
            "user:".to_owned(),
            "session:x".to_owned(),
            "user:x:9999999999999999999999".to_owned(),
            String::new(),
        ] {
            node.sessions.hear(&forged);
            assert!(node.caller(&signed_in).await.is_ok(), "`{forged}` was believed");
        }
    }

    /// The copy is tagged: who can write to the device can neither make up a session nor revive one.
    async fn a_forged_hot_copy_grants_nothing(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        let user = node.sign_up(MAIL).await;
        let signed_in = node.login(MAIL).await;
        let key = session_key(user.id, signed_in.session.device_id, &KeySalt::new(SecretString::from(SALT)).unwrap());
        let copy = node.kv.get(&key).await.unwrap().expect("login writes the hot copy");
        assert!(!String::from_utf8_lossy(&copy).contains(&user.id.to_string()));
        let other = world.node().await;
        other.sessions.pull().await.unwrap();
        node.sessions.revoke(TENANT, user.id, signed_in.session.id, "signed_out", CLI).await.unwrap();
        assert_eq!(node.kv.get(&key).await.unwrap(), None, "the copy outlived its session");
        let forged = String::from_utf8(copy).unwrap().replacen("\"version\":1", "\"version\":9", 1);
        other.kv.put(&key, forged.as_bytes(), secs(900)).await.unwrap();
        refused!(other.caller(&signed_in).await, Revoked);
    }

    async fn an_outage_is_neither_live_nor_revoked(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        node.sign_up(MAIL).await;
        let signed_in = node.login(MAIL).await;
        node.db.close().await;
        assert!(matches!(node.caller(&signed_in).await, Err(AuthnError::Storage(_))));
        assert!(matches!(node.refresh(signed_in.refresh.expose()).await, Err(AuthnError::Storage(_))));
        assert!(matches!(node.sessions.pull().await, Err(SessionError::Storage(_))));
    }

    async fn news_are_kept_as_long_as_they_matter(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        let user = node.sign_up(MAIL).await;
        let signed_in = node.login(MAIL).await;
        node.sessions.revoke(TENANT, user.id, signed_in.session.id, "signed_out", CLI).await.unwrap();
        world.clock.advance(secs(905));
        assert_eq!(node.sessions.prune().await.unwrap(), 0);
        world.clock.advance(secs(601));
        assert_eq!(node.sessions.prune().await.unwrap(), 1);
    }

    /// The loop itself: it pulls at its start, hears the bus, and stops when told.
    async fn the_loop_follows(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let bus = Bus::local();
        let a = world.node_with(RegistrationConfig::default(), bus.clone()).await;
        let b = world.node_with(RegistrationConfig::default(), bus).await;
        let user = a.sign_up(MAIL).await;
        let (early, late) = (a.login(MAIL).await, a.login(MAIL).await);
        a.sessions.revoke(TENANT, user.id, early.session.id, "signed_out", CLI).await.unwrap();
        let stop = CancellationToken::new();
        let mut events = b.bus.subscribe();
        let work = async {
            b.caller(&late).await.unwrap();
            a.sessions.revoke(TENANT, user.id, late.session.id, "signed_out", CLI).await.unwrap();
            let event = events.next().await;
            assert!(matches!(event, Event::Message { topic: Topic::Revocation, .. }), "{event:?}");
            while b.caller(&late).await.is_ok() {
                tokio::task::yield_now().await;
            }
            refused!(b.caller(&early).await, Revoked);
            stop.cancel();
        };
        tokio::join!(Arc::clone(&b.sessions).run(stop.clone()), work);
    }
}

/// Without `Kv` sessions are read from SQL, and what is revoked is refused.
#[tokio::test]
async fn a_lost_kv_costs_only_time() {
    let world = World::new(crate::support::Backend::Embedded).await.unwrap();
    let nowhere = RedisOptions {
        url: SecretString::from("redis://127.0.0.1:1"),
        prefix: "auth:".to_owned(),
        timeout: Duration::from_millis(50),
    };
    let kv = Kv::redis(&nowhere, Arc::clone(&world.clock) as Arc<dyn Clock>).await.unwrap();
    let node = world.node_on(RegistrationConfig::default(), Bus::local(), kv).await;
    let user = node.sign_up(MAIL).await;
    let signed_in = node.login(MAIL).await;
    node.sessions.pull().await.unwrap();
    assert!(node.caller(&signed_in).await.is_ok());
    let signed_in = node.refresh(signed_in.refresh.expose()).await.unwrap();
    assert!(node.caller(&signed_in).await.is_ok());
    node.sessions.revoke(TENANT, user.id, signed_in.session.id, "signed_out", CLI).await.unwrap();
    refused!(node.caller(&signed_in).await, Revoked);
    refused!(node.refresh(signed_in.refresh.expose()).await, Revoked);
}

/// Two nodes on one Redis: the hot copy is shared, and so is its end.
#[tokio::test]
async fn nodes_share_hot_copies() {
    let Some(url) = crate::support::redis_url() else { return };
    let world = World::new(crate::support::Backend::Embedded).await.unwrap();
    let shared = RedisOptions {
        url: SecretString::from(url),
        prefix: format!("auth-{}:", crate::support::unique()),
        timeout: Duration::from_secs(1),
    };
    let kv = Kv::redis(&shared, Arc::clone(&world.clock) as Arc<dyn Clock>).await.unwrap();
    let a = world.node_on(RegistrationConfig::default(), Bus::local(), kv.clone()).await;
    let b = world.node_on(RegistrationConfig::default(), Bus::local(), kv).await;
    let user = a.sign_up(MAIL).await;
    let signed_in = a.login(MAIL).await;
    b.sessions.pull().await.unwrap();
    let claims = &b.caller(&signed_in).await.unwrap().claims;
    a.sessions.revoke(TENANT, user.id, signed_in.session.id, "signed_out", CLI).await.unwrap();
    // Asked of the sessions themselves: what B remembers of the caller waits for the news.
    assert!(matches!(b.sessions.check_live(claims).await, Err(SessionError::Revoked)));
}
