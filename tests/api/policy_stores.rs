//! Tag `policy-stores`: versions of policies, and which one is active.

use axum::http::Method;
use bailiwick::policy::StoreName;
use serde_json::{Map, Value, json};

use crate::{
    app::{Actor, PASSWORD, Reply, TestApp, send},
    both,
};

pub(crate) const SCHEMA: &str = r"
entity User; entity Document = { size: Long };
action view appliesTo { principal: User, resource: Document };
";

/// The files of a small store with these policies.
pub(crate) fn files(policies: &str) -> Value {
    json!({
        "manifest.toml": "semver = \"1.0.0\"\n[identity]\nuser = \"User\"\n",
        "schema/notes.cedarschema": SCHEMA,
        "notes.cedar": policies,
    })
}

pub(crate) const EVERYONE: &str = "@id(\"everyone\")\npermit (principal, action, resource);\n";
pub(crate) const NOBODY: &str = "@id(\"everyone\")\npermit (principal, action, resource);\n@id(\"nobody\")\nforbid (principal, action, resource);\n";

pub(crate) async fn publish(test: &TestApp, by: &Actor, store: &str, files: &Value) -> Reply {
    let path = format!("/v1/policy-stores/{store}/versions");
    test.post(&path, &by.token, json!({"files": files, "message": "a test"})).await
}

pub(crate) async fn activate(test: &TestApp, by: &Actor, store: &str, version: i64) -> Reply {
    let path = format!("/v1/policy-stores/{store}/activate");
    test.post(&path, &by.token, json!({"version": version, "reason": "a test"})).await
}

async fn roll_back(test: &TestApp, by: &Actor, store: &str, body: Value) -> Reply {
    test.post(&format!("/v1/policy-stores/{store}/rollback"), &by.token, body).await
}

async fn read(test: &TestApp, by: &Actor, path: &str) -> Value {
    test.get(&format!("/v1/policy-stores{path}"), &by.token).await.expect(200)
}

/// The files of the active version of a store.
pub(crate) async fn active_files(test: &TestApp, by: &Actor, store: &str) -> Map<String, Value> {
    let number = read(test, by, &format!("/{store}/status")).await["active"]["version"].clone();
    let version = read(test, by, &format!("/{store}/versions/{number}")).await;
    version["files"].as_object().unwrap().clone()
}

fn question(store: &str) -> Value {
    json!({
        "policy_store": store, "action": "view", "resource": {"type": "Document", "id": "d"},
        "entities": [{"uid": {"type": "Document", "id": "d"}, "attrs": {"size": 1}, "parents": []}],
    })
}

