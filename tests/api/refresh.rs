//! Tag `auth`: refreshing. (Races, lost answers, reuse: `security/t11_refresh_race` to `t13_reuse`.)

use std::time::Duration;

use bailiwick::users::UserStatus;
use serde_json::json;

use crate::{
    app::{Actor, TestApp},
    both,
    forge::parts,
};

both! {
    async fn each_refresh_gives_the_next_pair(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let mut last = test.user("ann").await;
        for version in 2..6 {
            test.advance(Duration::from_mins(10));
            let reply = test.refresh(&last.refresh).await;
            assert_eq!(reply.header("cache-control"), "no-store");
            let tokens = reply.expect(200);
            assert_eq!(tokens["token_version"], version);
            let next = Actor::from(tokens);
            assert_eq!((&next.session, &next.id), (&last.session, &last.id));
            assert_ne!(next.refresh, last.refresh);
            let (_, claims) = parts(&next.token);
            assert_eq!((&claims["ver"], &claims["auth_time"]), (&json!(version), &parts(&last.token).1["auth_time"]));
            test.whoami(&next.token).await.expect(200);
            last = next;
        }
    }

    async fn sessions_end_by_idleness_and_by_age(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let idle = test.user("idle").await;
        let mut used = test.user("used").await;
        test.advance(Duration::from_secs(604_799));
        used = Actor::from(test.refresh(&used.refresh).await.expect(200));
        test.advance(Duration::from_secs(1));
        let reply = test.refresh(&idle.refresh).await;
        assert_eq!(reply.header("x-auth-action"), "relogin");
        reply.expect_problem(401, "refresh_expired");
        for _ in 0..3 {
            test.advance(Duration::from_secs(604_000));
            used = Actor::from(test.refresh(&used.refresh).await.expect(200));
        }
        test.advance(Duration::from_mins(10_000)); // 30 days since the sign-in are over
        test.refresh(&used.refresh).await.expect_problem(401, "refresh_expired");
    }

    async fn who_may_not_sign_in_may_not_refresh(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        for (name, status) in [("a", UserStatus::Locked), ("b", UserStatus::Disabled)] {
            let user = test.user(&format!("user-{name}")).await;
            test.set_status(&user, status).await;
            assert_eq!(test.refresh(&user.refresh).await.status, 401);
            // The token's own life goes on for some minutes; the system store refuses the person.
            let reply = test.whoami(&user.token).await;
            assert!(matches!(reply.status.as_u16(), 401 | 403), "{}", reply.text);
        }
    }

    async fn a_role_taken_away_is_gone_after_the_refresh(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let ann = test.user("ann").await;
        let binding = test.grant(&root, &ann, "manager").await;
        let with = Actor::from(test.refresh(&ann.refresh).await.expect(200));
        assert_eq!(parts(&with.token).1["roles"], json!(["manager", "user"]));
        test.delete(&format!("/v1/admin/role-bindings/{binding}"), &root.token).await.expect(204);
        let without = Actor::from(test.refresh(&with.refresh).await.expect(200));
        assert_eq!(parts(&without.token).1["roles"], json!(["user"]));
    }

    async fn a_refresh_on_another_node_is_the_same(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let (_other, routers) = test.second_node().await;
        let body = json!({"refresh_token": ann.refresh});
        let path = "/v1/auth/refresh";
        let there = crate::app::send(&routers.public, axum::http::Method::POST, path, None, Some(body)).await;
        let there = there.expect(200);
        let here = test.refresh(&ann.refresh).await.expect(200);
        assert_eq!(here["refresh_token"], there["refresh_token"]);
        test.whoami(there["access_token"].as_str().unwrap()).await.expect(200);
    }
}
