//! `server.compat_routes`: the paths of older clients are other names for operations of the document.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    http::{Method, Request},
};
use bailiwick::{
    config::Config,
    http::{ALIASES, POST_REFRESH},
};
use serde_json::{Value, json};

use crate::{
    app::{Actor, PASSWORD, Reply, TestApp, raw, send},
    both,
    client::register,
    support::Backend,
};

fn with_aliases(config: &mut Config) {
    config.server.compat_routes = true;
    config.tenants.self_registration = true;
    config.registration.reveal_duplicates = true;
}

/// An answer without what differs from request to request.
fn told(reply: &Reply) -> Value {
    let mut body = reply.body.clone();
    if let Some(body) = body.as_object_mut() {
        for member in ["request_id", "instance", "decision_id"] {
            body.remove(member);
        }
    }
    json!({"status": reply.status.as_u16(), "body": body, "allow": reply.header("allow")})
}

both! {
    async fn without_the_setting_there_are_no_such_paths(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        for (alias, _) in ALIASES.iter().chain([&(POST_REFRESH, "")]).filter(|(alias, _)| !alias.contains('{')) {
            for method in [Method::POST, Method::PUT, Method::GET] {
                test.send(method, alias, None, Some(json!({}))).await.expect_problem(404, "not_found");
            }
        }
    }

    /// Each answers as the path that it stands for: good requests, bad ones, without and with a token, other methods.
    async fn an_alias_answers_as_what_it_stands_for(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, with_aliases).await else { return };
        let ann = test.post_open("/v1/auth/register", json!({"email": "ann@example.com", "password": PASSWORD})).await;
        ann.expect(201);
        let ann = test.login("ann@example.com", PASSWORD).await;
        let bodies = [
            json!({}),
            json!({"surprise": 1}),
            json!({"email": "ann@example.com", "password": PASSWORD}),
            json!({"email": "x", "password": PASSWORD}),
            json!({"identifier": "ann@example.com", "password": "a wrong one entirely"}),
            json!({"refresh_token": "bwk_rt_x"}),
            json!({"current_password": "a wrong one entirely", "new_password": PASSWORD}),
            json!({"user_external_id": "1"}),
        ];
        let mut tried = 0;
        for (alias, path) in ALIASES.iter().filter(|(alias, _)| !alias.contains('{')) {
            for (method, token) in [(Method::POST, None), (Method::PUT, None), (Method::POST, Some(&*ann.token)), (Method::GET, Some(&*ann.token)), (Method::DELETE, None)] {
                for body in &bodies {
                    if (*path, &method, token.is_some()) == ("/v1/auth/logout", &Method::POST, true)
                        || (*path, &method, token.is_some()) == ("/v1/api-keys", &Method::GET, true)
                    {
                        continue; // it would sign out; a list of keys is asked for below
                    }
                    let by_alias = test.send(method.clone(), alias, token, Some(body.clone())).await;
                    let by_path = test.send(method.clone(), path, token, Some(body.clone())).await;
                    assert_eq!(told(&by_alias), told(&by_path), "{method} {alias} {body}");
                    if by_alias.status.as_u16() >= 400 {
                        assert_eq!(by_alias.body["instance"], *alias);
                    }
                    tried += 1;
                }
            }
        }
        assert!(tried > 500, "{tried}");
    }

    async fn an_older_client_does_all_it_did(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, with_aliases).await else { return };
        let signed_up = test.post_open("/signup", json!({"email": "ann@example.com", "password": PASSWORD})).await;
        assert!(signed_up.header("location").starts_with("/v1/users/usr_"));
        signed_up.expect(201);
        let login = json!({"identifier": "ann@example.com", "password": PASSWORD});
        let mut sessions = BTreeSet::new();
        for path in ["/login", "/auth/login", "/auth/signin", "/api/v1/auth/login"] {
            let ann = Actor::from(test.post_open(path, login.clone()).await.expect(200));
            test.whoami(&ann.token).await.expect(200);
            sessions.insert(ann.session.clone());
            let next = Actor::from(test.post_open("/auth/refresh", json!({"refresh_token": ann.refresh})).await.expect(200));
            let older = test.post_open(POST_REFRESH, json!({"refreshToken": next.refresh})).await.expect(200);
            let names: Vec<&str> = older.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(names.into_iter().collect::<BTreeSet<_>>(), ["accessToken", "expiresIn", "refreshToken", "tokenVersion"].into());
            assert_eq!((&older["expiresIn"], &older["tokenVersion"]), (&json!(900), &json!(3)));
            test.whoami(older["accessToken"].as_str().unwrap()).await.expect(200);
            let end = json!({"refresh_token": older["refreshToken"]});
            assert_eq!(test.send(Method::POST, "/auth/signout", None, Some(end)).await.status.as_u16(), 204);
            test.whoami(older["accessToken"].as_str().unwrap()).await.expect_problem(401, "token_revoked");
        }
        assert_eq!(sessions.len(), 4);
        let ann = test.login("ann@example.com", PASSWORD).await;
        let made = test.post("/api/v1/auth/api-key", &ann.token, json!({"name": "k"})).await.expect(201);
        let listed = test.get("/api/v1/auth/api-key?limit=1", &ann.token).await.expect(200);
        assert_eq!(listed["data"][0]["id"], made["id"]);
        let change = json!({"current_password": PASSWORD, "new_password": "another long pass phrase"});
        let changed = test.send(Method::PUT, "/change-password", Some(&ann.token), Some(change)).await;
        assert_eq!(changed.status.as_u16(), 204, "{}", changed.text);
        test.whoami(&ann.token).await.expect_problem(401, "token_revoked");
        let acme = register(&test, "acme").await;
        let profile = format!("/users/{}/profile", acme.owner.id);
        let own = test.get(&profile, &acme.owner.token).await.expect(200);
        assert_eq!(own, test.get(&format!("/v1{profile}"), &acme.owner.token).await.expect(200));
        let opened = test.post("/api/v1/auth/sdk/session", &acme.key, json!({"user_external_id": "1"})).await.expect(200);
        assert_eq!(opened["user_created"], true);
        test.post("/api/v1/auth/client/api-keys/rotate", &acme.key, json!({})).await.expect(200);
        test.post("/api/v1/auth/client/api-keys/promote", &acme.key, json!({})).await.expect(200);
    }

    /// The older form of a refresh is as strict, and as safe, as the newer one.
    async fn the_older_form_is_read_as_strictly(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, with_aliases).await else { return };
        for (body, pointer) in [
            (json!({}), "/refreshToken"),
            (json!({"refresh_token": "x", "refreshToken": "x"}), "/refresh_token"),
            (json!({"refreshToken": 7}), "/refreshToken"),
        ] {
            let reply = test.post_open(POST_REFRESH, body).await;
            assert_eq!(reply.pointers(), [pointer], "{}", reply.text);
            reply.expect_problem(422, "validation_failed");
        }
        test.post_open(POST_REFRESH, json!({"refreshToken": "bwk_rt_x"})).await.expect_problem(401, "refresh_failed");
        test.send(Method::GET, POST_REFRESH, None, None).await.expect_problem(405, "method_not_allowed");
    }

    /// T17: what a page of another site may not send by the path, it may not send by an alias either.
    async fn t17_aliases_are_no_way_around_cross_site_rules(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, with_aliases).await else { return };
        let body = json!({"identifier": "ann@example.com", "password": PASSWORD}).to_string();
        let request = Request::post("/login?mode=cookie")
            .header("content-type", "application/json")
            .header("origin", "https://evil.example")
            .body(Body::from(body));
        raw(&test.routers.public, request.unwrap()).await.expect_problem(403, "cross_site");
    }

    /// T54: tries by an alias count as tries by the path.
    async fn t44_aliases_share_the_limits(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, |config| {
            with_aliases(config);
            config.limits.login_per_identifier = 3;
        }).await else { return };
        let wrong = json!({"identifier": "nobody@example.com", "password": "a wrong one entirely"});
        for path in ["/login", "/v1/auth/login", "/auth/signin"] {
            test.post_open(path, wrong.clone()).await.expect_problem(401, "invalid_credentials");
        }
        for path in ["/login", "/v1/auth/login", "/api/v1/auth/login"] {
            test.post_open(path, wrong.clone()).await.expect_problem(429, "too_many_attempts");
        }
        // The internal listener has them too, the admin listener not.
        send(&test.routers.internal, Method::POST, "/login", None, Some(wrong.clone())).await.expect_problem(429, "too_many_attempts");
        send(&test.routers.admin, Method::POST, "/login", None, Some(wrong)).await.expect_problem(404, "not_found");
    }
}
