//! Tag `sdk`: sessions that a tenant's own server opens for its users.

use std::{collections::BTreeSet, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Method, Request},
};
use bailiwick::{audit, base::Limit, users::UserStatus};
use serde_json::{Value, json};

use crate::{
    api_keys::{KEYS, make},
    app::{Reply, TestApp, from_peer, raw},
    both,
    client::{Company, open_to_companies, register, set, sign_in},
    support::Backend,
};

pub(crate) const SESSION: &str = "/v1/sdk/session";
pub(crate) const REFRESH: &str = "/v1/sdk/refresh";
pub(crate) const APP: &str = "https://app.acme.example";

/// Opens a session by `X-API-Key`.
pub(crate) async fn open(test: &TestApp, key: &str, body: Value) -> Reply {
    test.advance(Duration::from_millis(200)); // for the rate of the key
    open_now(test, key, body).await
}

/// The same, at the same moment as another.
async fn open_now(test: &TestApp, key: &str, body: Value) -> Reply {
    open_at(&test.routers.public, key, body).await
}

/// The same, on some node.
pub(crate) async fn open_at(node: &Router, key: &str, body: Value) -> Reply {
    let request = Request::post(SESSION)
        .header("content-type", "application/json")
        .header("user-agent", "acme-server/1.0")
        .header("x-api-key", key)
        .body(Body::from(body.to_string()));
    raw(node, from_peer(request.unwrap(), "192.0.2.1")).await
}

