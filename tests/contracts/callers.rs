//! Remembered callers: what is verified once is not verified again, and what is revoked is refused all
//! the same.

use std::{sync::Arc, time::Duration};

use bailiwick::{
    authn::AuthnError,
    base::{Clock, Entropy, OsEntropy},
    bus::{Bus, RedisOptions},
    config::RegistrationConfig,
    sessions::SessionError,
    storage::Run as _,
    tokens::TokenError,
    users::UserStatus,
    write_tx,
};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::{
    both,
    identity::{Node, TENANT, World},
    sessions::{CLI, MAIL, refused, secs, session_error, world_now},
};

/// A node that has just pulled the news, so that what it remembers counts.
async fn informed(world: &World) -> Node {
    let node = world.node().await;
    node.sessions.pull().await.unwrap();
    node
}

/// A bus whose server is not there.
fn cut(world: &World) -> Bus {
    let nowhere = RedisOptions {
        url: SecretString::from("redis://127.0.0.1:1"),
        prefix: "x:".to_owned(),
        timeout: Duration::from_millis(20),
    };
    let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
    Bus::redis(&nowhere, Arc::clone(&world.clock) as Arc<dyn Clock>, entropy).unwrap()
}

both! {
    async fn a_token_is_verified_once(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = informed(&world).await;
        node.sign_up(MAIL).await;
        let (one, two) = (node.login(MAIL).await, node.login(MAIL).await);
        for _ in 0..5 {
            assert_eq!(node.caller(&one).await.unwrap().session_id, one.session.id);
            assert_eq!(node.caller(&two).await.unwrap().session_id, two.session.id);
        }
        assert_eq!(node.authn.verifications(), 2);
        // What is refused is not remembered.
        let token = one.access.token.expose();
        for wrong in [&token[..token.len() - 1], "", "garbage", &"x".repeat(20_000)] {
            for _ in 0..2 {
                let refused = node.authn.identify(Some(wrong)).await;
                assert!(matches!(refused, Err(AuthnError::Token(TokenError::Invalid(_)))), "{refused:?}");
            }
        }
        assert_eq!(node.authn.verifications(), 2);
    }

    async fn a_verification_counts_for_five_minutes_and_never_past_the_token(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = informed(&world).await;
        node.sign_up(MAIL).await;
        let signed_in = node.login(MAIL).await;
        let verified = async |after: u64| {
            world.clock.advance(secs(after));
            node.sessions.pull().await.unwrap();
            let answer = node.caller(&signed_in).await.map(drop);
            (answer, node.authn.verifications())
        };
        for (after, expected) in [(0, 1), (299, 1), (1, 2), (299, 2), (299, 3)] {
            let (answer, verifications) = verified(after).await;
            assert!(answer.is_ok() && verifications == expected, "{after}: {answer:?} {verifications}");
        }
        // 898 of 900 seconds are gone. In the leeway after its end, a token is verified each time.
        for (after, expected) in [(1, 3), (1, 4), (0, 5), (2, 6)] {
            let (answer, verifications) = verified(after).await;
            assert!(answer.is_ok() && verifications == expected, "{after}: {answer:?} {verifications}");
        }
        world.clock.advance(secs(60));
        node.sessions.pull().await.unwrap();
        let over = node.caller(&signed_in).await;
        assert!(matches!(over, Err(AuthnError::Token(TokenError::Expired))), "{over:?}");
    }

    /// T7: nothing counts for longer because a clock jumped.
    async fn a_clock_that_jumps_back_prolongs_nothing(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = informed(&world).await;
        node.sign_up(MAIL).await;
        let signed_in = node.login(MAIL).await;
        world.clock.advance(secs(30));
        node.caller(&signed_in).await.unwrap();
        world.clock.set(world_now(&world).minus(secs(1)));
        node.caller(&signed_in).await.unwrap();
        assert_eq!(node.authn.verifications(), 2);
    }

    /// T29, on the node that ends a session: every way to end it bites at once.
    async fn t29_what_this_node_ends_is_refused_at_once(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = informed(&world).await;
        let user = node.sign_up(MAIL).await;
        let (kept, other) = (node.login(MAIL).await, node.login(MAIL).await);
        for signed_in in [&kept, &other] {
            node.caller(signed_in).await.unwrap();
        }
        node.sessions.revoke(TENANT, user.id, kept.session.id, "signed_out", CLI).await.unwrap();
        refused!(node.caller(&kept).await, Revoked);
        assert!(node.caller(&other).await.is_ok());
        let newest = node.login(MAIL).await;
        node.caller(&newest).await.unwrap();
        node.sessions.revoke_others(TENANT, user.id, newest.session.id, CLI).await.unwrap();
        refused!(node.caller(&other).await, Revoked);
        node.caller(&newest).await.unwrap();
        node.authn.set_user_status(TENANT, user.id, UserStatus::Locked, CLI).await.unwrap();
        refused!(node.caller(&newest).await, Revoked);
        node.authn.set_user_status(TENANT, user.id, UserStatus::Active, CLI).await.unwrap();
        refused!(node.caller(&newest).await, Revoked);
        let signed_in = node.login(MAIL).await;
        node.caller(&signed_in).await.unwrap();
        node.refresh(signed_in.refresh.expose()).await.unwrap();
        world.clock.advance(secs(31));
        node.sessions.pull().await.unwrap();
        refused!(node.refresh(signed_in.refresh.expose()).await, RefreshReused);
        refused!(node.caller(&signed_in).await, Revoked);
    }

    /// T29, on another node: refused once it was told, and once it has polled.
    async fn t29_what_another_node_ends_is_refused_when_the_news_come(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let (a, b) = (informed(&world).await, informed(&world).await);
        let user = a.sign_up(MAIL).await;
        let (told, polled) = (a.login(MAIL).await, a.login(MAIL).await);
        for session in [&told, &polled] {
            b.caller(session).await.unwrap();
            a.sessions.revoke(TENANT, user.id, session.session.id, "signed_out", CLI).await.unwrap();
            assert!(b.caller(session).await.is_ok(), "B was told nothing yet");
        }
        assert_eq!(b.authn.verifications(), 2, "B answered from memory");
        b.sessions.hear(&format!("session:{}", told.session.id));
        refused!(b.caller(&told).await, Revoked);
        world.clock.advance(secs(5));
        b.sessions.pull().await.unwrap();
        refused!(b.caller(&polled).await, Revoked);
        // The same by the user's epoch.
        let (told, polled) = (a.login(MAIL).await, a.login(MAIL).await);
        for session in [&told, &polled] {
            b.caller(session).await.unwrap();
        }
        a.authn.set_user_status(TENANT, user.id, UserStatus::Disabled, CLI).await.unwrap();
        let epoch = a.users.get(TENANT, user.id).await.unwrap().unwrap().token_epoch;
        b.sessions.hear(&format!("user:{}:{epoch}", user.id));
        refused!(b.caller(&told).await, Revoked);
        b.sessions.pull().await.unwrap();
        refused!(b.caller(&polled).await, Revoked);
    }

    /// The whole way: a message on the bus reaches the loop of the other node.
    async fn t29_the_bus_reaches_what_is_remembered(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let bus = Bus::local();
        let a = world.node_with(RegistrationConfig::default(), bus.clone()).await;
        let b = world.node_with(RegistrationConfig::default(), bus).await;
        b.sessions.pull().await.unwrap();
        let user = a.sign_up(MAIL).await;
        let signed_in = a.login(MAIL).await;
        let stop = CancellationToken::new();
        let work = async {
            b.caller(&signed_in).await.unwrap();
            b.caller(&signed_in).await.unwrap();
            assert_eq!(b.authn.verifications(), 1);
            a.sessions.revoke(TENANT, user.id, signed_in.session.id, "signed_out", CLI).await.unwrap();
            let told = async {
                while b.caller(&signed_in).await.is_ok() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(secs(5), told).await.expect("B refuses within seconds");
            refused!(b.caller(&signed_in).await, Revoked);
            stop.cancel();
        };
        tokio::join!(Arc::clone(&b.sessions).run(stop.clone()), work);
    }

    /// Without news from the bus, a verification counts for seconds, and SQL is what is asked then.
    async fn t29_a_cut_bus_shortens_the_memory(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node_with(RegistrationConfig::default(), cut(&world)).await;
        node.sessions.pull().await.unwrap();
        node.sign_up(MAIL).await;
        let signed_in = node.login(MAIL).await;
        world.clock.advance(secs(3)); // the bus is degraded now
        node.caller(&signed_in).await.unwrap();
        // Ended by somebody who told nobody, and whose news were lost.
        let done = write_tx!(node.db, "test.end", |tx| -> Result<u64, SessionError> {
            Ok(tx.sql("UPDATE sessions SET revoked_at_ms = 1, revoke_reason = 'test'").run().await?)
        });
        done.unwrap();
        world.clock.advance(secs(5));
        node.caller(&signed_in).await.unwrap();
        assert_eq!(node.authn.verifications(), 1);
        world.clock.advance(Duration::from_millis(1));
        refused!(node.caller(&signed_in).await, Revoked);
    }

    /// T36: while SQL is away, who was verified goes on for as long as the news are fresh.
    async fn t36_an_outage_is_bridged_for_seconds(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = informed(&world).await;
        node.sign_up(MAIL).await;
        let signed_in = node.login(MAIL).await;
        node.caller(&signed_in).await.unwrap();
        node.db.close().await;
        world.clock.advance(secs(15));
        assert!(node.caller(&signed_in).await.is_ok());
        world.clock.advance(Duration::from_millis(1));
        assert!(matches!(node.caller(&signed_in).await, Err(AuthnError::Storage(_))));
    }
}
