//! R34: a session that is used does not end by idleness, and no use is written twice a minute.

use std::{sync::Arc, time::Duration};

use bailiwick::{
    authn::AuthnError,
    bus::Bus,
    config::RegistrationConfig,
    sessions::{ClientInfo, Session, SessionError},
    write_tx,
};

use crate::{
    both,
    identity::{Node, TENANT, World},
};

const MAIL: &str = "ann@example.com";
const CLI: bailiwick::audit::Actor<'static> = bailiwick::audit::Actor { name: "cli", request_id: None };

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

impl Node {
    async fn only_session(&self, user: bailiwick::base::UserId) -> Session {
        let mut list = self.sessions.list(TENANT, user).await.unwrap();
        assert_eq!(list.len(), 1);
        list.remove(0)
    }

    async fn idle_end(&self, session: bailiwick::base::SessionId) -> i64 {
        let query = self.db.sql("SELECT idle_expires_at_ms FROM sessions WHERE id = $1").bind(session);
        query.scalar().await.unwrap()
    }
}

both! {
    async fn a_use_moves_the_idle_end_and_is_written_once_a_minute(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        let user = node.sign_up(MAIL).await;
        let signed_in = node.login(MAIL).await;
        let token = signed_in.access.token.expose();
        world.clock.advance(secs(61));
        let ip = "203.0.113.5".parse().ok();
        node.authn.identify_from(Some(token), ip).await.unwrap();
        assert_eq!(node.only_session(user.id).await.last_seen_at_ms, signed_in.session.rotated_at, "nothing is written by the request");
        for _ in 0..50 {
            node.authn.identify_from(Some(token), ip).await.unwrap();
        }
        assert_eq!(node.sessions.write_usage().await.unwrap(), 1, "one write for all of them");
        let seen = node.only_session(user.id).await;
        assert_eq!(seen.last_seen_at_ms.since(signed_in.session.rotated_at), secs(61));
        assert_eq!(seen.idle_expires_at_ms.since(signed_in.session.idle_expires_at), secs(61));
        assert_eq!(seen.ip_last.as_deref(), Some("203.0.113.5"));
        assert_eq!(node.sessions.last_use(TENANT, user.id).await.unwrap(), Some(seen.last_seen_at_ms));
        let device = node.sessions.devices(TENANT, user.id).await.unwrap().remove(0);
        assert_eq!(device.last_seen_at_ms, seen.last_seen_at_ms);
        world.clock.advance(secs(59));
        node.authn.identify_from(Some(token), ip).await.unwrap();
        assert_eq!(node.sessions.write_usage().await.unwrap(), 0, "noted within the minute");
        world.clock.advance(secs(1));
        node.caller(&signed_in).await.unwrap();
        assert_eq!(node.sessions.write_usage().await.unwrap(), 1);
        assert_eq!(node.only_session(user.id).await.ip_last.as_deref(), Some("203.0.113.5"), "from nobody knows where");
    }

    async fn a_session_that_only_uses_access_tokens_is_not_idle(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let kv = bailiwick::kv::Kv::memory(Arc::clone(&world.clock) as Arc<dyn bailiwick::base::Clock>, 1 << 20);
        let short = |sessions: &mut bailiwick::config::SessionsConfig| sessions.idle_ttl_secs = 120;
        let node = world.node_where(RegistrationConfig::default(), Bus::local(), kv.clone(), short).await;
        // Another node on the same copies, which hears of nothing but what SQL and they say.
        let other = world.node_where(RegistrationConfig::default(), Bus::local(), kv, short).await;
        let user = node.sign_up(MAIL).await;
        let signed_in = node.login(MAIL).await;
        for _ in 0..10 {
            world.clock.advance(secs(60));
            node.caller(&signed_in).await.unwrap();
            node.sessions.write_usage().await.unwrap();
            other.caller(&signed_in).await.unwrap();
        }
        assert!(node.only_session(user.id).await.idle_expires_at_ms > signed_in.session.idle_expires_at);
        node.refresh(signed_in.refresh.expose()).await.unwrap();
        world.clock.advance(secs(121));
        for node in [&node, &other] {
            let over = node.caller(&signed_in).await;
            assert!(matches!(over, Err(AuthnError::Session(SessionError::Expired))), "{over:?}");
        }
    }

    async fn a_late_write_brings_nothing_back(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        let user = node.sign_up(MAIL).await;
        // Revoked between the use and its write: the use is known, the session stays over.
        let revoked = node.login(MAIL).await;
        let before = node.idle_end(revoked.session.id).await;
        world.clock.advance(secs(100));
        node.caller(&revoked).await.unwrap();
        node.sessions.revoke(TENANT, user.id, revoked.session.id, "signed_out", CLI).await.unwrap();
        node.sessions.write_usage().await.unwrap();
        assert_eq!(node.idle_end(revoked.session.id).await, before);
        assert!(node.sessions.list(TENANT, user.id).await.unwrap().is_empty());
        assert!(node.refresh(revoked.refresh.expose()).await.is_err());
        let last = node.sessions.last_use(TENANT, user.id).await.unwrap().unwrap();
        assert_eq!(last.since(revoked.session.rotated_at), secs(100), "R47: signing out is being active");
        // Over by idleness when the use is written.
        let idle = node.login(MAIL).await;
        node.caller(&idle).await.unwrap();
        let before = node.idle_end(idle.session.id).await;
        world.clock.advance(secs(604_800));
        node.sessions.write_usage().await.unwrap();
        assert_eq!(node.idle_end(idle.session.id).await, before);
        assert!(node.sessions.list(TENANT, user.id).await.unwrap().is_empty());
        // Of an epoch that is over.
        let old = node.login(MAIL).await;
        world.clock.advance(secs(60));
        node.caller(&old).await.unwrap();
        let done = write_tx!(node.db, "test.bump", |tx| -> Result<i64, AuthnError> {
            Ok(node.users.bump_epoch_in(tx, TENANT, user.id).await?)
        });
        done.unwrap();
        node.sessions.write_usage().await.unwrap();
        assert!(node.sessions.list(TENANT, user.id).await.unwrap().is_empty());
        // An earlier use of another node does not turn the time back.
        let second = world.node().await;
        let two = node.login(MAIL).await;
        world.clock.advance(secs(60));
        second.caller(&two).await.unwrap();
        world.clock.advance(secs(60));
        node.caller(&two).await.unwrap();
        node.sessions.write_usage().await.unwrap();
        let seen = node.only_session(user.id).await;
        second.sessions.write_usage().await.unwrap();
        assert_eq!(node.only_session(user.id).await, seen);
    }

    async fn the_oldest_session_makes_room(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let kv = bailiwick::kv::Kv::memory(Arc::clone(&world.clock) as Arc<dyn bailiwick::base::Clock>, 1 << 20);
        let three = |sessions: &mut bailiwick::config::SessionsConfig| sessions.max_per_user = 3;
        let node = world.node_where(RegistrationConfig::default(), Bus::local(), kv, three).await;
        let (user, _) = (node.sign_up(MAIL).await, node.sign_up("bob@example.com").await);
        let bob = node.login("bob@example.com").await;
        let mut all = Vec::new();
        for _ in 0..5 {
            world.clock.advance(secs(1));
            all.push(node.login(MAIL).await);
        }
        for (place, session) in all.iter().enumerate() {
            let is_live = place >= 2;
            assert_eq!(node.caller(session).await.is_ok(), is_live, "session {place}");
            if !is_live {
                let refused = node.sessions.rotate(session.refresh.expose(), &ClientInfo::default(), None).await;
                assert!(matches!(refused, Err(SessionError::Revoked)), "{refused:?}");
            }
        }
        assert_eq!(node.sessions.list(TENANT, user.id).await.unwrap().len(), 3);
        assert_eq!(node.recorded("session_revoked").await, 2);
        node.caller(&bob).await.unwrap();
    }
}
