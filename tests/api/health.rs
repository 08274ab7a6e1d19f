//! Tag `health`: the admin listener, and what happens when the database is gone.

use axum::http::Method;
use serde_json::{Value, json};

use crate::{
    app::{PASSWORD, Reply, TestApp, send},
    both,
};

async fn admin(test: &TestApp, path: &str) -> Reply {
    send(&test.routers.admin, Method::GET, path, None, None).await
}

both! {
    async fn a_fresh_server_is_well(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        assert_eq!(admin(&test, "/healthz").await.expect(200), json!({"status": "ok"}));
        let ready = admin(&test, "/readyz").await.expect(200);
        for (part, word) in [("status", "ready"), ("database", "ok"), ("signing_key", "ok"), ("system_policies", "ok")] {
            assert_eq!(ready[part], word, "{part}");
        }
    }

    async fn health_is_not_for_the_public(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        for path in ["/healthz", "/readyz"] {
            for router in [&test.routers.public, &test.routers.internal] {
                let reply = crate::app::unchecked(router, path).await;
                assert_eq!(reply.status, 404, "{path}: {}", reply.text);
                reply.assert_problem();
            }
        }
        for path in ["/v1/users/me", "/docs", "/openapi.json", "/.well-known/jwks.json"] {
            assert_eq!(crate::app::unchecked(&test.routers.admin, path).await.status, 404, "{path}");
        }
    }

    async fn a_server_that_stops_is_not_ready(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        test.app.begin_drain();
        assert_eq!(admin(&test, "/readyz").await.expect(503)["status"], "unready");
        admin(&test, "/healthz").await.expect(200);
        test.user("late").await;
    }

    /// Threat T36: an outage is a 503 with a time to come back, never a 401 and never an allow.
    async fn without_a_database_nobody_is_told_to_sign_in_again(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        test.advance(std::time::Duration::from_mins(1)); // nothing that was read at the sign-in counts any more
        test.app.db.close().await;
        let ready = admin(&test, "/readyz").await.expect(503);
        assert_eq!((&ready["status"], &ready["database"]), (&json!("unready"), &json!("down")));
        admin(&test, "/healthz").await.expect(200);
        let question = json!({"action": "view", "resource": {"type": "Document", "id": "handbook"}});
        for reply in [
            test.try_login("root@example.com", PASSWORD).await,
            test.refresh(&root.refresh).await,
            test.whoami(&root.token).await,
            test.ask(&root.token, question).await,
            test.get("/v1/admin/roles", &root.token).await,
            test.post_open("/v1/auth/register", json!({"email": "a@example.com", "password": PASSWORD})).await,
            test.post("/v1/auth/logout", &root.token, json!({})).await,
        ] {
            assert_eq!(reply.header("retry-after"), "1", "{}", reply.text);
            let problem = reply.expect_problem(503, "store_unavailable");
            assert_eq!(problem.get("detail"), None::<&Value>, "the cause is for the log");
        }
        test.get_open("/.well-known/jwks.json").await.expect(200);
    }
}
