//! Tags `client` and `tenants`: companies that share the installation.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Method, Request},
};
use bailiwick::config::Config;
use serde_json::{Value, json};

use crate::{
    api_keys::{KEYS, ask, ask_from, make},
    app::{Actor, PASSWORD, Reply, TestApp, from_peer, raw},
    both,
    support::Backend,
};

/// A company that registered: its tenant, its owner signed in, its primary key.
pub(crate) struct Company {
    pub(crate) tenant: String,
    pub(crate) client: String,
    pub(crate) owner: Actor,
    pub(crate) key: String,
}

pub(crate) async fn open_to_companies(backend: Backend) -> Option<TestApp> {
    open_to_companies_with(backend, |_| ()).await
}

pub(crate) async fn open_to_companies_with(
    backend: Backend,
    change: impl FnOnce(&mut Config),
) -> Option<TestApp> {
    TestApp::spawn_with(backend, |config| {
        config.tenants.self_registration = true;
        change(config);
    })
    .await
}

fn form(name: &str) -> Value {
    json!({"company_name": name, "email": format!("owner@{name}.example"), "password": PASSWORD, "plan": "free"})
}

pub(crate) async fn register(test: &TestApp, name: &str) -> Company {
    let made = test.post_open("/v1/client/register", form(name)).await.expect(201);
    let field = |field: &str| made[field].as_str().unwrap().to_owned();
    let owner = sign_in(test, &format!("owner@{name}.example"), &field("tenant_id")).await.expect(200);
    let owner = Actor::from(owner);
    assert_eq!(owner.id, field("user_id"));
    Company { tenant: field("tenant_id"), client: field("client_id"), owner, key: field("api_key") }
}

pub(crate) async fn sign_in(test: &TestApp, email: &str, tenant: &str) -> Reply {
    sign_in_from(test, email, tenant, "192.0.2.1", None).await
}

pub(crate) async fn sign_in_from(
    test: &TestApp,
    email: &str,
    tenant: &str,
    peer: &str,
    origin: Option<&str>,
) -> Reply {
    let body = json!({"identifier": email, "password": PASSWORD, "tenant": tenant});
    let mut request = Request::post("/v1/auth/login").header("content-type", "application/json");
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    raw(&test.routers.public, from_peer(request.body(Body::from(body.to_string())).unwrap(), peer)).await
}

pub(crate) async fn set(test: &TestApp, by: &Actor, settings: Value) -> Reply {
    test.send(Method::PUT, "/v1/client/settings", Some(&by.token), Some(settings)).await
}

