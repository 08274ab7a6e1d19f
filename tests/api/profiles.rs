//! Tag `profiles`: what people say of themselves.

use axum::http::Method;
use bailiwick::{
    audit,
    base::{Limit, TenantId},
    profiles::{MAX_METADATA_BYTES, MAX_METADATA_DEPTH},
    users::UserStatus,
};
use serde_json::{Value, json};

use crate::{
    app::{Actor, PASSWORD, Reply, TestApp},
    both,
    client::{open_to_companies, register},
    entities::ask,
};

fn path(user: &str) -> String {
    format!("/v1/users/{user}/profile")
}

async fn read(test: &TestApp, by: &Actor, user: &str) -> Reply {
    test.get(&path(user), &by.token).await
}

async fn patch(test: &TestApp, by: &Actor, user: &str, body: Value) -> Reply {
    patch_if(test, by, user, body, None).await
}

async fn patch_if(test: &TestApp, by: &Actor, user: &str, body: Value, expected: Option<&str>) -> Reply {
    let body = ("application/merge-patch+json", body.to_string());
    ask(test, by, Method::PATCH, &path(user), body, expected).await
}

both! {
    async fn a_profile_is_empty_then_patched(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let empty = read(&test, &ann, &ann.id).await;
        assert_eq!(empty.header("etag"), "\"0\"");
        assert_eq!(empty.header("cache-control"), "no-store");
        assert_eq!(empty.expect(200), json!({"user_id": ann.id, "metadata": {}, "last_activity_at": null, "updated_at": null}));

        let first = json!({
            "given_name": " Ann ", "family_name": "Liddell", "picture": "https://images.example.com/ann.png",
            "birthdate": "1990-02-28", "zoneinfo": "Europe/Paris", "locale": "fr-CA", "phone_number": "+14155550100",
            "address": {"locality": "Paris", "country": "France"}, "metadata": {"theme": "dark", "n": {"a": 1, "b": 2}},
        });
        let made = patch(&test, &ann, &ann.id, first).await;
        assert_eq!(made.header("etag"), "\"1\"");
        made.expect(200);
        let second = json!({
            "family_name": null, "address": {"country": null}, "metadata": {"n": {"a": null, "c": [null, {"x": null}]}},
        });
        let changed = patch(&test, &ann, &ann.id, second).await;
        assert_eq!(changed.header("etag"), "\"2\"");
        let shown = changed.expect(200);
        assert_eq!(shown, json!({
            "user_id": ann.id, "given_name": "Ann", "picture": "https://images.example.com/ann.png",
            "birthdate": "1990-02-28", "zoneinfo": "Europe/Paris", "locale": "fr-CA", "phone_number": "+14155550100",
            "address": {"locality": "Paris"}, "metadata": {"theme": "dark", "n": {"b": 2, "c": [null, {"x": null}]}},
            "last_activity_at": shown["last_activity_at"], "updated_at": shown["updated_at"],
        }));
        assert!(shown["updated_at"].is_string());
        assert_eq!(read(&test, &ann, &ann.id).await.expect(200), shown);

        let gone = patch(&test, &ann, &ann.id, json!({"address": {"locality": null}, "metadata": null})).await.expect(200);
        assert!(gone.get("address").is_none() && gone["metadata"] == json!({}), "{gone}");
        let same = patch(&test, &ann, &ann.id, json!({"given_name": "Ann", "nickname": null})).await;
        assert_eq!(same.header("etag"), "\"3\"", "a patch that changes nothing is no revision");

        // The record has names, and no values.
        let records = audit::list(&mut &test.app.db, TenantId::DEFAULT, Limit::new(200).unwrap()).await.unwrap();
        let told: Vec<_> = records.iter().filter(|record| record.action == "profile_updated").collect();
        assert_eq!(told.len(), 3);
        let names = |record: &&&audit::Record| record.detail == r#"{"changed":["address","family_name","metadata"]}"#;
        assert_eq!(told.iter().filter(names).count(), 1);
        assert!(told.iter().all(|record| record.actor == ann.id && record.subject == ann.id));
        assert_eq!(records.iter().filter(|record| record.action == "profile_created").count(), 1);
        assert!(records.iter().all(|record| !record.detail.contains("Liddell") && !record.detail.contains("dark")));
    }

    async fn a_profile_is_changed_as_it_was_seen(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let name = |name: &str| json!({ "nickname": name });
        for (body, expected, status) in [
            (name("a"), "\"1\"", 412),
            (name("a"), "\"0\"", 200),
            (name("b"), "\"0\"", 412),
            (name("b"), "W/\"1\"", 412),
            (name("b"), "\"7\", \"1\"", 200),
            (name("c"), "*", 200),
            (name("c"), "x", 412),
        ] {
            let reply = patch_if(&test, &ann, &ann.id, body, Some(expected)).await;
            assert_eq!(reply.status, status, "{expected}: {}", reply.text);
        }
        let refused = patch_if(&test, &ann, &ann.id, name("d"), Some("\"1\"")).await.expect_problem(412, "precondition_failed");
        assert_eq!(refused["revision"], 3);
        let now = read(&test, &ann, &ann.id).await;
        assert_eq!((now.header("etag"), &now.body["nickname"]), ("\"3\"", &json!("c")));
        // Of two who saw the same, one writes.
        let both = tokio::join!(
            patch_if(&test, &ann, &ann.id, name("one"), Some("\"3\"")),
            patch_if(&test, &ann, &ann.id, name("two"), Some("\"3\"")),
        );
        let mut statuses = [both.0.status.as_u16(), both.1.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412]);
    }

    async fn wrong_members_are_pointed_at(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let deep = (1..=MAX_METADATA_DEPTH).fold(json!({}), |inner, _| json!({ "a": inner }));
        let large = "x".repeat(MAX_METADATA_BYTES);
        for (body, pointer) in [
            (json!({"email": "a@example.com"}), "/email"),
            (json!({"user_id": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47"}), "/user_id"),
            (json!({"last_activity_at": "2026-11-21T09:15:00.000Z"}), "/last_activity_at"),
            (json!({"given_name": 1}), "/given_name"),
            (json!({"given_name": ""}), "/given_name"),
            (json!({"picture": "javascript:alert(1)"}), "/picture"),
            (json!({"birthdate": "1990-02-30"}), "/birthdate"),
            (json!({"address": {"planet": "Mars"}}), "/address/planet"),
            (json!({"address": {"country": "a\u{7}"}}), "/address/country"),
            (json!({"metadata": []}), "/metadata"),
            (json!({ "metadata": deep }), "/metadata"),
            (json!({"metadata": {"a": large}}), "/metadata"),
            (json!({"metadata": {"a": "\u{0}"}}), ""),
        ] {
            let reply = patch(&test, &ann, &ann.id, body.clone()).await;
            assert_eq!(reply.pointers(), [pointer], "{:.200}", body.to_string());
            reply.expect_problem(422, "validation_failed");
        }
        // All that is wrong is told at once, and nothing is half-written.
        let reply = patch(&test, &ann, &ann.id, json!({"locale": "en_US", "zoneinfo": "/", "nickname": "Al"})).await;
        assert_eq!(reply.pointers(), ["/zoneinfo", "/locale"]);
        assert_eq!(read(&test, &ann, &ann.id).await.header("etag"), "\"0\"");
        // The bound is of the whole, not of what is sent.
        let half = "x".repeat(MAX_METADATA_BYTES / 2);
        patch(&test, &ann, &ann.id, json!({"metadata": {"a": half}})).await.expect(200);
        let over = patch(&test, &ann, &ann.id, json!({"metadata": {"b": half}})).await;
        assert_eq!(over.pointers(), ["/metadata"]);
    }

    async fn profiles_are_seen_by_who_may(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let (admin, boss) = (test.user_with_role(&root, "admin").await, test.user_with_role(&root, "admin").await);
        let (manager, ann) = (test.user_with_role(&root, "manager").await, test.user("ann").await);
        patch(&test, &ann, &ann.id, json!({"nickname": "Annie"})).await.expect(200);
        let absent = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47";
        for stranger in [&manager, &test.user("bob").await] {
            // There or not there: a stranger is told the same.
            for target in [&*ann.id, &*root.id, absent, "nobody"] {
                read(&test, stranger, target).await.expect_problem(403, "insufficient_permissions");
                patch(&test, stranger, target, json!({})).await.expect_problem(403, "insufficient_permissions");
            }
        }
        for by in [&admin, &root] {
            assert_eq!(read(&test, by, &ann.id).await.expect(200)["nickname"], "Annie");
            for target in [absent, "nobody"] {
                read(&test, by, target).await.expect_problem(404, "not_found");
                patch(&test, by, target, json!({"nickname": "x"})).await.expect_problem(404, "not_found");
            }
        }
        patch(&test, &admin, &ann.id, json!({"metadata": {"desk": 4}})).await.expect(200);
        assert_eq!(read(&test, &ann, &ann.id).await.expect(200)["metadata"], json!({"desk": 4}));
        read(&test, &admin, &boss.id).await.expect(200);
        patch(&test, &admin, &boss.id, json!({})).await.expect_problem(403, "insufficient_permissions");
        patch(&test, &boss, &boss.id, json!({"nickname": "Boss"})).await.expect(200);
        patch(&test, &root, &boss.id, json!({"nickname": "B"})).await.expect(200);
        test.get_open(&path(&ann.id)).await.expect_problem(401, "token_missing");
        test.set_status(&ann, UserStatus::Locked).await;
        assert_eq!(read(&test, &ann, &ann.id).await.status, 401);
    }

    async fn another_tenant_has_its_own_people(backend: Backend) {
        let Some(test) = open_to_companies(backend).await else { return };
        let root = test.administrator().await;
        let (a, b) = (register(&test, "a").await, register(&test, "b").await);
        patch(&test, &b.owner, &b.owner.id, json!({"nickname": "Bea"})).await.expect(200);
        for by in [&a.owner, &root] {
            read(&test, by, &b.owner.id).await.expect_problem(404, "not_found");
            patch(&test, by, &b.owner.id, json!({"nickname": "x"})).await.expect_problem(404, "not_found");
        }
        assert_eq!(read(&test, &b.owner, &b.owner.id).await.expect(200)["nickname"], "Bea");
    }

    async fn a_key_reads_profiles_within_its_scopes(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let (admin, ann) = (test.user_with_role(&root, "admin").await, test.user("ann").await);
        let key = json!({"name": "directory", "scopes": ["profiles.read"], "roles": ["admin"]});
        let key = test.post("/v1/api-keys", &admin.token, key).await.expect(201);
        let key = key["api_key"].as_str().unwrap();
        test.get(&path(&ann.id), key).await.expect(200);
        let written = test.send(Method::PATCH, &path(&ann.id), Some(key), Some(json!({}))).await;
        written.expect_problem(403, "insufficient_permissions");
    }

    async fn a_service_says_who_may_not_sign_in(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let (root, ann) = (test.administrator().await, test.user("ann").await);
        let about = |scope: &str| json!({"name": "people", "scopes": [scope], "roles": ["admin"]});
        let (people, other) = (test.service(&root, about("users.lock")).await, test.service(&root, about("decisions")).await);
        let (token, weak) = (test.own_token(&people).await, test.own_token(&other).await);
        let act = async |token: &str, user: &Actor, what: &str| {
            test.post(&format!("/v1/admin/users/{}/{what}", user.id), token, json!({})).await
        };
        act(&weak, &ann, "lock").await.expect_problem(403, "insufficient_permissions");
        test.whoami(&ann.token).await.expect(200);
        act(&token, &ann, "lock").await.expect(204);
        test.whoami(&ann.token).await.expect_problem(401, "token_revoked");
        test.try_login("ann@example.com", PASSWORD).await.expect_problem(403, "account_locked");
        act(&token, &ann, "unlock").await.expect(204);
        test.login("ann@example.com", PASSWORD).await;
        // Its role is that of an administrator, with the bounds of one; and more than its scope it does not.
        act(&token, &root, "lock").await.expect_problem(403, "insufficient_permissions");
        act(&token, &ann, "revoke-sessions").await.expect_problem(403, "insufficient_permissions");
    }
}

/// How many events of a type wait, or were published.
async fn told(test: &TestApp, legacy: &'static str) -> i64 {
    test.app.db.sql("SELECT COUNT(*) FROM outbox WHERE type = $1").bind(legacy).scalar().await.unwrap()
}

both! {
    /// R16, R47: events begin a profile and keep the last activity, however often they are dispatched.
    async fn a_profile_begins_with_its_user_and_remembers_the_sign_out(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let path = &*path(&ann.id);
        let rows = async || -> i64 {
            let count = "SELECT COUNT(*) FROM profiles WHERE user_id = $1";
            test.app.db.sql(count).bind(&*ann.id).scalar().await.unwrap()
        };
        assert_eq!(rows().await, 0);
        test.app.events.dispatch().await.unwrap();
        assert_eq!((rows().await, told(&test, "bwk.profile.created.v1").await), (1, 1));
        assert_eq!(test.get(path, &ann.token).await.expect(200)["last_activity_at"], json!(null));
        test.advance(std::time::Duration::from_mins(3));
        let other = test.login("ann@example.com", crate::app::PASSWORD).await;
        let status = test.post("/v1/auth/logout", &other.token, json!({})).await.status;
        assert_eq!(status, 204);
        let at = bailiwick::base::Clock::now(&*test.clock).to_string();
        test.advance(std::time::Duration::from_mins(3));
        test.app.events.dispatch().await.unwrap();
        test.app.events.dispatch().await.unwrap();
        assert_eq!(test.get(path, &ann.token).await.expect(200)["last_activity_at"], json!(at));
        assert_eq!(told(&test, "bwk.profile.created.v1").await, 1);
    }
}
