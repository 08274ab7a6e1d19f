//! What is forgotten of sessions and devices, and what is not.

use bailiwick::{authn::AuthnError, sessions::SessionError, storage::Run as _};

use crate::{
    both,
    identity::{Node, TENANT, World},
    sessions::{CLI, MAIL, secs},
};

const DAY: u64 = 86_400;

async fn rows(node: &Node) -> (i64, i64) {
    let count = async |query| node.db.sql(query).scalar().await.unwrap();
    (count("SELECT COUNT(*) FROM sessions").await, count("SELECT COUNT(*) FROM devices").await)
}

both! {
    async fn old_sessions_and_unused_devices_are_forgotten(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        let user = node.sign_up(MAIL).await;
        let (revoked, unused) = (node.login(MAIL).await, node.login(MAIL).await);
        node.sessions.revoke(TENANT, user.id, revoked.session.id, "signed_out", CLI).await.unwrap();
        assert_eq!(node.sessions.forget_old().await.unwrap(), (0, 0), "it ended today");
        world.clock.advance(secs(7 * DAY));
        let later = node.login(MAIL).await;
        world.clock.advance(secs(30 * DAY));
        assert_eq!(node.sessions.forget_old().await.unwrap(), (0, 0), "37 days, to the millisecond");
        world.clock.advance(secs(1));
        assert_eq!(node.sessions.forget_old().await.unwrap(), (2, 0));
        assert_eq!(rows(&node).await, (1, 3));
        // What is left of a session that was forgotten opens nothing, and is no error of ours.
        for forgotten in [&revoked, &unused] {
            let refused = node.refresh(forgotten.refresh.expose()).await;
            assert!(matches!(refused, Err(AuthnError::Session(SessionError::RefreshInvalid))), "{refused:?}");
        }
        world.clock.advance(secs(328 * DAY));
        let newest = node.login(MAIL).await;
        assert_eq!(node.sessions.forget_old().await.unwrap(), (1, 2), "a year without a sign-in on the first two");
        assert_eq!(rows(&node).await, (1, 2));
        let left: Vec<_> = node.sessions.devices(TENANT, user.id).await.unwrap().into_iter().map(|it| it.id).collect();
        assert!(left.contains(&later.session.device_id) && left.contains(&newest.session.device_id), "{left:?}");
        assert!(node.caller(&newest).await.is_ok());
    }

    async fn more_than_one_statement_takes_is_forgotten_too(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        node.sign_up(MAIL).await;
        let signed_in = node.login(MAIL).await;
        let mut tx = node.db.begin_write().await.unwrap();
        let copies = tx.sql(
            "INSERT INTO sessions (id, tenant_id, user_id, device_id, kind, version, epoch, rt_hash, rotated_at_ms, amr,
                 auth_time_ms, created_at_ms, last_seen_at_ms, idle_expires_at_ms, abs_expires_at_ms)
             WITH RECURSIVE up (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 2500)
             SELECT id || '-' || CAST(n AS TEXT), tenant_id, user_id, device_id, kind, version, epoch, rt_hash, rotated_at_ms,
                 amr, auth_time_ms, created_at_ms, last_seen_at_ms, 1, 1
             FROM sessions, up WHERE id = $1",
        );
        assert_eq!(copies.bind(signed_in.session.id).run().await.unwrap(), 2_500);
        tx.commit().await.unwrap();
        let other = world.node().await;
        let (one, two) = tokio::join!(node.sessions.forget_old(), other.sessions.forget_old());
        assert_eq!(one.unwrap().0 + two.unwrap().0, 2_500, "of two nodes each takes others");
        assert_eq!(rows(&node).await.0, 1);
    }
}