both! {
    async fn a_company_registers_all_or_nothing(backend: Backend) {
        let Some(test) = open_to_companies(backend).await else { return };
        let root = test.administrator().await;
        let acme = register(&test, "acme").await;
        assert!(acme.tenant.starts_with("ten_") && acme.client.starts_with("cli_") && acme.tenant[4..] == acme.client[4..]);
        let about = test.get("/v1/client", &acme.owner.token).await.expect(200);
        assert_eq!(
            (&about["tenant_id"], &about["company_name"], &about["plan"], &about["status"]),
            (&json!(acme.tenant), &json!("acme"), &json!("free"), &json!("active"))
        );
        assert_eq!(test.get("/v1/client", &acme.key).await.expect(200), about);
        let me = test.whoami(&acme.owner.token).await.expect(200);
        assert_eq!((&me["tenant_id"], &me["roles"]), (&json!(acme.tenant), &json!(["tenant_admin"])));
        ask(&test, &acme.key).await.expect(200);
        // By the id of the client, too; and not without, or elsewhere.
        sign_in(&test, "owner@acme.example", &acme.client).await.expect(200);
        test.try_login("owner@acme.example", PASSWORD).await.expect_problem(401, "invalid_credentials");
        sign_in(&test, "root@example.com", &acme.tenant).await.expect_problem(401, "invalid_credentials");
        sign_in(&test, "x@acme.example", "nonsense").await.expect_problem(422, "validation_failed");
        // The same address may own another company; a wrong form makes nothing.
        let before = test.get("/v1/admin/tenants", &root.token).await.expect(200)["data"].as_array().unwrap().len();
        for (change, code, pointer) in [
            (json!({"plan": "ultimate"}), "unknown_plan", "/plan"),
            (json!({"company_name": " "}), "validation_failed", "/company_name"),
            (json!({"email": "x"}), "validation_failed", "/email"),
            (json!({"password": "short"}), "password_too_weak", "/password"),
        ] {
            let mut wrong = form("wrong");
            wrong.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let reply = test.post_open("/v1/client/register", wrong).await;
            assert_eq!(reply.pointers(), [pointer], "{}", reply.text);
            reply.expect_problem(422, code);
        }
        assert_eq!(test.get("/v1/admin/tenants", &root.token).await.expect(200)["data"].as_array().unwrap().len(), before);
    }

    async fn registration_is_closed_unless_configured(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        test.post_open("/v1/client/register", form("acme")).await.expect_problem(403, "registration_closed");
    }

    async fn strangers_join_where_they_may(backend: Backend) {
        let Some(test) = open_to_companies(backend).await else { return };
        let acme = register(&test, "acme").await;
        let join = json!({"email": "bob@acme.example", "password": PASSWORD, "tenant": acme.tenant});
        test.post_open("/v1/auth/register", join.clone()).await.expect_problem(403, "registration_closed");
        set(&test, &acme.owner, json!({"open_registration": true})).await.expect(200);
        test.post_open("/v1/auth/register", join).await.expect(202);
        let bob = Actor::from(sign_in(&test, "bob@acme.example", &acme.tenant).await.expect(200));
        assert_eq!(test.whoami(&bob.token).await.expect(200)["roles"], json!(["user"]));
        // A plain user manages nothing.
        for path in ["/v1/client", "/v1/client/settings", "/v1/admin/roles"] {
            test.get(path, &bob.token).await.expect_problem(403, "insufficient_permissions");
        }
        set(&test, &bob, json!({})).await.expect_problem(403, "insufficient_permissions");
    }

    async fn a_tenant_admin_manages_the_tenant_and_not_the_installation(backend: Backend) {
        let Some(test) = open_to_companies(backend).await else { return };
        let acme = register(&test, "acme").await;
        let by = &acme.owner.token;
        let roles = test.get("/v1/admin/roles", by).await.expect(200);
        let names: Vec<_> = roles["data"].as_array().unwrap().iter().map(|role| role["name"].clone()).collect();
        assert_eq!(json!(names), json!(["tenant_admin", "user"]));
        test.post("/v1/admin/roles", by, json!({"name": "clerk", "inherits": "user"})).await.expect(201);
        // Names that policies of this server know cannot be made again.
        for name in ["super_admin", "admin", "manager"] {
            test.post("/v1/admin/roles", by, json!({"name": name})).await.expect_problem(409, "conflict");
        }
        for (method, path, body) in [
            (Method::GET, "/v1/policy-stores", None),
            (Method::GET, "/v1/policy-stores/app/versions", None),
            (Method::POST, "/v1/policy-stores/app/activate", Some(json!({"version": 1}))),
            (Method::GET, "/v1/policy-stores/app/entities", None),
            (Method::GET, "/v1/admin/tenants", None),
            (Method::POST, "/v1/admin/tenants", Some(json!({"company_name": "x", "plan": "free"}))),
            (Method::GET, "/v1/admin/keys", None),
        ] {
            test.send(method, path, Some(by), body).await.expect_problem(403, "insufficient_permissions");
        }
        let (_, own) = make(&test, &acme.owner, json!({"name": "k", "scopes": ["*"]})).await;
        test.get("/v1/policy-stores", &own).await.expect_problem(403, "insufficient_permissions");
        test.get("/v1/admin/roles", &own).await.expect(200);
    }

    async fn the_primary_key_makes_way_without_a_gap(backend: Backend) {
        let Some(test) = open_to_companies(backend).await else { return };
        let acme = register(&test, "acme").await;
        let (rotate, promote) = ("/v1/client/api-keys/rotate", "/v1/client/api-keys/promote");
        test.post(promote, &acme.key, json!({})).await.expect_problem(409, "conflict");
        let made = test.post(rotate, &acme.key, json!({})).await.expect(200);
        let second = made["secondary_key"].as_str().unwrap().to_owned();
        ask(&test, &acme.key).await.expect(200);
        ask(&test, &second).await.expect(200);
        // A secondary key does not promote itself, and is not replaced by accident.
        test.post(promote, &second, json!({})).await.expect_problem(403, "insufficient_permissions");
        test.post(rotate, &acme.owner.token, json!({})).await.expect_problem(409, "conflict");
        let third = test.post(rotate, &acme.owner.token, json!({"replace": true})).await.expect(200);
        let third = third["secondary_key"].as_str().unwrap().to_owned();
        ask(&test, &second).await.expect_problem(401, "api_key_revoked");
        test.post(promote, &acme.owner.token, json!({"grace_seconds": 604_801})).await.expect_problem(422, "validation_failed");
        let promoted = test.post(promote, &acme.owner.token, json!({"grace_seconds": 60})).await.expect(200);
        assert_eq!(promoted["message"], "Key promoted");
        ask(&test, &acme.key).await.expect(200);
        ask(&test, &third).await.expect(200);
        test.advance(Duration::from_mins(1));
        ask(&test, &acme.key).await.expect_problem(401, "api_key_expired");
        // Without grace the old one ends at once.
        let fourth = test.post(rotate, &third, json!({})).await.expect(200);
        test.post(promote, &third, json!({})).await.expect(200);
        ask(&test, &third).await.expect_problem(401, "api_key_revoked");
        ask(&test, fourth["secondary_key"].as_str().unwrap()).await.expect(200);
    }

    async fn a_tenant_is_used_from_its_networks_and_origins(backend: Backend) {
        let Some(test) = open_to_companies(backend).await else { return };
        let acme = register(&test, "acme").await;
        let lists = json!({
            "open_registration": false, "allowed_origins": ["https://app.acme.example"], "ip_allowlist": ["203.0.113.0/24"],
            "socket_urls": ["wss://socket.acme.example/live"],
        });
        assert_eq!(set(&test, &acme.owner, lists.clone()).await.expect(200), lists);
        assert_eq!(test.get("/v1/client/settings", &acme.owner.token).await.expect(200), lists);
        ask_from(&test, &acme.key, "203.0.113.9").await.expect(200);
        ask_from(&test, &acme.key, "::ffff:203.0.113.9").await.expect(200);
        ask_from(&test, &acme.key, "198.51.100.1").await.expect_problem(403, "policy_violation");
        let mail = "owner@acme.example";
        sign_in_from(&test, mail, &acme.tenant, "203.0.113.9", None).await.expect(200);
        sign_in_from(&test, mail, &acme.tenant, "198.51.100.1", None).await.expect_problem(403, "policy_violation");
        // Another tenant has no such list.
        let other = register(&test, "other").await;
        ask_from(&test, &other.key, "198.51.100.1").await.expect(200);
        set(&test, &acme.owner, json!({})).await.expect(200);
        ask_from(&test, &acme.key, "198.51.100.1").await.expect(200);
        for (wrong, pointer) in [
            (json!({"allowed_origins": ["https://app.acme.example/"]}), "/allowed_origins/0"),
            (json!({"ip_allowlist": ["10.0.0.0/8", "x"]}), "/ip_allowlist/1"),
            (json!({"socket_urls": ["https://x"]}), "/socket_urls/0"),
            (json!({"allowed_origins": vec!["https://x.example"; 65]}), "/allowed_origins"),
        ] {
            let reply = set(&test, &acme.owner, wrong).await;
            assert_eq!(reply.pointers(), [pointer], "{}", reply.text);
            reply.expect_problem(422, "validation_failed");
        }
    }

    async fn administrators_keep_tenants(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let tenants = "/v1/admin/tenants";
        let made = test.post(tenants, &root.token, json!({"company_name": "Acme", "plan": "pro"})).await.expect(201);
        let path = format!("{tenants}/{}", made["tenant_id"].as_str().unwrap());
        assert_eq!(test.get(&path, &root.token).await.expect(200), made);
        let change = json!({"company_name": "Acme Inc", "plan": "enterprise"});
        let changed = test.send(Method::PATCH, &path, Some(&root.token), Some(change)).await.expect(200);
        assert_eq!((&changed["company_name"], &changed["plan"]), (&json!("Acme Inc"), &json!("enterprise")));
        test.send(Method::PATCH, &path, Some(&root.token), Some(json!({"plan": "x"}))).await.expect_problem(422, "unknown_plan");
        test.post(tenants, &root.token, json!({"company_name": "x", "plan": "x"})).await.expect_problem(422, "unknown_plan");
        let listed = test.get(tenants, &root.token).await.expect(200);
        assert_eq!(listed["data"].as_array().unwrap().len(), 2);
        test.get(&format!("{tenants}/ten_019aa2c5b8f07d3c9f0b6f2f3c1d9e47"), &root.token).await.expect_problem(404, "not_found");
        let admin = test.user_with_role(&root, "admin").await;
        test.get(tenants, &admin.token).await.expect_problem(403, "insufficient_permissions");
        assert_eq!(test.get(KEYS, &root.token).await.expect(200)["data"], json!([]));
    }

    /// A policy of an application may look at the plan of whoever asks.
    async fn the_plan_is_an_attribute(backend: Backend) {
        let Some(test) = open_to_companies(backend).await else { return };
        let root = test.administrator().await;
        let acme = register(&test, "acme").await;
        let files = json!({
            "manifest.toml": "semver = \"1.0.0\"\n[identity]\nuser = \"User\"\ntenant = \"Tenant\"\n",
            "schema/plans.cedarschema": "entity Tenant = { plan: String };\nentity User in [Tenant] = { tenant: Tenant };\n\
                entity Report;\naction view appliesTo { principal: User, resource: Report };",
            "plans.cedar": "@id(\"paid\")\npermit (principal, action, resource) when { principal.tenant.plan == \"pro\" };",
        });
        crate::policy_stores::publish(&test, &root, "plans", &files).await.expect(201);
        crate::policy_stores::activate(&test, &root, "plans", 1).await.expect(200);
        let question = json!({"policy_store": "plans", "action": "view", "resource": {"type": "Report", "id": "r"}});
        let asks = || async { test.ask(&acme.owner.token, question.clone()).await.expect(200)["decision"].clone() };
        assert_eq!(asks().await, "deny");
        let path = format!("/v1/admin/tenants/{}", acme.tenant);
        test.send(Method::PATCH, &path, Some(&root.token), Some(json!({"plan": "pro"}))).await.expect(200);
        assert_eq!(asks().await, "allow", "the change counts for the next decision");
    }
}
