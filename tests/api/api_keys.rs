//! Tag `api-keys`: keys by which programs call this API.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Method, Request},
};
use bailiwick::users::UserStatus;
use serde_json::{Value, json};

use crate::{
    app::{Actor, Reply, TestApp, from_peer, raw},
    both,
    policy_stores::{EVERYONE, activate, files, publish},
};

pub(crate) const KEYS: &str = "/v1/api-keys";

/// Makes a key; answers its id and its text.
pub(crate) async fn make(test: &TestApp, by: &Actor, body: Value) -> (String, String) {
    let made = test.post(KEYS, &by.token, body).await.expect(201);
    (made["id"].as_str().unwrap().to_owned(), made["api_key"].as_str().unwrap().to_owned())
}

/// A question about the caller that any key with the scope may ask.
pub(crate) fn question() -> Value {
    json!({"action": "view", "resource": {"type": "Document", "id": "handbook"}, "principal": "User::\"x\""})
}

/// Asks about somebody by `X-API-Key`, from an address.
pub(crate) async fn ask_from(test: &TestApp, key: &str, peer: &str) -> Reply {
    let request = Request::post("/v1/authorize")
        .header("content-type", "application/json")
        .header("x-api-key", key)
        .body(Body::from(question().to_string()));
    raw(&test.routers.public, from_peer(request.unwrap(), peer)).await
}

/// Asks about somebody by `X-API-Key`.
pub(crate) async fn ask(test: &TestApp, key: &str) -> Reply {
    ask_from(test, key, "192.0.2.1").await
}

async fn patch(test: &TestApp, by: &Actor, id: &str, change: Value) -> Reply {
    test.send(Method::PATCH, &format!("{KEYS}/{id}"), Some(&by.token), Some(change)).await
}

/// A server, its administrator, and a manager.
async fn with_manager(backend: crate::support::Backend) -> Option<(TestApp, Actor, Actor)> {
    let test = TestApp::spawn(backend).await?;
    let root = test.administrator().await;
    let manager = test.user_with_role(&root, "manager").await;
    Some((test, root, manager))
}

