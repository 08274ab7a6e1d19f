//! Users and roles as entities: held in memory, and outdated when they change.

use std::time::Duration;

use axum::http::Method;
use bailiwick::base::TenantId;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{Actor, Reply, TestApp, send},
    both,
    support::Backend,
};

fn edit() -> Value {
    json!({"action": "edit", "resource": {"type": "Document", "id": "plan"}})
}

async fn ask(router: &axum::Router, by: &Actor) -> Reply {
    send(router, Method::POST, "/v1/authorize", Some(&by.token), Some(edit())).await
}

async fn may(router: &axum::Router, by: &Actor) -> bool {
    ask(router, by).await.expect(200)["decision"] == "allow"
}

/// An application with the role `editor`, whose holders may edit, and a user without it.
async fn with_editors(backend: Backend) -> Option<(TestApp, Actor, Actor)> {
    let test = TestApp::spawn(backend).await?;
    let root = test.administrator().await;
    test.post("/v1/admin/roles", &root.token, json!({"name": "editor"})).await.expect(201);
    let ann = test.user("ann").await;
    Some((test, root, ann))
}

both! {
    async fn a_role_counts_from_the_next_decision_on(backend: Backend) {
        let Some((test, root, ann)) = with_editors(backend).await else { return };
        let a = &test.routers.public;
        for _ in 0..3 {
            assert!(!may(a, &ann).await);
            let binding = test.grant(&root, &ann, "editor").await;
            assert!(may(a, &ann).await && may(a, &ann).await);
            test.delete(&format!("/v1/admin/role-bindings/{binding}"), &root.token).await.expect(204);
            assert!(!may(a, &ann).await);
        }
    }

    async fn another_node_learns_by_the_news_or_by_time(backend: Backend) {
        let Some((test, root, ann)) = with_editors(backend).await else { return };
        let (b, routers, clock) = test.node_with_clock().await;
        let b_may = || may(&routers.public, &ann);
        assert!(!b_may().await);
        let binding = test.grant(&root, &ann, "editor").await;
        assert!(!b_may().await, "B answers from memory");
        b.identity_news.hear(&format!("{} {}", TenantId::DEFAULT, root.id));
        assert!(!b_may().await, "news of somebody else");
        b.identity_news.hear(&format!("{} {}", TenantId::DEFAULT, ann.id));
        assert!(b_may().await);
        test.delete(&format!("/v1/admin/role-bindings/{binding}"), &root.token).await.expect(204);
        if backend == Backend::Embedded {
            clock.advance(Duration::from_millis(4_999));
            assert!(b_may().await, "five seconds are not over");
            clock.advance(Duration::from_millis(1));
        } else {
            clock.advance(Duration::from_millis(2_001)); // this bus was never connected
        }
        assert!(!b_may().await);
        // A gap outdates everything.
        test.grant(&root, &ann, "editor").await;
        assert!(!b_may().await);
        b.identity_news.missed();
        assert!(b_may().await);
    }

    async fn the_bus_carries_the_news(backend: Backend) {
        let Some((test, root, ann)) = with_editors(backend).await else { return };
        if backend == Backend::Embedded {
            return; // its bus ends with the process
        }
        let (b, routers, clock) = test.node_with_clock().await;
        clock.advance(Duration::from_secs(3)); // degraded until it is connected
        let stop = CancellationToken::new();
        let work = async {
            let connected = async {
                while b.bus.is_degraded() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(5), connected).await.unwrap();
            assert!(!may(&routers.public, &ann).await);
            test.grant(&root, &ann, "editor").await;
            let told = async {
                while !may(&routers.public, &ann).await {
                    tokio::task::yield_now().await; // the answer comes from memory: nothing in it waits
                }
            };
            tokio::time::timeout(Duration::from_secs(5), told).await.unwrap();
            stop.cancel();
        };
        tokio::join!(b.bus.run(stop.clone()), b.identity_news.clone().run(stop.clone()), work);
    }

    /// T36: without the database, what is in memory answers for its seconds, and then nothing does.
    async fn t36_an_outage_is_bridged_and_then_told(backend: Backend) {
        let Some((test, root, ann)) = with_editors(backend).await else { return };
        test.grant(&root, &ann, "editor").await;
        let (b, routers, clock) = test.node_with_clock().await;
        assert!(may(&routers.public, &ann).await);
        b.db.close().await;
        assert!(may(&routers.public, &ann).await);
        clock.advance(Duration::from_secs(5));
        ask(&routers.public, &ann).await.expect_problem(503, "store_unavailable");
    }

    /// An id that is spelled with escapes is the same id: a forbid that hangs on its attributes applies.
    async fn an_escaped_id_keeps_its_roles(backend: Backend) {
        let Some((test, root, ann)) = with_editors(backend).await else { return };
        test.grant(&root, &ann, "editor").await;
        let id = ann.id.replacen("usr", "\\u0075\\u0073r", 1);
        let body = format!(
            r#"{{"principal":{{"type":"User","id":"{id}"}},"action":"edit","resource":{{"type":"Document","id":"plan"}}}}"#
        );
        let request = axum::http::Request::post("/v1/authorize")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", ann.token))
            .body(axum::body::Body::from(body));
        let answer = crate::app::raw(&test.routers.public, request.unwrap()).await.expect(200);
        assert_eq!(answer["decision"], "allow", "{answer}");
    }
}