both! {
    async fn a_new_store_from_nothing_to_decisions(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let asks = || test.ask(&root.token, question("notes"));
        asks().await.expect_problem(422, "unknown_policy_store");
        let published = publish(&test, &root, "notes", &files(EVERYONE)).await.expect(201);
        assert_eq!((&published["store"], &published["version"], &published["created"]), (&json!("notes"), &json!(1), &json!(true)));
        let waiting = asks().await;
        assert_eq!(waiting.header("retry-after"), "1");
        waiting.expect_problem(503, "no_active_version");
        let listed = read(&test, &root, "").await;
        let notes = listed["data"].as_array().unwrap().iter().find(|store| store["store"] == "notes").unwrap();
        assert_eq!((&notes["active_version"], &notes["versions"]), (&Value::Null, &json!(1)));

        let again = publish(&test, &root, "notes", &files(EVERYONE)).await.expect(200);
        assert_eq!((&again["version"], &again["created"], &again["digest"]), (&json!(1), &json!(false), &published["digest"]));
        let active = activate(&test, &root, "notes", 1).await.expect(200);
        assert_eq!(
            (&active["active_version"], &active["previous_version"], &active["changed"], &active["activated_by"], &active["reason"]),
            (&json!(1), &Value::Null, &json!(true), &json!(root.id), &json!("a test")),
        );
        let decided = asks().await.expect(200);
        assert_eq!((&decided["decision"], &decided["policy_version"], &decided["policy_store"]), (&json!("allow"), &json!(1), &json!("notes")));
        roll_back(&test, &root, "notes", json!({})).await.expect_problem(409, "conflict");
    }

    async fn activation_and_roll_back_flip_decisions(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let decision = async || {
            let decided = test.ask(&root.token, question("notes")).await.expect(200);
            (decided["decision"].as_str().unwrap().to_owned(), decided["policy_version"].as_i64().unwrap())
        };
        for (number, policies) in [(1, EVERYONE), (2, NOBODY)] {
            let published = publish(&test, &root, "notes", &files(policies)).await.expect(201);
            assert_eq!(published["version"], number);
            let before = if number == 1 { Value::Null } else { json!(1) };
            activate(&test, &root, "notes", number).await.expect(200);
            let shown = read(&test, &root, &format!("/notes/versions/{number}")).await;
            assert_eq!((&shown["parent"], &shown["state"]), (&before, &json!("active")));
        }
        assert_eq!(decision().await, ("deny".to_owned(), 2));
        let back = roll_back(&test, &root, "notes", json!({"reason": "too strict"})).await.expect(200);
        assert_eq!((&back["active_version"], &back["previous_version"], &back["reason"]), (&json!(1), &json!(2), &json!("too strict")));
        assert_eq!(decision().await, ("allow".to_owned(), 1));
        roll_back(&test, &root, "notes", json!({})).await.expect(200);
        assert_eq!(decision().await, ("deny".to_owned(), 2));
        roll_back(&test, &root, "notes", json!({"version": 1, "expected_active": 2})).await.expect(200);
        assert_eq!(decision().await, ("allow".to_owned(), 1));
        let same = activate(&test, &root, "notes", 1).await.expect(200);
        assert_eq!(same["changed"], false);
    }

    async fn who_expects_another_version_changes_nothing(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        publish(&test, &root, "notes", &files(EVERYONE)).await.expect(201);
        publish(&test, &root, "notes", &files(NOBODY)).await.expect(201);
        let switch = |version: i64, expected: Value| {
            let body = json!({"version": version, "expected_active": expected});
            test.post("/v1/policy-stores/notes/activate", &root.token, body)
        };
        let none = switch(1, json!(7)).await.expect_problem(409, "version_conflict");
        assert_eq!(none["active_version"], Value::Null);
        switch(1, Value::Null).await.expect(200);
        let conflict = switch(2, json!(2)).await.expect_problem(409, "version_conflict");
        assert_eq!(conflict["active_version"], 1);
        let body = json!({"expected_active": 2});
        assert_eq!(roll_back(&test, &root, "notes", body).await.expect_problem(409, "version_conflict")["active_version"], 1);
        switch(9, json!(1)).await.expect_problem(404, "not_found");
        for version in [0, -1, i64::MAX, i64::MIN] {
            switch(version, Value::Null).await.expect_problem(404, "not_found");
        }
        // Of two who both saw version 1, one is told that the other was faster.
        let (a, b) = tokio::join!(switch(2, json!(1)), roll_back(&test, &root, "notes", json!({"version": 2, "expected_active": 1})));
        let mut statuses = [a.status.as_u16(), b.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{} {}", a.text, b.text);
    }

    async fn what_is_wrong_is_named_and_not_stored(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        for (policies, code, line, column) in [
            ("@id(\"a\")\npermit (principal, action, resource)\nwehn { true };\n", "parse", 3, 1),
            ("permit (principal, action, resource);\n", "missing_id", 1, 1),
            ("@id(\"a\")\npermit (principal, action, resource)\nwhen { resource.sise > 1 };\n", "validation", 3, 8),
        ] {
            let problem = publish(&test, &root, "notes", &files(policies)).await.expect_problem(422, "policy_refused");
            let found = &problem["findings"][0];
            assert_eq!((&found["severity"], &found["file"]), (&json!("error"), &json!("notes.cedar")), "{problem}");
            assert_eq!((&found["code"], &found["line"]), (&json!(code), &json!(line)), "{problem}");
            assert_eq!(found["column"], column, "{problem}");
            assert!(!found["message"].as_str().unwrap().is_empty());
        }
        let mut untested = files(EVERYONE);
        untested["tests/t.json"] = json!(json!([{
            "name": "nobody views", "request": {"principal": "User::\"u\"", "action": "view", "resource": "Document::\"d\""},
            "decision": "deny",
        }]).to_string());
        let problem = publish(&test, &root, "notes", &untested).await.expect_problem(422, "policy_refused");
        assert_eq!(problem["findings"][0]["code"], "test_failed", "{problem}");
        test.get("/v1/policy-stores/notes/status", &root.token).await.expect_problem(404, "not_found");
        test.get("/v1/policy-stores/notes/versions", &root.token).await.expect_problem(404, "not_found");
        for files in [json!({}), json!({"manifest.toml": ""}), json!({"../a.cedar": EVERYONE}), json!({"/a.cedar": EVERYONE})] {
            let reply = publish(&test, &root, "notes", &files).await;
            assert_eq!(reply.pointers(), ["/files"], "{}", reply.text);
            reply.expect_problem(422, "validation_failed");
        }
    }

    async fn warnings_do_not_stop_a_version(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let impossible = "@id(\"never\")\npermit (principal, action, resource)\nwhen { 1 == 2 };\n";
        let published = publish(&test, &root, "notes", &files(impossible)).await.expect(201);
        assert_eq!((&published["findings"][0]["severity"], &published["findings"][0]["file"]), (&json!("warning"), &json!("notes.cedar")));
        let shown = read(&test, &root, "/notes/versions/1").await;
        assert_eq!(shown["findings"], published["findings"]);
    }

    async fn a_version_shows_what_it_holds(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let body = json!({"files": files(EVERYONE), "message": "first \u{1f4dc}", "git": {"commit": "3f70336", "dirty": true}});
        let published = test.post("/v1/policy-stores/notes/versions", &root.token, body).await.expect(201);
        let shown = read(&test, &root, "/notes/versions/1").await;
        assert_eq!(shown["files"], files(EVERYONE));
        for (field, value) in [
            ("version", json!(1)), ("semver", json!("1.0.0")), ("state", json!("tested")), ("author", json!(root.id)),
            ("message", json!("first \u{1f4dc}")), ("git_commit", json!("3f70336")), ("parent", Value::Null),
            ("created_at", json!("2026-11-23T10:00:00.000Z")), ("activated_by", Value::Null),
            ("digest", published["digest"].clone()),
        ] {
            assert_eq!(shown[field], value, "{field}");
        }
        for missing in ["/notes/versions/2", "/notes/versions/0", "/notes/versions/one", "/absent/versions/1", "/A/versions/1", "/absent/status"] {
            test.get(&format!("/v1/policy-stores{missing}"), &root.token).await.expect_problem(404, "not_found");
        }
    }

    async fn versions_come_in_pages_newest_first(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        for n in 1..=5 {
            let files = files(&format!("{EVERYONE}// {n}\n"));
            publish(&test, &root, "notes", &files).await.expect(201);
        }
        let (mut seen, mut query) = (Vec::new(), "?limit=2".to_owned());
        loop {
            let page = read(&test, &root, &format!("/notes/versions{query}")).await;
            let rows = page["data"].as_array().unwrap();
            assert!(rows.len() <= 2 && rows.iter().all(|row| row.get("files").is_none()));
            seen.extend(rows.iter().map(|row| row["version"].as_i64().unwrap()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            query = format!("?limit=2&cursor={cursor}");
        }
        assert_eq!(seen, [5, 4, 3, 2, 1]);
    }

    async fn status_names_the_nodes_and_what_they_answer_from(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let (other, routers) = test.second_node().await;
        publish(&test, &root, "notes", &files(EVERYONE)).await.expect(201);
        publish(&test, &root, "notes", &files(NOBODY)).await.expect(201);
        let there = async || {
            let ask = Some(question("notes"));
            send(&routers.public, Method::POST, "/v1/authorize", Some(&root.token), ask).await
        };
        for (number, decision) in [(1, "allow"), (2, "deny")] {
            activate(&test, &root, "notes", number).await.expect(200);
            let here = test.ask(&root.token, question("notes")).await.expect(200);
            assert_eq!((&here["policy_version"], &here["decision"]), (&json!(number), &json!(decision)), "at once on this node");
            other.policies.live().refresh().await.unwrap();
            let there = there().await.expect(200);
            assert_eq!((&there["policy_version"], &there["decision"]), (&json!(number), &json!(decision)));
        }
        test.app.policies.live().heartbeat().await.unwrap();
        other.policies.live().heartbeat().await.unwrap();
        let status = read(&test, &root, "/notes/status").await;
        assert_eq!((&status["health"], &status["active"]["version"], &status["findings"]), (&json!("ok"), &json!(2), &json!([])));
        let nodes = status["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), 2, "{status}");
        assert!(nodes.iter().all(|node| node["version"] == 2), "{status}");
        assert_ne!(nodes[0]["node_id"], nodes[1]["node_id"]);
    }

    async fn the_shipped_stores_are_live_from_the_start(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let listed = read(&test, &root, "").await;
        assert_eq!(listed["data"], json!([
            {"store": "app", "active_version": 1, "versions": 1, "health": "ok"},
            {"store": "system", "active_version": 1, "versions": 1, "health": "ok"},
        ]));
        for store in ["app", "system"] {
            let shown = read(&test, &root, &format!("/{store}/versions/1")).await;
            assert_eq!((&shown["author"], &shown["state"]), (&json!("system"), &json!("active")));
            assert!(shown["files"].as_object().unwrap().contains_key("manifest.toml"));
        }
    }

    async fn the_system_store_is_for_super_admins(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let admin = test.user_with_role(&root, "admin").await;
        let manager = test.user_with_role(&root, "manager").await;
        let mut files = active_files(&test, &root, "system").await;
        files.insert("extra.cedar".to_owned(), json!("@id(\"extra\")\n@reason(\"a test\")\npermit (principal, action == Action::\"register\", resource);\n"));
        let files = Value::Object(files);
        publish(&test, &admin, "system", &files).await.expect_problem(403, "insufficient_permissions");
        activate(&test, &admin, "system", 1).await.expect_problem(403, "insufficient_permissions");
        roll_back(&test, &admin, "system", json!({})).await.expect_problem(403, "insufficient_permissions");
        publish(&test, &manager, "notes", &self::files(EVERYONE)).await.expect_problem(403, "insufficient_permissions");
        publish(&test, &admin, "notes", &self::files(EVERYONE)).await.expect(201);
        activate(&test, &admin, "notes", 1).await.expect(200);
        read(&test, &manager, "/system/status").await;
        read(&test, &manager, "/notes/versions/1").await;
        publish(&test, &root, "system", &files).await.expect(201);
        activate(&test, &root, "system", 2).await.expect(200);
        test.user("ann").await;
    }

    async fn our_own_api_obeys_the_system_store(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let shipped = active_files(&test, &root, "system").await;
        // The store's own tests say that anyone may sign in; who forbids it changes them too.
        let mut files: Map<String, Value> = shipped.into_iter().filter(|(path, _)| !path.starts_with("tests/")).collect();
        files.insert("closed.cedar".to_owned(), json!(
            "@id(\"nobody-signs-in\")\n@reason(\"maintenance\")\nforbid (principal, action == Action::\"login\", resource);\n"
        ));
        publish(&test, &root, "system", &Value::Object(files)).await.expect(201);
        test.login("root@example.com", PASSWORD).await;
        activate(&test, &root, "system", 2).await.expect(200);
        let denied = test.try_login("root@example.com", PASSWORD).await.expect_problem(403, "policy_violation");
        assert!(denied["decision_id"].as_str().unwrap().starts_with("dec_"), "{denied}");
        let stranger = test.try_login("nobody@example.com", "a wrong pass phrase").await;
        assert_eq!(stranger.status, 403, "asked before anything is looked up");
        test.whoami(&root.token).await.expect(200);
        let restored = test.app.policies.restore_system("cli").await.unwrap();
        assert_eq!(restored.store, StoreName::system());
        test.login("root@example.com", PASSWORD).await;
    }

    async fn a_system_policy_can_look_at_the_address(backend: Backend) {
        use crate::app::{from_peer, raw};
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let mut files = active_files(&test, &root, "system").await;
        files.insert("office.cedar".to_owned(), json!(
            "@id(\"office-only\")\n@reason(\"sign-in from the office only\")\nforbid (principal, action == Action::\"login\", resource)\n\
             when { context.bailiwick has ip }\nunless { context.bailiwick.ip.isInRange(ip(\"192.0.2.0/24\")) };\n"
        ));
        publish(&test, &root, "system", &Value::Object(files)).await.expect(201);
        activate(&test, &root, "system", 2).await.expect(200);
        let login = async |peer: &str| {
            let body = json!({"identifier": "root@example.com", "password": PASSWORD}).to_string();
            let request = axum::http::Request::post("/v1/auth/login").header("content-type", "application/json");
            let request = request.header("x-forwarded-for", "192.0.2.7").body(axum::body::Body::from(body)).unwrap();
            raw(&test.routers.public, from_peer(request, peer)).await
        };
        login("203.0.113.9").await.expect_problem(403, "policy_violation");
        login("192.0.2.9").await.expect(200);
        login("::ffff:192.0.2.9").await.expect(200);
    }
}