both! {
    async fn a_key_is_made_shown_once_changed_and_revoked(backend: Backend) {
        let Some((test, _, ann)) = with_manager(backend).await else { return };
        let made = test.post(KEYS, &ann.token, json!({"name": "import \u{1f511}"})).await.expect(201);
        let whole = made["api_key"].as_str().unwrap();
        assert!(whole.starts_with("bwk_prod_") && whole.len() == 9 + 22 + 43 + 6, "{whole}");
        let id = made["id"].as_str().unwrap();
        let about = json!({
            "id": id, "name": "import \u{1f511}", "env": "prod", "owner": ann.id, "slot": "none",
            "roles": ["manager", "user"], "scopes": ["decisions"], "ip_allowlist": [], "rate": null,
            "created_by": ann.id, "created_at": "2026-11-23T10:00:00.000Z", "expires_at": null,
            "last_used_at": null, "last_used_ip": null,
        });
        let path = format!("{KEYS}/{id}");
        assert_eq!(test.get(&path, &ann.token).await.expect(200), about);
        assert_eq!(test.get(KEYS, &ann.token).await.expect(200), json!({"data": [about], "next_cursor": null}));
        ask(&test, whole).await.expect(200);

        let change = json!({
            "name": "export", "scopes": ["readEntities", "roles.read"], "ip_allowlist": ["203.0.113.77/24", "2001:db8::1"],
            "rate": {"rps": 5, "burst": 10}, "expires_in_secs": 60,
        });
        let changed = patch(&test, &ann, id, change).await.expect(200);
        assert_eq!(
            (&changed["name"], &changed["scopes"], &changed["ip_allowlist"], &changed["rate"], &changed["expires_at"]),
            (&json!("export"), &json!(["readEntities", "roles.read"]), &json!(["203.0.113.0/24", "2001:db8::1/128"]),
             &json!({"rps": 5, "burst": 10}), &json!("2026-11-23T10:01:00.000Z")),
        );
        let lifted = patch(&test, &ann, id, json!({"rate": null, "expires_in_secs": null, "ip_allowlist": []})).await.expect(200);
        assert_eq!((&lifted["rate"], &lifted["expires_at"], &lifted["name"]), (&Value::Null, &Value::Null, &json!("export")));

        test.delete(&path, &ann.token).await.expect(204);
        test.delete(&path, &ann.token).await.expect_problem(404, "not_found");
        test.get(&path, &ann.token).await.expect_problem(404, "not_found");
        patch(&test, &ann, id, json!({"name": "x"})).await.expect_problem(404, "not_found");
        assert_eq!(test.get(KEYS, &ann.token).await.expect(200)["data"], json!([]));
        ask(&test, whole).await.expect_problem(401, "api_key_revoked");
    }

    async fn what_cannot_be_a_key_is_pointed_at(backend: Backend) {
        let Some((test, _, ann)) = with_manager(backend).await else { return };
        for (wrong, pointer) in [
            (json!({"name": ""}), "/name"),
            (json!({"name": "x", "scopes": ["decisions", "login"]}), "/scopes/1"),
            (json!({"name": "x", "ip_allowlist": ["10.0.0.0/8", "10.0.0.0/33"]}), "/ip_allowlist/1"),
            (json!({"name": "x", "ip_allowlist": ["fe80::1%eth0"]}), "/ip_allowlist/0"),
            (json!({"name": "x", "ip_allowlist": vec!["10.0.0.1"; 65]}), "/ip_allowlist"),
            (json!({"name": "x", "rate": {"rps": 0, "burst": 1}}), "/rate/rps"),
            (json!({"name": "x", "rate": {"rps": 1, "burst": 0}}), "/rate/burst"),
            (json!({"name": "x", "expires_in_secs": 0}), "/expires_in_secs"),
            (json!({"name": "x", "roles": ["Manager"]}), "/roles/0"),
        ] {
            let reply = test.post(KEYS, &ann.token, wrong.clone()).await;
            assert_eq!(reply.pointers(), [pointer], "{wrong}: {}", reply.text);
            reply.expect_problem(422, "validation_failed");
        }
        test.post(KEYS, &ann.token, json!({"name": "x", "roles": ["ghost"]})).await.expect_problem(422, "unknown_role");
    }

    async fn a_key_comes_in_any_of_three_headers(backend: Backend) {
        let Some((test, _, ann)) = with_manager(backend).await else { return };
        let (_, key) = make(&test, &ann, json!({"name": "k"})).await;
        for (name, value) in [
            ("x-api-key", key.clone()),
            ("authorization", format!("ApiKey {key}")),
            ("authorization", format!("Bearer {key}")),
        ] {
            for (path, body) in [("/v1/authorize", question()), ("/v1/authorize/batch", json!({"requests": [question()]}))] {
                let request = Request::post(path).header("content-type", "application/json").header(name, value.clone());
                let reply = raw(&test.routers.public, request.body(Body::from(body.to_string())).unwrap()).await;
                reply.expect(200);
            }
        }
        let both = Request::post("/v1/authorize").header("x-api-key", &key).header("authorization", format!("Bearer {}", ann.token));
        raw(&test.routers.public, both.body(Body::empty()).unwrap()).await.expect_problem(401, "token_invalid");
    }

    async fn scopes_narrow_what_roles_permit(backend: Backend) {
        let Some((test, root, _)) = with_manager(backend).await else { return };
        for (scopes, may_list, may_read, may_make) in [
            (json!(["*"]), true, true, true),
            (json!(["roles.read"]), true, false, false),
            (json!(["readPolicyStore"]), false, true, false),
            (json!(["decisions"]), false, false, false),
            (json!([]), false, false, false),
        ] {
            let (_, key) = make(&test, &root, json!({"name": "k", "scopes": scopes})).await;
            let replies = [
                (test.get("/v1/admin/roles", &key).await, may_list, 200),
                (test.get("/v1/policy-stores/app/versions", &key).await, may_read, 200),
                (test.post("/v1/admin/roles", &key, json!({"name": "made-by-key"})).await, may_make, 201),
            ];
            for (reply, may, status) in replies {
                if may { reply.expect(status) } else { reply.expect_problem(403, "insufficient_permissions") };
            }
        }
    }

    async fn a_key_has_no_role_that_its_owner_has_not(backend: Backend) {
        let Some((test, root, ann)) = with_manager(backend).await else { return };
        test.post(KEYS, &ann.token, json!({"name": "k", "roles": ["admin"]})).await.expect_problem(403, "insufficient_permissions");
        let (_, less) = make(&test, &ann, json!({"name": "k", "roles": ["user"], "scopes": ["*"]})).await;
        let (_, same) = make(&test, &ann, json!({"name": "k", "scopes": ["*"]})).await;
        let (_, heir) = make(&test, &root, json!({"name": "k", "roles": ["manager"], "scopes": ["*"]})).await;
        let reads = |key: String| { let test = &test; async move { test.get("/v1/policy-stores", &key).await.status.as_u16() } };
        assert_eq!((reads(less).await, reads(same.clone()).await, reads(heir.clone()).await), (403, 200, 200));
        test.get("/v1/admin/roles", &heir).await.expect_problem(403, "insufficient_permissions");
        // What is taken from the owner is taken from the key, on its next request.
        let bindings = test.get(&format!("/v1/admin/role-bindings?user_id={}", ann.id), &root.token).await.expect(200);
        let binding = bindings["data"].as_array().unwrap().iter().find(|binding| binding["role"] == "manager").unwrap();
        test.delete(&format!("/v1/admin/role-bindings/{}", binding["id"].as_str().unwrap()), &root.token).await.expect(204);
        assert_eq!(reads(same.clone()).await, 403);
        test.grant(&root, &ann, "manager").await;
        assert_eq!(reads(same).await, 200);
    }

    async fn a_key_stands_and_falls_with_its_owner(backend: Backend) {
        let Some((test, _, ann)) = with_manager(backend).await else { return };
        let (_, key) = make(&test, &ann, json!({"name": "k"})).await;
        ask(&test, &key).await.expect(200);
        test.set_status(&ann, UserStatus::Disabled).await;
        ask(&test, &key).await.expect_problem(401, "api_key_revoked");
        test.set_status(&ann, UserStatus::Active).await;
        ask(&test, &key).await.expect(200);
    }

    async fn a_key_ends_when_it_should(backend: Backend) {
        let Some((test, _, ann)) = with_manager(backend).await else { return };
        let (_, key) = make(&test, &ann, json!({"name": "k", "expires_in_secs": 5})).await;
        test.advance(Duration::from_millis(4_999));
        ask(&test, &key).await.expect(200);
        test.advance(Duration::from_millis(1));
        ask(&test, &key).await.expect_problem(401, "api_key_expired");
    }

    /// T23: lists are compared with the address that proxies of ours vouch for, and with no other.
    async fn t23_a_key_is_used_from_its_networks(backend: Backend) {
        let proxies = |config: &mut bailiwick::config::Config| config.server.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        let Some(test) = TestApp::spawn_with(backend, proxies).await else { return };
        let root = test.administrator().await;
        let (id, key) = make(&test, &root, json!({"name": "k", "ip_allowlist": ["203.0.113.0/24", "2001:db8::/32"]})).await;
        for peer in ["203.0.113.9", "::ffff:203.0.113.9", "2001:db8:7::1"] {
            ask_from(&test, &key, peer).await.expect(200);
        }
        for peer in ["203.0.114.9", "::ffff:203.0.114.9", "2001:db9::1", "10.0.0.1"] {
            ask_from(&test, &key, peer).await.expect_problem(403, "ip_not_allowed");
        }
        let forwarded = |peer: &'static str, by: &'static str| {
            let request = Request::post("/v1/authorize").header("content-type", "application/json")
                .header("x-api-key", &key).header("x-forwarded-for", by).body(Body::from(question().to_string())).unwrap();
            let router = &test.routers.public;
            async move { raw(router, from_peer(request, peer)).await.status.as_u16() }
        };
        assert_eq!(forwarded("10.0.0.1", "203.0.113.9").await, 200);
        assert_eq!(forwarded("10.0.0.1", "203.0.113.9, 198.51.100.1").await, 403, "the leftmost never wins");
        assert_eq!(forwarded("198.51.100.1", "203.0.113.9").await, 403, "strangers do not vouch");
        // An answer whose origin nobody knows is on no list.
        test.post("/v1/authorize", &key, question()).await.expect_problem(403, "ip_not_allowed");
        patch(&test, &root, &id, json!({"ip_allowlist": ["198.51.100.1"]})).await.expect(200);
        assert_eq!(forwarded("10.0.0.1", "203.0.113.9").await, 403, "a change counts at once");
    }

    async fn a_key_is_used_no_faster_than_it_may(backend: Backend) {
        let Some((test, _, ann)) = with_manager(backend).await else { return };
        let (_, slow) = make(&test, &ann, json!({"name": "k", "rate": {"rps": 2, "burst": 3}})).await;
        let (_, free) = make(&test, &ann, json!({"name": "k"})).await;
        let limit = |reply: &Reply| (reply.header("ratelimit-policy").to_owned(), reply.header("ratelimit").to_owned());
        let says = |state: &str| ("\"api-key\";q=3;w=2".to_owned(), format!("\"api-key\";{state}"));
        for state in ["r=2;t=1", "r=1;t=1", "r=0;t=2"] {
            let reply = ask(&test, &slow).await;
            assert_eq!(limit(&reply), says(state), "all are back after one and a half seconds");
            reply.expect(200);
        }
        let refused = ask(&test, &slow).await;
        assert_eq!((refused.header("retry-after"), limit(&refused)), ("1", says("r=0;t=1")));
        refused.expect_problem(429, "rate_limit_exceeded");
        let unlimited = ask(&test, &free).await;
        assert_eq!(limit(&unlimited), Default::default());
        unlimited.expect(200);
        test.advance(Duration::from_millis(500));
        ask(&test, &slow).await.expect(200);
        ask(&test, &slow).await.expect_problem(429, "rate_limit_exceeded");
    }

    async fn the_last_use_is_written_once_a_minute(backend: Backend) {
        let Some((test, _, ann)) = with_manager(backend).await else { return };
        let (id, key) = make(&test, &ann, json!({"name": "k"})).await;
        let used = || async {
            test.app.api_keys.write_usage().await.unwrap();
            let shown = test.get(&format!("{KEYS}/{id}"), &ann.token).await.expect(200);
            (shown["last_used_at"].clone(), shown["last_used_ip"].clone())
        };
        assert_eq!(used().await, (Value::Null, Value::Null));
        ask_from(&test, &key, "::ffff:203.0.113.9").await.expect(200);
        let first = (json!("2026-11-23T10:00:00.000Z"), json!("203.0.113.9"));
        assert_eq!(used().await, first);
        test.advance(Duration::from_millis(59_999));
        ask_from(&test, &key, "203.0.113.10").await.expect(200);
        assert_eq!(used().await, first);
        test.advance(Duration::from_millis(1));
        ask_from(&test, &key, "203.0.113.10").await.expect(200);
        assert_eq!(used().await, (json!("2026-11-23T10:01:00.000Z"), json!("203.0.113.10")));
    }

    async fn keys_are_managed_by_their_owners_and_by_administrators(backend: Backend) {
        let Some((test, root, ann)) = with_manager(backend).await else { return };
        let bob = test.user("bob").await;
        let (id, key) = make(&test, &ann, json!({"name": "k", "scopes": ["*"]})).await;
        let path = format!("{KEYS}/{id}");
        // To another user it is as if it did not exist.
        let absent = format!("{KEYS}/key_019aa2c5b8f07d3c9f0b6f2f3c1d9e47");
        for method in [Method::GET, Method::PATCH, Method::DELETE] {
            let body = (method == Method::PATCH).then(|| json!({"name": "mine"}));
            let refused = test.send(method.clone(), &path, Some(&bob.token), body.clone()).await.expect_problem(404, "not_found");
            let nothing = test.send(method, &absent, Some(&bob.token), body).await.expect_problem(404, "not_found");
            assert_eq!(refused.as_object().unwrap().keys().collect::<Vec<_>>(), nothing.as_object().unwrap().keys().collect::<Vec<_>>());
        }
        assert_eq!(test.get(KEYS, &bob.token).await.expect(200)["data"], json!([]));
        test.get(&path, &root.token).await.expect(200);
        test.delete(&path, &root.token).await.expect(204);
        ask(&test, &key).await.expect_problem(401, "api_key_revoked");
        // A key manages no keys, nor an account.
        let (_, key) = make(&test, &root, json!({"name": "k", "scopes": ["*"]})).await;
        for (method, path) in [(Method::GET, KEYS), (Method::GET, &*path), (Method::GET, "/v1/users/me"), (Method::GET, "/v1/sessions")] {
            test.send(method, path, Some(&key), None).await.expect_problem(401, "wrong_token_type");
        }
        test.post(KEYS, &key, json!({"name": "more"})).await.expect_problem(401, "wrong_token_type");
    }

    async fn there_are_only_so_many_keys(backend: Backend) {
        let few = |config: &mut bailiwick::config::Config| config.api_keys.max_per_user = 2;
        let Some(test) = TestApp::spawn_with(backend, few).await else { return };
        let root = test.administrator().await;
        let (first, _) = make(&test, &root, json!({"name": "1"})).await;
        test.advance(Duration::from_millis(1));
        make(&test, &root, json!({"name": "2"})).await;
        let page = test.get(&format!("{KEYS}?limit=1"), &root.token).await.expect(200);
        let next = test.get(&format!("{KEYS}?limit=1&cursor={}", page["next_cursor"].as_str().unwrap()), &root.token).await.expect(200);
        assert_eq!((&page["data"][0]["name"], &next["data"][0]["name"], &next["next_cursor"]), (&json!("1"), &json!("2"), &Value::Null));
        test.post(KEYS, &root.token, json!({"name": "3"})).await.expect_problem(409, "key_limit_reached");
        test.delete(&format!("{KEYS}/{first}"), &root.token).await.expect(204);
        make(&test, &root, json!({"name": "3"})).await;
    }

    /// A store that maps keys to a type of its own decides about them, and its own key is the principal by default.
    async fn keys_are_entities_of_stores_that_ask_for_them(backend: Backend) {
        let Some((test, root, ann)) = with_manager(backend).await else { return };
        let mut store = files(EVERYONE);
        store["manifest.toml"] = json!("semver = \"1.0.0\"\n[identity]\nuser = \"User\"\nrole = \"Group\"\ntenant = \"Org\"\napi_key = \"Program\"\n");
        store["schema/notes.cedarschema"] = json!(
            "entity User, Org; entity Group in [Group]; entity Document;\n\
             entity Program in [Group, Org] = { scopes: Set<String>, owner?: User, tenant: Org };\n\
             action view appliesTo { principal: [User, Program], resource: Document };"
        );
        store["notes.cedar"] = json!(
            "@id(\"managed\")\npermit (principal in Group::\"manager\", action, resource)\n\
             when { principal is Program && principal.scopes.contains(\"authorize\") && principal has owner };"
        );
        publish(&test, &root, "notes", &store).await.expect(201);
        activate(&test, &root, "notes", 1).await.expect(200);
        let (id, key) = make(&test, &ann, json!({"name": "k", "scopes": ["authorize"]})).await;
        let question = json!({"policy_store": "notes", "action": "view", "resource": {"type": "Document", "id": "d"}});
        assert_eq!(test.post("/v1/authorize", &key, question.clone()).await.expect(200)["decision"], "allow");
        let mut named = question;
        named["principal"] = json!({"type": "Program", "id": id});
        assert_eq!(test.post("/v1/authorize", &key, named.clone()).await.expect(200)["decision"], "allow");
        assert_eq!(test.post("/v1/authorize", &root.token, named.clone()).await.expect(200)["decision"], "allow");
        named["principal"] = json!({"type": "Program", "id": "key_019aa2c5b8f07d3c9f0b6f2f3c1d9e47"});
        assert_eq!(test.post("/v1/authorize", &root.token, named).await.expect(200)["decision"], "deny");
    }

    /// The use of a key is a decision of the system store, with the address in its context.
    async fn policies_say_where_keys_are_used(backend: Backend) {
        let Some((test, root, ann)) = with_manager(backend).await else { return };
        let (_, key) = make(&test, &ann, json!({"name": "k"})).await;
        ask_from(&test, &key, "192.0.2.1").await.expect(200);
        let status = test.get("/v1/policy-stores/system/status", &root.token).await.expect(200);
        let number = &status["active"]["version"];
        let version = test.get(&format!("/v1/policy-stores/system/versions/{number}"), &root.token).await.expect(200);
        let mut files = version["files"].clone();
        files["house.cedar"] = json!(
            "@id(\"keys-from-the-office\")\n@reason(\"keys are used in the office\")\n\
             forbid (principal is ApiKey, action == Action::\"useApiKey\", resource)\n\
             unless { context.bailiwick has ip && context.bailiwick.ip.isInRange(ip(\"192.0.2.0/24\")) };"
        );
        files.as_object_mut().unwrap().remove("tests/api-keys.json"); // they say what this changes
        let made = publish(&test, &root, "system", &files).await.expect(201);
        activate(&test, &root, "system", made["version"].as_i64().unwrap()).await.expect(200);
        ask_from(&test, &key, "192.0.2.1").await.expect(200);
        let refused = ask_from(&test, &key, "198.51.100.1").await.expect_problem(403, "policy_violation");
        assert!(refused["decision_id"].as_str().unwrap().starts_with("dec_"));
        ask_from(&test, &key, "198.51.100.1").await.expect_problem(403, "policy_violation");
        ask_from(&test, &key, "192.0.2.2").await.expect(200);
    }
}
