//! Tag `oauth-clients`: programs that get tokens of their own.

use std::time::Duration;

use axum::http::Method;
use bailiwick::audit::Actor as Auditor;
use serde_json::{Value, json};

use crate::{
    app::{Actor, Service, TestApp, send},
    both,
    forge::parts,
    oauth::foreign,
};

const OWN: [(&str, &str); 1] = [("grant_type", "client_credentials")];

fn path(client: &Service) -> String {
    format!("/v1/admin/oauth-clients/{}", client.id)
}

fn question() -> Value {
    let someone = json!({"type": "User", "id": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47"});
    json!({"principal": someone, "action": "view", "resource": {"type": "Document", "id": "handbook"}})
}

async fn patch(test: &TestApp, root: &Actor, client: &Service, change: Value) -> Value {
    test.send(Method::PATCH, &path(client), Some(&root.token), Some(change)).await.expect(200)
}

both! {
    async fn clients_are_made_listed_changed_and_removed(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let made = test.post("/v1/admin/oauth-clients", &root.token, json!({"name": "One"})).await.expect(201);
        assert!(made["client_secret"].as_str().unwrap().starts_with("bwk_cs_"));
        assert_eq!((&made["grants"], &made["scopes"]), (&json!(["client_credentials"]), &json!(["decisions"])));
        let one = Service::from(made);
        test.advance(Duration::from_millis(1));
        let two = test.service(&root, json!({"name": "Two"})).await;
        let page = test.get("/v1/admin/oauth-clients?limit=1", &root.token).await.expect(200);
        assert_eq!(page["data"][0]["id"], json!(one.id));
        let next = format!("/v1/admin/oauth-clients?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
        let page = test.get(&next, &root.token).await.expect(200);
        assert_eq!((&page["data"][0]["id"], &page["next_cursor"]), (&json!(two.id), &Value::Null));
        assert!(!page.to_string().contains("secret\":\"") && !page.to_string().contains(&two.secret));

        assert_eq!(patch(&test, &root, &one, json!({"name": "Renamed"})).await["name"], "Renamed");
        test.delete(&path(&two), &root.token).await.expect(204);
        test.get(&path(&two), &root.token).await.expect_problem(404, "not_found");
        test.token(&two, &OWN).await.expect_oauth(401, "invalid_client");
        let theirs = foreign(&test).await;
        test.get(&path(&theirs), &root.token).await.expect_problem(404, "not_found");
        test.delete(&path(&theirs), &root.token).await.expect_problem(404, "not_found");
        for wrong in [
            json!({"name": ""}),
            json!({"name": "x", "grants": []}),
            json!({"name": "x", "grants": ["password"]}),
            json!({"name": "x", "scopes": ["a b"]}),
            json!({"name": "x", "audiences": [""]}),
            json!({"name": "x", "jwks": {"keys": []}}),
            json!({"name": "x", "auth_method": "private_key_jwt"}),
            json!({"name": "x", "roles": ["nobody"]}),
            json!({"name": "x", "epoch": 7}),
        ] {
            let reply = test.post("/v1/admin/oauth-clients", &root.token, wrong.clone()).await;
            assert_eq!(reply.status, 422, "{wrong}: {}", reply.text);
        }
        let private = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "d": "AA"});
        let reply = test.post("/v1/admin/oauth-clients", &root.token, json!({"name": "x", "jwks": {"keys": [private]}})).await;
        assert_eq!(reply.pointers(), ["/jwks"], "a private key is not taken");
    }

    async fn a_secret_is_replaced_without_an_outage(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let old = test.service(&root, json!({"name": "One"})).await;
        let rotate = |keep: Value| {
            let (test, root, path) = (&test, &root, format!("{}/secret", path(&old)));
            async move { Service::from(test.post(&path, &root.token, keep).await.expect(200)) }
        };
        let new = rotate(json!({"keep_secs": 600})).await;
        test.token(&old, &OWN).await.expect(200);
        let token = test.own_token(&new).await;
        test.advance(Duration::from_mins(10));
        test.token(&old, &OWN).await.expect_oauth(401, "invalid_client");
        let token_now = test.own_token(&new).await;
        test.ask(&token_now, question()).await.expect(200);
        let newest = rotate(json!({"keep_secs": 0})).await;
        test.token(&new, &OWN).await.expect_oauth(401, "invalid_client");
        test.ask(&token_now, question()).await.expect_problem(401, "token_revoked"); // what a thief got by it is gone
        test.ask(&token, question()).await.expect_problem(401, "token_revoked");
        test.own_token(&newest).await;
        let long = json!({"keep_secs": 2_592_001});
        test.post(&format!("{}/secret", path(&old)), &root.token, long).await.expect_problem(422, "validation_failed");
    }

    /// What a client loses, its tokens lose: here at once, on another node with the news or after seconds.
    async fn t29_what_a_client_loses_bites_on_every_node(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let (other, routers, clock) = test.node_with_clock().await;
        let root = test.administrator().await;
        let client = test.service(&root, json!({"name": "One", "roles": ["manager"], "scopes": ["*"]})).await;
        let there = |token: String| {
            let router = routers.public.clone();
            async move { send(&router, Method::GET, "/v1/policy-stores", Some(&token), None).await }
        };
        for change in [
            json!({"roles": []}),
            json!({"roles": ["manager"]}),
            json!({"status": "disabled"}),
            json!({"status": "active"}),
            json!({"scopes": ["decisions"]}),
        ] {
            let able = change != json!({"status": "active"}) && change != json!({"roles": ["manager"]});
            let before = test.token(&client, &OWN).await;
            let before = before.body["access_token"].as_str().unwrap_or("none").to_owned();
            if able {
                there(before.clone()).await.expect(200); // known there from now on
            }
            patch(&test, &root, &client, change.clone()).await;
            assert_eq!(test.get("/v1/policy-stores", &before).await.status, 401, "{change}");
            test.advance(Duration::from_secs(5));
            clock.advance(Duration::from_secs(5));
            assert_eq!(there(before).await.status, 401, "{change} is not known on the other node");
        }
        // With the message of the bus, at once.
        let client = test.service(&root, json!({"name": "Two", "roles": ["manager"], "scopes": ["*"]})).await;
        let token = test.own_token(&client).await;
        there(token.clone()).await.expect(200);
        test.form("/v1/oauth/revoke", Some(&client), &[("token", &token)]).await.expect(200);
        let tid = parts(&token).1["tid"].as_str().unwrap().to_owned();
        other.identity_news.hear(&format!("{tid} {}", client.id));
        there(token).await.expect_problem(401, "token_revoked");
        // A role counts while the client has it.
        let token = test.own_token(&client).await;
        test.get("/v1/policy-stores", &token).await.expect(200);
    }

    /// A request of a service costs a look-up and no signature; what ends its token, or the key that signed it, bites
    /// all the same.
    async fn t47_a_clients_token_is_verified_once(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let client = test.service(&root, json!({"name": "One", "roles": ["manager"], "scopes": ["*"]})).await;
        let (token, other) = (test.own_token(&client).await, test.own_token(&client).await);
        let before = test.app.authn.verifications();
        for _ in 0..3 {
            test.get("/v1/policy-stores", &token).await.expect(200);
            test.get("/v1/policy-stores", &other).await.expect(200);
        }
        assert_eq!(test.app.authn.verifications(), before + 2);
        // What the token says stays the token's own, and no other token's.
        test.form("/v1/oauth/revoke", Some(&client), &[("token", &token)]).await.expect(200);
        test.get("/v1/policy-stores", &token).await.expect_problem(401, "token_revoked");
        test.get("/v1/policy-stores", &other).await.expect(200);
        let signed = parts(&other).0["kid"].as_str().unwrap().to_owned();
        let last = test.own_token(&client).await;
        test.get("/v1/policy-stores", &last).await.expect(200);
        test.app.tokens.revoke(&signed, Auditor::named("test")).await.unwrap();
        test.get("/v1/policy-stores", &last).await.expect_problem(401, "token_invalid");
        let last = test.own_token(&client).await;
        test.get("/v1/policy-stores", &last).await.expect(200);
        test.advance(Duration::from_mins(17));
        test.get("/v1/policy-stores", &last).await.expect_problem(401, "token_expired");
    }

    /// Who may make clients must not make one that may do more than they.
    async fn nobody_gives_a_client_a_role_that_they_may_not_grant(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let admin = test.user_with_role(&root, "admin").await;
        let strong = json!({"name": "Strong", "roles": ["super_admin"]});
        test.post("/v1/admin/oauth-clients", &admin.token, strong.clone()).await.expect_problem(403, "insufficient_permissions");
        let made = test.service(&admin, json!({"name": "Weak", "roles": ["manager"]})).await;
        let reply = test.send(Method::PATCH, &path(&made), Some(&admin.token), Some(json!({"roles": ["super_admin"]}))).await;
        reply.expect_problem(403, "insufficient_permissions");
        test.post("/v1/admin/oauth-clients", &root.token, strong).await.expect(201);
    }
}
