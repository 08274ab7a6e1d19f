//! T40: a request that is sent again under its `Idempotency-Key`: with another body, by another caller, at once, after
//! a crash; and what is kept of its answer.
//!
//! Seen to fail: carried out on the connection, without the comparison of bodies, without the caller in the key, and
//! without the look into the audit log.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use bailiwick::{
    base::{Entropy, EntropyError, OsEntropy},
    storage::Run,
};
use futures_util::FutureExt;
use serde_json::{Value, json};

use crate::{
    api_keys::KEYS,
    app::{Actor, PASSWORD, Reply, TestApp, raw},
    both,
};

/// Sends a request under a key.
async fn send(test: &TestApp, token: Option<&str>, path: &str, key: &str, body: Value) -> Reply {
    let mut request = Request::builder().method(Method::POST).uri(path);
    request = request.header(header::CONTENT_TYPE, "application/json").header("idempotency-key", key);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    raw(&test.routers.public, request.body(Body::from(body.to_string())).unwrap()).await
}

/// Makes an API key under a key.
async fn make(test: &TestApp, by: &Actor, key: &str, name: &str) -> Reply {
    send(test, Some(&by.token), KEYS, key, json!({"name": name})).await
}

/// How many API keys a user has.
async fn count(test: &TestApp, of: &Actor) -> usize {
    test.get(KEYS, &of.token).await.expect(200)["data"].as_array().unwrap().len()
}

/// Changes what is kept of keys as a crash would have left it.
async fn lose_answers(test: &TestApp) {
    let mut tx = test.app.db.begin_write().await.unwrap();
    assert!(tx.sql("UPDATE idempotency_keys SET answer = NULL").run().await.unwrap() > 0);
    tx.commit().await.unwrap();
}

async fn kept(test: &TestApp) -> i64 {
    test.app.db.sql("SELECT CAST(COUNT(*) AS BIGINT) FROM idempotency_keys").scalar().await.unwrap()
}

/// Randomness that runs dry when it is told to, but for ids.
#[derive(Debug, Default)]
struct Well(AtomicBool);

impl Entropy for Well {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        let is_id = bytes.len() == 10;
        if self.0.load(Ordering::SeqCst) && !is_id { Err(EntropyError) } else { OsEntropy.fill(bytes) }
    }
}

