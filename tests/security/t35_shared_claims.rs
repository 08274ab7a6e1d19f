//! T35: what nodes share in Redis about tokens that they verified grants nothing by itself.
//!
//! Seen to fail: without the tag, without the question to the news, and without the one to the keys.

use std::time::Duration;

use axum::{Router, http::Method};
use bailiwick::base::Digest32;
use serde_json::json;

use crate::{
    app::{Reply, TestApp, send},
    both,
};

const MINUTE: Duration = Duration::from_mins(1);

async fn whoami(at: &Router, token: &str) -> Reply {
    send(at, Method::GET, "/v1/users/me", Some(token), None).await
}

both! {
    async fn t35_what_another_node_verified_counts_only_while_nothing_speaks_against_it(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let (ann, bob) = (test.user("ann").await, test.user("bob").await);
        test.whoami(&ann.token).await.expect(200);
        let (b, routers) = test.second_node().await;
        assert_eq!(whoami(&routers.public, &ann.token).await.expect(200)["id"], json!(ann.id));
        let kv = &test.app.kv;
        assert_eq!(b.authn.verifications(), u64::from(!kv.is_shared()), "once for all nodes, if they share");
        if !kv.is_shared() {
            return;
        }
        let key = |token: &str| format!("claims:{}", Digest32::of(token));
        let kept = kv.get(&key(&ann.token)).await.unwrap().unwrap();
        assert!(!String::from_utf8_lossy(&kept).contains(&ann.token));

        // Moved to another token.
        kv.put(&key(&bob.token), &kept, MINUTE).await.unwrap();
        let (c, routers) = test.second_node().await;
        assert_eq!(whoami(&routers.public, &bob.token).await.expect(200)["id"], json!(bob.id));
        // Altered.
        let mut altered = kept.clone();
        *altered.last_mut().unwrap() ^= 1;
        kv.put(&key(&ann.token), &altered, MINUTE).await.unwrap();
        whoami(&routers.public, &ann.token).await.expect(200);
        assert_eq!(c.authn.verifications(), 2);

        // Ended; and somebody puts it back.
        let (told, told_routers) = test.second_node().await;
        test.delete(&format!("/v1/sessions/{}", ann.session), &ann.token).await.expect(204);
        kv.put(&key(&ann.token), &kept, MINUTE).await.unwrap();
        told.sessions.hear(&format!("session:{}", ann.session));
        whoami(&told_routers.public, &ann.token).await.expect_problem(401, "token_revoked");
        kv.put(&key(&ann.token), &kept, MINUTE).await.unwrap();
        let (_, routers) = test.second_node().await;
        whoami(&routers.public, &ann.token).await.expect_problem(401, "token_revoked");

        // Signed by a key that was dropped.
        let keys = test.get("/v1/admin/keys", &root.token).await.expect(200);
        let kid = keys["data"][0]["kid"].as_str().unwrap();
        test.post(&format!("/v1/admin/keys/{kid}/revoke"), &root.token, json!({})).await.expect(204);
        let (_, routers) = test.second_node().await;
        whoami(&routers.public, &bob.token).await.expect_problem(401, "token_invalid");
    }
}
