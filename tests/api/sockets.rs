//! Tag `internal`: sockets that users open to another service (R104).
//!
//! Seen to fail: with the session's end left out, the second; with one key for the services of all tenants, the fifth; with
//! `stored` said whether or not it was, the sixth.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{
    app::{PASSWORD, Service, TestApp},
    both,
    client::{open_to_companies, register, set},
    internal::{company, owner, publicly},
    oauth::{exchange, gateway},
    sdk,
    support::Backend as Kind,
};

const VALIDATE: &str = "/v1/internal/socket/validate";

async fn shake(test: &TestApp, by: &str, token: &str, socket: &str) -> Value {
    test.post(VALIDATE, by, json!({"token": token, "socket_id": socket})).await.expect(200)
}

/// What is kept under a key of the shared state.
async fn kept(test: &TestApp, key: &str) -> Option<Value> {
    let bytes = test.app.kv.get(key).await.unwrap()?;
    Some(serde_json::from_slice(&bytes).unwrap())
}

/// The code of a token that opens no socket, of which nothing is kept.
async fn fault(test: &TestApp, by: &str, body: Value) -> String {
    let mut body = body;
    body["socket_id"] = json!("refused");
    body["audience"] = json!("https://photos.example.com");
    let said = test.post(VALIDATE, by, body).await.expect(200);
    assert_eq!((said.as_object().unwrap().len(), &said["valid"]), (2, &json!(false)), "{said}");
    assert_eq!(kept(test, "socket:refused").await, None);
    said["code"].as_str().unwrap().to_owned()
}