both! {
    async fn t40_a_request_is_carried_out_once_and_answered_again(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let first = make(&test, &ann, "k-1", "one").await;
        assert_eq!(first.header("idempotency-replayed"), "");
        let first = first.expect(201);
        for _ in 0..2 {
            let again = make(&test, &ann, "k-1", "one").await;
            assert_eq!(again.header("idempotency-replayed"), "true");
            assert_eq!(again.expect(201), first, "the secret too");
        }
        assert_eq!(count(&test, &ann).await, 1);
        make(&test, &ann, "k-2", "one").await.expect(201);
        assert_eq!(count(&test, &ann).await, 2, "another key is another request");
        // The same caller with another token.
        let later = test.login("ann@example.com", PASSWORD).await;
        assert_eq!(make(&test, &later, "k-1", "one").await.expect(201), first);
        // Without the header nothing is remembered.
        for _ in 0..2 {
            test.post(KEYS, &ann.token, json!({"name": "one"})).await.expect(201);
        }
        assert_eq!(count(&test, &ann).await, 4);
        // After a day the key is free.
        test.advance(Duration::from_hours(24));
        let ann = test.login("ann@example.com", PASSWORD).await;
        assert_ne!(make(&test, &ann, "k-1", "one").await.expect(201)["id"], first["id"]);
        assert_eq!((test.app.idempotency.prune().await.unwrap(), kept(&test).await), (1, 1));
    }

    async fn t40_another_body_is_refused_and_another_caller_is_another_request(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let (ann, bob) = (test.user("ann").await, test.user("bob").await);
        let of_ann = make(&test, &ann, "k", "one").await.expect(201);
        make(&test, &ann, "k", "two").await.expect_problem(422, "idempotency_mismatch");
        assert_eq!(count(&test, &ann).await, 1);
        let of_bob = make(&test, &bob, "k", "one").await.expect(201);
        assert_ne!(of_ann["api_key"], of_bob["api_key"]);
        make(&test, &bob, "k", "two").await.expect_problem(422, "idempotency_mismatch");
        for wrong in [" ", "a b", &"k".repeat(129)] {
            make(&test, &ann, wrong, "one").await.expect_problem(422, "validation_failed");
        }
        assert_eq!(count(&test, &ann).await, 1);
    }

    async fn t40_every_place_has_keys_of_its_own(backend: Backend) {
        let spawned = TestApp::spawn_with(backend, |config| config.tenants.self_registration = true);
        let Some(test) = spawned.await else { return };
        let root = test.administrator().await;
        let other = test.user("other").await;
        let user = json!({"user_id": other.id, "role": "manager"});
        for (path, body, status) in [
            ("/v1/admin/roles", json!({"name": "auditor"}), 201),
            ("/v1/admin/role-bindings", user, 201),
            ("/v1/admin/tenants", json!({"company_name": "Acme", "plan": "free"}), 201),
            ("/v1/admin/oauth-clients", json!({"name": "Gateway"}), 201),
            ("/v1/client/api-keys/rotate", json!({}), 200),
            ("/v1/client/api-keys/promote", json!({}), 200),
            ("/v1/admin/keys/rotate", json!(null), 200),
            (&format!("/v1/admin/users/{}/reset-link", other.id), json!({}), 200),
            (KEYS, json!({"name": "one"}), 201),
        ] {
            let send = || send(&test, Some(&root.token), path, "same", body.clone());
            let first = send().await.expect(status);
            let again = send().await;
            assert_eq!(again.header("idempotency-replayed"), "true", "{path}");
            assert_eq!(again.expect(status), first, "{path}");
        }
        let clients = test.get("/v1/admin/oauth-clients", &root.token).await.expect(200);
        let id = clients["data"][0]["id"].as_str().unwrap();
        let path = format!("/v1/admin/oauth-clients/{id}/secret");
        let first = send(&test, Some(&root.token), &path, "same", json!({})).await.expect(200);
        assert_eq!(send(&test, Some(&root.token), &path, "same", json!({})).await.expect(200), first);
        // Strangers are told apart by what they send.
        let company = |email: &str| {
            json!({"company_name": "Acme", "email": email, "password": PASSWORD, "plan": "free"})
        };
        let register = |body| send(&test, None, "/v1/client/register", "same", body);
        let first = register(company("a@acme.example")).await.expect(201);
        assert_eq!(register(company("a@acme.example")).await.expect(201), first);
        assert_ne!(register(company("b@acme.example")).await.expect(201)["tenant_id"], first["tenant_id"]);
    }

    async fn t40_of_many_at_once_one_is_carried_out(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let replies = futures_util::future::join_all((0..16).map(|_| make(&test, &ann, "k", "one"))).await;
        let mut made = std::collections::BTreeSet::new();
        for reply in replies {
            if reply.status.as_u16() == 201 {
                made.insert(reply.body["api_key"].as_str().unwrap().to_owned());
            } else {
                assert_eq!(reply.header("retry-after"), "1");
                reply.expect_problem(409, "conflict");
            }
        }
        assert_eq!((made.len(), count(&test, &ann).await), (1, 1));
        let again = make(&test, &ann, "k", "one").await.expect(201);
        assert!(made.contains(again["api_key"].as_str().unwrap()));
    }

    async fn t40_a_request_goes_on_without_its_connection(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let mut lost = Box::pin(make(&test, &ann, "k", "one"));
        while kept(&test).await == 0 {
            assert!(lost.as_mut().now_or_never().is_none());
            tokio::task::yield_now().await;
        }
        drop(lost);
        let again = async {
            loop {
                let reply = make(&test, &ann, "k", "one").await;
                if reply.status.as_u16() == 201 {
                    return reply;
                }
                reply.expect_problem(409, "conflict");
            }
        };
        tokio::time::timeout(Duration::from_secs(10), again).await.unwrap().expect(201);
        assert_eq!(count(&test, &ann).await, 1);
    }

    async fn t40_what_a_crash_left_is_told_by_the_audit_log(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        make(&test, &ann, "done", "one").await.expect(201);
        lose_answers(&test).await;
        let asked = || make(&test, &ann, "done", "one");
        assert_eq!(asked().await.expect_problem(409, "conflict")["detail"], "a request with this `Idempotency-Key` is being carried out");
        test.advance(Duration::from_secs(30));
        let lost = asked().await;
        assert_eq!(lost.header("retry-after"), "", "waiting does not help");
        assert!(lost.expect_problem(409, "conflict")["detail"].as_str().unwrap().ends_with("its answer was lost"));
        make(&test, &ann, "done", "two").await.expect_problem(422, "idempotency_mismatch");
        assert_eq!(count(&test, &ann).await, 1, "not a second time");

        // One that crashed before its commit: no record names it.
        let mut tx = test.app.db.begin_write().await.unwrap();
        tx.sql("UPDATE idempotency_keys SET request_id = 'req_that_never_committed'").run().await.unwrap();
        tx.commit().await.unwrap();
        asked().await.expect(201);
        assert_eq!(count(&test, &ann).await, 2);
    }

    async fn t40_what_failed_is_not_remembered(backend: Backend) {
        let well = Arc::new(Well::default());
        let entropy: Arc<dyn Entropy> = well.clone();
        let spawned = TestApp::spawn_from(backend, Some(entropy), |config| config.api_keys.max_per_user = 1);
        let Some(test) = spawned.await else { return };
        let ann = test.user("ann").await;
        make(&test, &ann, "a", "one").await.expect(201);
        make(&test, &ann, "b", "two").await.expect_problem(409, "key_limit_reached");
        let id = test.get(KEYS, &ann.token).await.expect(200)["data"][0]["id"].as_str().unwrap().to_owned();
        test.delete(&format!("{KEYS}/{id}"), &ann.token).await.expect(204);
        well.0.store(true, Ordering::SeqCst);
        make(&test, &ann, "b", "two").await.expect_problem(503, "api_key_generation_failed");
        well.0.store(false, Ordering::SeqCst);
        make(&test, &ann, "b", "two").await.expect_problem(409, "conflict"); // its commit might be under way
        test.advance(Duration::from_secs(2));
        make(&test, &ann, "b", "two").await.expect(201);
        assert_eq!(count(&test, &ann).await, 1);
    }

    async fn t40_who_is_not_permitted_any_more_gets_no_answer(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let admin = test.user_with_role(&root, "manager").await;
        let binding = test.grant(&root, &admin, "admin").await;
        let client = || send(&test, Some(&admin.token), "/v1/admin/oauth-clients", "k", json!({"name": "Gateway"}));
        client().await.expect(201);
        test.delete(&format!("/v1/admin/role-bindings/{binding}"), &root.token).await.expect(204);
        client().await.expect_problem(403, "insufficient_permissions");
    }

    async fn t40_the_database_shows_neither_key_nor_answer(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let made = make(&test, &ann, "a-key-of-the-callers", "one").await.expect(201);
        let row: (Vec<u8>, Vec<u8>, Vec<u8>) =
            test.app.db.sql("SELECT id, body_tag, answer FROM idempotency_keys").one().await.unwrap();
        let whole = [row.0, row.1, row.2].concat();
        let key = made["api_key"].as_str().unwrap().as_bytes();
        for secret in [key, &key[31..74], b"a-key-of-the-callers", b"one"] {
            assert!(!whole.windows(secret.len()).any(|part| part == secret));
        }
    }
}
