//! T29: an API key that was revoked on one node is refused by the others.
//!
//! Seen to fail: without the stamps in what `verify` holds, the key goes on where it was revoked too.

use std::time::Duration;

use axum::{Router, http::Method};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    api_keys::{KEYS, make, question},
    app::{TestApp, send},
    both,
};

async fn status(router: &Router, key: &str) -> u16 {
    send(router, Method::POST, "/v1/authorize", Some(key), Some(question())).await.status.as_u16()
}

both! {
    async fn t29_a_revocation_bites_on_its_node_at_once_and_elsewhere_within_seconds(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let (id, key) = make(&test, &root, json!({"name": "k"})).await;
        let (_, b, clock) = test.node_with_clock().await;
        assert_eq!((status(&test.routers.public, &key).await, status(&b.public, &key).await), (200, 200));
        test.delete(&format!("{KEYS}/{id}"), &root.token).await.expect(204);
        assert_eq!(status(&test.routers.public, &key).await, 401);
        // The bus of these nodes is cut: B finds out by itself.
        assert_eq!(status(&b.public, &key).await, 200);
        clock.advance(Duration::from_secs(if backend == crate::support::Backend::Shared { 5 } else { 10 }));
        assert_eq!(status(&b.public, &key).await, 401);
    }

    async fn t29_the_bus_carries_a_revocation(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        if backend == crate::support::Backend::Embedded {
            return; // its bus ends with the process
        }
        let root = test.administrator().await;
        let (id, key) = make(&test, &root, json!({"name": "k"})).await;
        let (b, routers, _) = test.node_with_clock().await;
        let stop = CancellationToken::new();
        let mut heard = b.bus.subscribe();
        let work = async {
            tokio::time::timeout(Duration::from_secs(5), heard.next()).await.unwrap(); // connected
            tokio::task::yield_now().await;
            assert_eq!(status(&routers.public, &key).await, 200);
            test.delete(&format!("{KEYS}/{id}"), &root.token).await.expect(204);
            let refused = async {
                while status(&routers.public, &key).await == 200 {
                    tokio::task::yield_now().await; // the clock stands still: only the bus can tell
                }
            };
            tokio::time::timeout(Duration::from_secs(5), refused).await.unwrap();
            stop.cancel();
        };
        tokio::join!(b.bus.run(stop.clone()), b.identity_news.clone().run(stop.clone()), work);
    }
}