both! {
    async fn r104_a_socket_is_validated_once_and_kept(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let about = json!({"name": "Inside", "scopes": ["internal", "decisions"]});
        let service = test.service(&root, about).await;
        let inside = test.own_token(&service).await;
        test.grant(&root, &test.user("ann").await, "manager").await;
        let ann = test.login("ann@example.com", PASSWORD).await;
        let says = test.app.tokens.verify(&ann.token).await.unwrap();
        let said = shake(&test, &inside, &ann.token, "/chat#Zk3f_7-a").await;
        let context = json!({
            "user_id": ann.id, "tenant_id": says.tid, "session_id": ann.session, "device_id": says.did,
            "client_id": "bailiwick", "roles": ["manager", "user"], "scope": "", "expires_at": says.exp,
        });
        assert_eq!(said, json!({"valid": true, "context": context, "max_age": 900, "stored": true}));
        assert_eq!(kept(&test, "socket:/chat#Zk3f_7-a").await.unwrap(), context, "and no token");

        // Proven anew with the next token, it stands on.
        test.advance(Duration::from_mins(10));
        let inside = test.own_token(&service).await;
        assert_eq!(shake(&test, &inside, &ann.token, "b").await["max_age"], 300);
        let next = test.refresh(&ann.refresh).await.expect(200);
        let said = shake(&test, &inside, next["access_token"].as_str().unwrap(), "b").await;
        assert_eq!((&said["max_age"], &said["context"]["session_id"]), (&json!(900), &json!(ann.session)));
        assert_eq!(kept(&test, "socket:b").await.unwrap(), said["context"]);
        if backend == Kind::Embedded {
            // What is kept ends when the socket must (the other device has a clock of its own).
            test.advance(Duration::from_mins(5));
            assert_eq!(kept(&test, "socket:/chat#Zk3f_7-a").await, None);
            assert!(kept(&test, "socket:b").await.is_some());
            test.advance(Duration::from_mins(10));
            assert_eq!(kept(&test, "socket:b").await, None);
        }
    }

    /// The smaller of the token's and the session's end, and of each to the second.
    async fn t59_a_socket_outlives_neither_its_token_nor_its_session(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, |config| {
            (config.sessions.idle_ttl_secs, config.sessions.absolute_ttl_secs) = (1_000, 1_000);
        }).await else { return };
        let root = test.administrator().await;
        let service = test.service(&root, json!({"name": "Inside", "scopes": ["internal"]})).await;
        let ann = test.user("ann").await;
        let mut age = 900;
        for (passed_ms, closes_in) in [(0, 900), (500, 899), (500, 899), (98_000, 801)] {
            test.advance(Duration::from_millis(passed_ms));
            let said = shake(&test, &test.own_token(&service).await, &ann.token, "s").await;
            assert_eq!(said["max_age"], closes_in);
            age = closes_in;
        }
        assert_eq!(age, 801);
        // A token of the last minutes of a session ends after it.
        test.advance(Duration::from_secs(700));
        let next = test.refresh(&ann.refresh).await.expect(200);
        let token = next["access_token"].as_str().unwrap();
        let inside = test.own_token(&service).await;
        let said = shake(&test, &inside, token, "s").await;
        assert_eq!(said["max_age"], 201, "{said}");
        test.advance(Duration::from_secs(201));
        let said = shake(&test, &inside, token, "late").await;
        assert_eq!(said, json!({"valid": false, "code": "session_expired"}));
        assert_eq!(kept(&test, "socket:late").await, None);
    }

    async fn a_token_that_does_not_count_opens_nothing(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let (ann, bob) = (test.user("ann").await, test.user("bob").await);
        let (inside, other) = (test.inside(&root).await, gateway(&test, &root).await);
        for wrong in ["", "x", "a.b.c", &ann.refresh, &ann.token[..ann.token.len() - 2], &"x".repeat(20_000)] {
            assert_eq!(fault(&test, &inside, json!({"token": wrong})).await, "token_invalid", "{wrong:.20}");
        }
        let issued = test.token(&other, &exchange(&ann.token, "https://photos.example.com")).await.expect(200);
        assert_eq!(fault(&test, &inside, json!({"token": issued["access_token"]})).await, "token_invalid", "another audience");
        assert_eq!(fault(&test, &inside, json!({"token": inside})).await, "wrong_token_type", "a program has no session");
        let told = test.post("/v1/internal/validate", &inside, json!({"token": ann.token, "audience": "x"})).await.expect(200);
        assert_eq!(fault(&test, &inside, json!({"token": told["context_token"]})).await, "wrong_token_type");
        assert_eq!(fault(&test, &inside, json!({"token": ann.token, "origin": "null"})).await, "origin_not_allowed");
        assert_eq!(shake(&test, &inside, &ann.token, "s").await["valid"], true);
        test.delete(&format!("/v1/sessions/{}", ann.session), &ann.token).await.expect(204);
        assert_eq!(fault(&test, &inside, json!({"token": ann.token})).await, "token_revoked");
        test.advance(Duration::from_secs(906));
        let root = test.login("root@example.com", PASSWORD).await;
        let inside = test.inside(&root).await;
        assert_eq!(fault(&test, &inside, json!({"token": bob.token})).await, "token_expired");
        test.app.db.close().await;
        let reply = test.post(VALIDATE, &inside, json!({"token": root.token, "socket_id": "s"})).await;
        assert!(reply.status == 200 || reply.status == 503, "an outage is not the token's fault: {}", reply.text);
    }

    /// R103: the tenant's list and the origin that the token is bound to, compared whole.
    async fn a_page_of_another_origin_opens_no_socket(backend: Backend) {
        let Some(test) = open_to_companies(backend).await else { return };
        let root = test.administrator().await;
        let inside = test.inside(&root).await;
        let acme = register(&test, "acme").await;
        let second = "https://second.acme.example";
        set(&test, &acme.owner, json!({"allowed_origins": [sdk::APP, second]})).await.expect(200);
        let bound = sdk::open(&test, &acme.key, json!({"user_external_id": "1", "origin": sdk::APP})).await.expect(200);
        let bound = bound["access_token"].as_str().unwrap();
        let body = json!({"token": bound, "origin": sdk::APP, "socket_id": "s"});
        let said = test.post(VALIDATE, &inside, body.clone()).await.expect(200);
        assert_eq!((&said["valid"], &said["context"]["client_id"]), (&json!(true), &json!(acme.client)), "{said}");
        for (token, origin) in [
            (bound, second), (bound, "null"), (bound, ""), (bound, "https://app.acme.example.evil"),
            (&*acme.owner.token, "https://app.acme.example/"), (&*acme.owner.token, "https://evil.example"),
        ] {
            let code = fault(&test, &inside, json!({"token": token, "origin": origin})).await;
            assert_eq!(code, "origin_not_allowed", "{origin}");
        }
        set(&test, &acme.owner, json!({"allowed_origins": [second]})).await.expect(200);
        let said = test.post(VALIDATE, &inside, body).await.expect(200);
        assert_eq!(said["code"], "origin_not_allowed", "the list of now counts");
    }

    /// T19: a service learns of its own tenant only, and writes over nothing of another's.
    async fn t19_sockets_of_tenants_are_apart(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let inside = test.inside(&root).await;
        let (a, b) = (company(&test, "acme").await, company(&test, "bolt").await);
        let (of_a, of_b) = (owner(&test, &a).await, owner(&test, &b).await);
        assert_eq!(fault(&test, &b.service, json!({"token": of_a.token})).await, "token_invalid");
        for (by, token) in [(&inside, &root.token), (&a.service, &of_a.token), (&b.service, &of_b.token)] {
            assert_eq!(shake(&test, by, token, "s").await["valid"], true);
        }
        for (key, user) in [
            ("socket:s".to_owned(), &root.id),
            (format!("socket:{}:s", a.made.tenant.id), &of_a.id),
            (format!("socket:{}:s", b.made.tenant.id), &of_b.id),
        ] {
            assert_eq!(&kept(&test, &key).await.unwrap()["user_id"], user, "{key}");
        }
        let said = shake(&test, &inside, &of_a.token, "s").await;
        assert_eq!(said["context"]["tenant_id"], json!(a.made.tenant.id), "the installation's own know of all");
    }

    async fn a_socket_stands_while_the_shared_state_is_away(backend: Backend) {
        if backend == Kind::Embedded {
            return; // memory is never away
        }
        let Some(test) = TestApp::spawn_with(backend, |config| {
            config.redis.url = Some(SecretString::from("redis://127.0.0.1:1"));
            config.redis.timeout_ms = 100;
        }).await else { return };
        let root = test.administrator().await;
        let inside = test.inside(&root).await;
        let said = shake(&test, &inside, &root.token, "s").await;
        assert_eq!((&said["valid"], &said["stored"], &said["max_age"]), (&json!(true), &json!(false), &json!(900)), "{said}");
        test.delete(&format!("/v1/sessions/{}", root.session), &root.token).await.expect(204);
        assert_eq!(shake(&test, &inside, &root.token, "s").await["code"], "token_revoked");
    }

    async fn only_services_ask_about_sockets_and_only_inside(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let inside = test.inside(&root).await;
        let body = json!({"token": root.token, "socket_id": "s"});
        publicly(&test, VALIDATE, &inside).await.expect_problem(404, "not_found");
        test.post(VALIDATE, &root.token, body.clone()).await.expect_problem(401, "wrong_token_type");
        test.post_open(VALIDATE, body.clone()).await.expect_problem(401, "token_missing");
        let scoped = async |scope: &str| {
            let client: Service = test.service(&root, json!({"name": "Scoped", "scopes": [scope]})).await;
            test.own_token(&client).await
        };
        let (narrow, exact) = (scoped("validateToken").await, scoped("validateSocket").await);
        test.post(VALIDATE, &narrow, body.clone()).await.expect_problem(403, "insufficient_permissions");
        test.post(VALIDATE, &exact, body.clone()).await.expect(200);
        test.post("/v1/internal/validate", &exact, json!({"token": root.token})).await.expect_problem(403, "insufficient_permissions");
        for (member, wrong) in [
            ("socket_id", ""), ("socket_id", "a:b"), ("socket_id", "a b"), ("socket_id", "{a}"), ("socket_id", &"x".repeat(129)),
            ("audience", ""), ("audience", "a b"),
        ] {
            let mut body = body.clone();
            body[member] = json!(wrong);
            let reply = test.post(VALIDATE, &inside, body).await;
            assert_eq!(reply.pointers(), [format!("/{member}")], "{}", reply.text);
            reply.expect_problem(422, "validation_failed");
        }
        let mut onward = body;
        onward["audience"] = json!("https://photos.example.com");
        let said = test.post(VALIDATE, &inside, onward).await.expect(200);
        assert_eq!(said["context_expires_in"], 60);
        assert_eq!(said["context_token"].as_str().unwrap().split('.').count(), 3);
    }
}