/// Sends a request as a page of an origin, in a browser.
pub(crate) async fn on_page(
    test: &TestApp,
    method: Method,
    path: &str,
    token: Option<&str>,
    origin: Option<&str>,
    body: Option<Value>,
) -> Reply {
    let mut request = Request::builder().method(method).uri(path).header(
        "user-agent",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36",
    );
    for (name, value) in [
        ("authorization", token.map(|token| format!("Bearer {token}"))),
        ("origin", origin.map(str::to_owned)),
    ] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    let body = match body {
        Some(body) => {
            request = request.header("content-type", "application/json");
            Body::from(body.to_string())
        }
        None => Body::empty(),
    };
    raw(&test.routers.public, request.body(body).unwrap()).await
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

async fn acme(backend: Backend) -> Option<(TestApp, Company)> {
    let test = open_to_companies(backend).await?;
    let acme = register(&test, "acme").await;
    Some((test, acme))
}

both! {
    async fn a_server_opens_sessions_for_its_users(backend: Backend) {
        let Some((test, acme)) = acme(backend).await else { return };
        let sockets = json!(["wss://socket.acme.example/live"]);
        set(&test, &acme.owner, json!({"socket_urls": sockets})).await.expect(200);
        let data = json!({"name": "Ann", "email": "ann@acme.example", "avatar": "https://cdn.acme.example/a.png",
            "locale": "en-GB", "metadata": {"segment": ["beta", 7]}});
        let first = open(&test, &acme.key, json!({"user_external_id": "4711", "user_data": data})).await.expect(200);
        let mut user = data.clone();
        user["id"] = first["user"]["id"].clone();
        user["external_id"] = json!("4711");
        assert_eq!((&first["user"], &first["user_created"], &first["socket_urls"]), (&user, &json!(true), &sockets));
        assert_eq!((&first["token_type"], &first["token_version"]), (&json!("Bearer"), &json!(1)));
        assert!((899..=900).contains(&first["expires_in"].as_u64().unwrap()), "whole seconds to the token's end");
        let token = text(&first["access_token"]);
        let claims = test.app.tokens.verify(&token).await.unwrap();
        assert_eq!((claims.tid.to_string(), &claims.client_id, &claims.origin), (acme.tenant.clone(), &acme.client, &None));
        assert!(claims.amr.is_empty());
        // The same user again: known, a session of its own, and nothing told changes nothing.
        let again = open(&test, &acme.key, json!({"user_external_id": "4711"})).await.expect(200);
        assert_eq!((&again["user"], &again["user_created"]), (&user, &json!(false)));
        assert_ne!(again["session_id"], first["session_id"]);
        // What is told takes the place of what was told before.
        let told = open(&test, &acme.key, json!({"user_external_id": "4711", "user_data": {"name": "Anne"}})).await.expect(200);
        let bare = json!({"id": user["id"], "external_id": "4711", "name": "Anne", "email": null, "avatar": null, "locale": null, "metadata": null});
        assert_eq!(told["user"], bare);
        // The user is one of the tenant's, without an address.
        let me = test.whoami(&token).await.expect(200);
        assert_eq!(
            (&me["email"], &me["external_id"], &me["name"], &me["tenant_id"], &me["roles"]),
            (&Value::Null, &json!("4711"), &json!("Anne"), &json!(acme.tenant), &json!(["user"]))
        );
        assert_eq!(test.get("/v1/sessions", &token).await.expect(200)["data"].as_array().unwrap().len(), 3);
        // Ids are compared byte by byte.
        for other in ["4711 ", "04711", "\u{ff14}711"] {
            assert_eq!(open(&test, &acme.key, json!({"user_external_id": other})).await.expect(200)["user_created"], true);
        }
    }

    async fn a_page_refreshes_its_session(backend: Backend) {
        let Some((test, acme)) = acme(backend).await else { return };
        let opened = open(&test, &acme.key, json!({"user_external_id": "4711", "origin": APP})).await.expect(200);
        let refresh = |token: String, origin: Option<&'static str>| {
            on_page(&test, Method::POST, REFRESH, None, origin, Some(json!({"refresh_token": token})))
        };
        // The page is not the server, and no thief for that.
        let next = refresh(text(&opened["refresh_token"]), Some(APP)).await.expect(200);
        assert_eq!((&next["token_version"], &next["claims"]["origin"]), (&json!(2), &json!(APP)));
        assert_eq!(next["claims"]["client_id"], json!(acme.client));
        test.whoami(&text(&next["access_token"])).await.expect(200);
        // From now on it is the one that refreshes.
        let thief = test.post_open(REFRESH, json!({"refresh_token": next["refresh_token"]})).await;
        thief.expect_problem(401, "fingerprint_mismatch");
        refresh(text(&next["refresh_token"]), Some(APP)).await.expect_problem(401, "token_revoked");
        // An old token ends the session, as for everyone.
        let opened = open(&test, &acme.key, json!({"user_external_id": "4711", "origin": APP})).await.expect(200);
        let old = text(&opened["refresh_token"]);
        let next = refresh(old.clone(), None).await.expect(200);
        test.advance(Duration::from_secs(31));
        refresh(old, Some(APP)).await.expect_problem(401, "refresh_reused");
        test.whoami(&text(&next["access_token"])).await.expect_problem(401, "token_revoked");
    }

    /// R100: many first calls at once make one user, and each has its session.
    async fn first_calls_at_once_make_one_user(backend: Backend) {
        let Some((test, acme)) = acme(backend).await else { return };
        let root = test.administrator().await;
        let path = format!("/v1/admin/tenants/{}", acme.tenant);
        test.send(Method::PATCH, &path, Some(&root.token), Some(json!({"plan": "enterprise"}))).await.expect(200);
        let made = test.post("/v1/client/api-keys/rotate", &acme.owner.token, json!({})).await.expect(200);
        let key = text(&made["secondary_key"]);
        // Known here, as a key in use is: many unknown ones at once are held for guesses (T20).
        test.post(SESSION, &key, json!({})).await.expect_problem(422, "validation_failed");
        let body = json!({"user_external_id": "4711", "user_data": {"name": "Ann"}});
        let calls = (0..64).map(|_| open_now(&test, &key, body.clone()));
        let opened: Vec<Value> = futures_util::future::join_all(calls).await.into_iter().map(|reply| reply.expect(200)).collect();
        let different = |pick: &dyn Fn(&Value) -> Value| opened.iter().map(|body| pick(body).to_string()).collect::<BTreeSet<_>>().len();
        assert_eq!(different(&|body| body["user"]["id"].clone()), 1);
        assert_eq!(different(&|body| body["session_id"].clone()), 64);
        assert_eq!(opened.iter().filter(|body| body["user_created"] == true).count(), 1);
        let records = audit::list(&mut &test.app.db, acme.tenant.parse().unwrap(), Limit::new(200).unwrap()).await.unwrap();
        let named = |action: &str| records.iter().filter(|record| record.action == action).count();
        assert_eq!((named("user_created"), named("session_opened")), (2, 65), "the owner's, and one more");
    }

    /// Who has an address here is never found by it, and stays who they are.
    async fn an_address_leads_into_no_account(backend: Backend) {
        let Some((test, acme)) = acme(backend).await else { return };
        let data = json!({"email": "owner@acme.example", "name": "Owner"});
        for id in ["owner@acme.example", &acme.owner.id, "owner"] {
            let opened = open(&test, &acme.key, json!({"user_external_id": id, "user_data": data})).await.expect(200);
            assert_ne!(opened["user"]["id"], json!(acme.owner.id));
            let token = text(&opened["access_token"]);
            assert_eq!(test.whoami(&token).await.expect(200)["roles"], json!(["user"]));
            test.get("/v1/client/settings", &token).await.expect_problem(403, "insufficient_permissions");
            // Nobody signs in as such a user, by whatever name, and the answer is that for strangers (T9).
            let hashes = test.app.authn.hashes();
            sign_in(&test, opened["user"]["id"].as_str().unwrap(), &acme.tenant).await.expect_problem(401, "invalid_credentials");
            assert_eq!(test.app.authn.hashes(), hashes + 1);
        }
        sign_in(&test, "owner@acme.example", &acme.tenant).await.expect(200);
        // An address that a server told is free for whose it is.
        open(&test, &acme.key, json!({"user_external_id": "b", "user_data": {"email": "bob@acme.example"}})).await.expect(200);
        set(&test, &acme.owner, json!({"open_registration": true})).await.expect(200);
        let join = json!({"email": "bob@acme.example", "password": crate::app::PASSWORD, "tenant": acme.tenant});
        test.post_open("/v1/auth/register", join).await.expect(202);
        let bob = sign_in(&test, "bob@acme.example", &acme.tenant).await.expect(200);
        assert_eq!(test.whoami(&text(&bob["access_token"])).await.expect(200)["external_id"], Value::Null);
    }

    /// Such a user keeps no credentials of their own, and no administrator gives them any.
    async fn an_external_user_keeps_no_credentials(backend: Backend) {
        let Some((test, acme)) = acme(backend).await else { return };
        let opened = open(&test, &acme.key, json!({"user_external_id": "4711"})).await.expect(200);
        let (token, id) = (text(&opened["access_token"]), text(&opened["user"]["id"]));
        let pass = crate::app::PASSWORD;
        for (method, path, body) in [
            (Method::PUT, "/v1/auth/password", json!({"current_password": pass, "new_password": pass})),
            (Method::POST, "/v1/users/me/email", json!({"email": "ann@acme.example"})),
            (Method::POST, "/v1/auth/step-up", json!({"password": pass})),
            (Method::POST, "/v1/auth/mfa/totp", Value::Null),
            (Method::POST, KEYS, json!({"name": "k"})),
        ] {
            let code = if path == KEYS { "policy_violation" } else { "insufficient_permissions" };
            test.send(method, path, Some(&token), Some(body)).await.expect_problem(403, code);
        }
        let link = format!("/v1/admin/users/{id}/reset-link");
        test.post(&link, &acme.owner.token, json!({})).await.expect_problem(409, "conflict");
        let listed = test.get("/v1/admin/users", &acme.owner.token).await.expect(200);
        assert!(listed["data"].as_array().unwrap().iter().any(|user| user["external_id"] == "4711"));
    }

    async fn only_the_tenants_own_keys_open_sessions(backend: Backend) {
        let Some((test, acme)) = acme(backend).await else { return };
        let body = json!({"user_external_id": "4711"});
        let (_, personal) = make(&test, &acme.owner, json!({"name": "k", "scopes": ["*"]})).await;
        open(&test, &personal, body.clone()).await.expect_problem(403, "policy_violation");
        let (id, _) = make(&test, &acme.owner, json!({"name": "narrow", "scopes": ["decisions"]})).await;
        assert!(id.starts_with("key_"));
        test.post(SESSION, &acme.owner.token, body.clone()).await.expect_problem(401, "wrong_token_type");
        let opened = open(&test, &acme.key, body.clone()).await.expect(200);
        test.post(SESSION, &text(&opened["access_token"]), body.clone()).await.expect_problem(401, "wrong_token_type");
        test.post_open(SESSION, body.clone()).await.expect_problem(401, "token_missing");
        open(&test, "bwk_prod_x", body.clone()).await.expect_problem(401, "api_key_invalid");
        // Nor from where the key is not used (R102).
        set(&test, &acme.owner, json!({"ip_allowlist": ["203.0.113.0/24"]})).await.expect(200);
        open(&test, &acme.key, body.clone()).await.expect_problem(403, "policy_violation");
        set(&test, &acme.owner, json!({})).await.expect(200);
        // Nor without its scope.
        let primary = test.get(&format!("{KEYS}/{}", key_id(&test, &acme).await), &acme.owner.token).await.expect(200);
        let path = format!("{KEYS}/{}", text(&primary["id"]));
        assert!(primary["scopes"].as_array().unwrap().contains(&json!("sessions")));
        test.send(Method::PATCH, &path, Some(&acme.owner.token), Some(json!({"scopes": ["decisions"]}))).await.expect(200);
        open(&test, &acme.key, body).await.expect_problem(403, "insufficient_permissions");
    }

    async fn what_is_told_of_a_user_is_limited(backend: Backend) {
        let Some((test, acme)) = acme(backend).await else { return };
        for (body, pointer) in [
            (json!({}), "/user_external_id"),
            (json!({"user_external_id": ""}), "/user_external_id"),
            (json!({"user_external_id": "x".repeat(256)}), "/user_external_id"),
            (json!({"user_external_id": "a\nb"}), "/user_external_id"),
            (json!({"user_external_id": "1", "origin": "https://app.acme.example/"}), "/origin"),
            (json!({"user_external_id": "1", "origin": "null"}), "/origin"),
            (json!({"user_external_id": "1", "user_data": {"email": "x"}}), "/user_data/email"),
            (json!({"user_external_id": "1", "user_data": {"name": " "}}), "/user_data/name"),
            (json!({"user_external_id": "1", "user_data": {"avatar": "javascript:alert(1)"}}), "/user_data/avatar"),
            (json!({"user_external_id": "1", "user_data": {"avatar": "http://cdn.acme.example/a.png"}}), "/user_data/avatar"),
            (json!({"user_external_id": "1", "user_data": {"locale": "e"}}), "/user_data/locale"),
            (json!({"user_external_id": "1", "user_data": {"locale": "en_GB"}}), "/user_data/locale"),
            (json!({"user_external_id": "1", "user_data": {"metadata": []}}), "/user_data/metadata"),
            (json!({"user_external_id": "1", "user_data": {"metadata": {"a": "x".repeat(16_384)}}}), "/user_data/metadata"),
            (json!({"user_external_id": "1", "user_data": {"roles": ["admin"]}}), "/user_data/roles"),
            (json!({"user_external_id": "1", "roles": ["admin"]}), "/roles"),
        ] {
            let reply = open(&test, &acme.key, body.clone()).await;
            assert_eq!(reply.pointers(), [pointer], "{body}: {}", reply.text);
            reply.expect_problem(422, "validation_failed");
        }
        let listed = test.get("/v1/admin/users", &acme.owner.token).await.expect(200);
        assert_eq!(listed["data"].as_array().unwrap().len(), 1, "nothing was half written");
    }

    /// Sessions end with the user, with the tenant, and with the key that opened them; not with a key's successor.
    async fn t14_what_ends_such_a_session(backend: Backend) {
        let Some((test, acme)) = acme(backend).await else { return };
        let root = test.administrator().await;
        let session = async |key: &str, id: &str| {
            let opened = open(&test, key, json!({"user_external_id": id})).await.expect(200);
            (text(&opened["access_token"]), text(&opened["refresh_token"]), text(&opened["user"]["id"]))
        };
        let is_over = async |(token, refresh, _): &(String, String, String)| {
            test.whoami(token).await.expect_problem(401, "token_revoked");
            test.post_open(REFRESH, json!({"refresh_token": refresh})).await.expect_problem(401, "token_revoked");
        };
        let (ann, bob) = (session(&acme.key, "ann").await, session(&acme.key, "bob").await);
        // A user who is kept out.
        let tenant = acme.tenant.parse().unwrap();
        let by = bailiwick::audit::Actor { name: "test", request_id: None };
        test.app.authn.set_user_status(tenant, ann.2.parse().unwrap(), UserStatus::Locked, by).await.unwrap();
        is_over(&ann).await;
        open(&test, &acme.key, json!({"user_external_id": "ann"})).await.expect_problem(403, "account_locked");
        test.app.authn.set_user_status(tenant, ann.2.parse().unwrap(), UserStatus::Disabled, by).await.unwrap();
        open(&test, &acme.key, json!({"user_external_id": "ann"})).await.expect_problem(403, "account_disabled");
        test.whoami(&bob.0).await.expect(200);
        // A key that makes way leaves its sessions.
        let next = test.post("/v1/client/api-keys/rotate", &acme.key, json!({})).await.expect(200);
        let second = text(&next["secondary_key"]);
        let cyd = session(&second, "cyd").await;
        test.post("/v1/client/api-keys/promote", &acme.key, json!({})).await.expect(200);
        open(&test, &acme.key, json!({"user_external_id": "bob"})).await.expect_problem(401, "api_key_revoked");
        test.whoami(&bob.0).await.expect(200);
        // A key that is revoked takes its sessions with it, and no other.
        let path = format!("{KEYS}/{}", text(&next["key_id"]));
        assert_eq!(test.delete(&path, &acme.owner.token).await.status.as_u16(), 204);
        is_over(&cyd).await;
        test.whoami(&bob.0).await.expect(200);
        test.whoami(&acme.owner.token).await.expect(200);
        // The tenant.
        let path = format!("/v1/admin/tenants/{}", acme.tenant);
        test.send(Method::PATCH, &path, Some(&root.token), Some(json!({"status": "suspended"}))).await.expect(200);
        is_over(&bob).await;
    }

    /// A key that another node revoked opens nothing here, whatever this node still takes it for; and what it opened
    /// ends here too.
    async fn t29_a_revoked_key_opens_no_session_on_another_node(backend: Backend) {
        let Some((test, acme)) = acme(backend).await else { return };
        let body = json!({"user_external_id": "4711"});
        let opened = open(&test, &acme.key, body.clone()).await.expect(200);
        let token = text(&opened["access_token"]);
        test.whoami(&token).await.expect(200);
        let (other, _) = test.second_node().await;
        let tenant = acme.tenant.parse().unwrap();
        let id = key_id(&test, &acme).await.parse().unwrap();
        let by = bailiwick::audit::Actor { name: "test", request_id: None };
        other.authn.revoke_api_key(tenant, id, "test", by).await.unwrap();
        open(&test, &acme.key, body).await.expect_problem(401, "api_key_revoked");
        let left: i64 = test.app.db.sql("SELECT COUNT(*) FROM sessions WHERE api_key_id IS NOT NULL AND revoked_at_ms IS NULL").scalar().await.unwrap();
        assert_eq!(left, 0);
        test.app.sessions.pull().await.unwrap();
        test.whoami(&token).await.expect_problem(401, "token_revoked");
    }

    /// A policy of an application may look at the application's own id of a user; there is no address to look at.
    async fn the_external_id_is_an_attribute(backend: Backend) {
        let Some((test, acme)) = acme(backend).await else { return };
        let root = test.administrator().await;
        let files = json!({
            "manifest.toml": "semver = \"1.0.0\"\n[identity]\nuser = \"User\"\ntenant = \"Tenant\"\n",
            "schema/s.cedarschema": "entity Tenant;\nentity User in [Tenant] = { email?: String, external_id?: String };\n\
                entity Report;\naction view appliesTo { principal: User, resource: Report };",
            "p.cedar": "@id(\"own\")\npermit (principal, action, resource)\n\
                when { principal has external_id && principal.external_id == \"4711\" && !(principal has email) };",
        });
        crate::policy_stores::publish(&test, &root, "reports", &files).await.expect(201);
        crate::policy_stores::activate(&test, &root, "reports", 1).await.expect(200);
        let question = json!({"policy_store": "reports", "action": "view", "resource": {"type": "Report", "id": "r"}});
        for (id, decision) in [("4711", "allow"), ("4712", "deny")] {
            let opened = open(&test, &acme.key, json!({"user_external_id": id, "user_data": {"email": "a@b.example"}})).await.expect(200);
            let answer = test.ask(&text(&opened["access_token"]), question.clone()).await.expect(200);
            assert_eq!(answer["decision"], decision, "{answer}");
        }
    }

    /// What was told is sealed: a dump of the database does not say it.
    async fn t48_what_is_told_is_sealed(backend: Backend) {
        let Some((test, acme)) = acme(backend).await else { return };
        let data = json!({"email": "secret@acme.example", "metadata": {"diagnosis": "private"}});
        open(&test, &acme.key, json!({"user_external_id": "4711", "user_data": data})).await.expect(200);
        let kept: Vec<(Vec<u8>,)> = test.app.db.sql("SELECT external_data FROM users WHERE external_data IS NOT NULL").all().await.unwrap();
        assert_eq!(kept.len(), 1);
        let readable = String::from_utf8_lossy(&kept[0].0);
        assert!(!readable.contains("secret@acme.example") && !readable.contains("diagnosis"));
    }
}

/// The id of a company's primary key.
pub(crate) async fn key_id(test: &TestApp, company: &Company) -> String {
    let tenant = company.tenant.parse().unwrap();
    let page = test.app.api_keys.list(tenant, None, None, Limit::default()).await.unwrap();
    page.data.iter().find(|key| key.slot.as_str() == "primary").unwrap().id.to_string()
}
