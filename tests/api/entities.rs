//! Tag `entities`: what applications push into a policy store.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};

use crate::{
    app::{Actor, Reply, TestApp, from_peer, raw, send},
    both,
};

const ALL: &str = "/v1/policy-stores/app/entities";
const BATCH: &str = "/v1/policy-stores/app/entities:batch";

fn at(kind: &str, id: &str) -> String {
    format!("{ALL}/{kind}/{id}")
}

fn name(kind: &str, id: &str) -> Value {
    json!({"type": kind, "id": id})
}

fn document(id: &str, visibility: &str, folder: &str) -> Value {
    json!({"uid": name("Document", id), "attrs": {"visibility": visibility, "archived": false}, "parents": [name("Folder", folder)]})
}

/// A request with a body of any kind and, perhaps, an expectation.
pub(crate) async fn ask(
    test: &TestApp,
    by: &Actor,
    method: Method,
    path: &str,
    (media, body): (&str, String),
    if_match: Option<&str>,
) -> Reply {
    let mut request = Request::builder().method(method).uri(path);
    request = request.header(header::AUTHORIZATION, format!("Bearer {}", by.token));
    if !media.is_empty() {
        request = request.header(header::CONTENT_TYPE, media);
    }
    if let Some(expected) = if_match {
        request = request.header(header::IF_MATCH, expected);
    }
    let request = from_peer(request.body(Body::from(body)).unwrap(), "127.0.0.1");
    raw(&test.routers.public, request).await
}

async fn put(test: &TestApp, by: &Actor, path: &str, body: Value) -> Reply {
    test.send(Method::PUT, path, Some(&by.token), Some(body)).await
}

async fn replace(test: &TestApp, by: &Actor, media: &str, body: &str) -> Reply {
    ask(test, by, Method::PUT, ALL, (media, body.to_owned()), None).await
}

async fn listed(test: &TestApp, by: &Actor, query: &str) -> Vec<String> {
    let page = test.get(&format!("{ALL}{query}"), &by.token).await.expect(200);
    let data = page["data"].as_array().unwrap();
    data.iter()
        .map(|entity| format!("{}/{}", entity["uid"]["type"], entity["uid"]["id"]).replace('"', ""))
        .collect()
}

both! {
    async fn an_entity_is_made_read_changed_and_removed(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let handbook = at("Document", "handbook");
        let body = json!({"attrs": {"visibility": "internal", "archived": false, "owner": name("User", "usr_x")}, "parents": [name("Folder", "f")]});
        let made = put(&test, &root, &handbook, body).await;
        assert_eq!(made.header("etag"), "\"1\"");
        let owner = json!({"__entity": {"type": "User", "id": "usr_x"}});
        let expected = json!({
            "uid": name("Document", "handbook"), "attrs": {"visibility": "internal", "archived": false, "owner": owner},
            "tags": {}, "parents": [name("Folder", "f")], "revision": 1,
        });
        assert_eq!(made.expect(201), expected);
        let read = test.get(&handbook, &root.token).await;
        assert_eq!((read.header("etag"), &read.body), ("\"1\"", &expected));
        put(&test, &root, &handbook, json!({"attrs": {"visibility": "public", "archived": true}})).await.expect(200);
        let patch = json!({"attrs": {"archived": false, "sensitivity": 3}, "parents": [name("Folder", "g")]});
        let patched = test.send(Method::PATCH, &handbook, Some(&root.token), Some(patch)).await.expect(200);
        assert_eq!(patched["attrs"], json!({"visibility": "public", "archived": false, "sensitivity": 3}));
        assert_eq!((&patched["parents"], &patched["revision"]), (&json!([name("Folder", "g")]), &json!(3)));
        let merge = ("application/merge-patch+json", json!({"attrs": {"sensitivity": null}, "parents": null}).to_string());
        let patched = ask(&test, &root, Method::PATCH, &handbook, merge, None).await.expect(200);
        assert_eq!((&patched["attrs"]["sensitivity"], &patched["parents"]), (&Value::Null, &json!([])));
        let gone = test.delete(&handbook, &root.token).await.expect(200);
        assert_eq!(gone, json!({"revision": 5, "put": 0, "deleted": 1}));
        for reply in [
            test.get(&handbook, &root.token).await,
            test.delete(&handbook, &root.token).await,
            test.send(Method::PATCH, &handbook, Some(&root.token), Some(json!({}))).await,
            put(&test, &root, "/v1/policy-stores/nowhere/entities/Document/d", json!({})).await,
            test.get("/v1/policy-stores/nowhere/entities", &root.token).await,
            put(&test, &root, "/v1/policy-stores/nowhere/entities", json!([])).await,
        ] {
            reply.expect_problem(404, "not_found");
        }
    }

    async fn ids_are_any_text(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        for (encoded, id) in [("a%2Fb%20c", "a/b c"), ("%22%5C", "\"\\"), ("%C3%A9%F0%9F%94%8D", "\u{e9}\u{1f50d}"), ("%01", "\u{1}"), ("..", ".."), ("x:batch", "x:batch"), ("%25", "%")] {
            let made = put(&test, &root, &at("Team", encoded), json!({})).await.expect(201);
            assert_eq!(made["uid"]["id"], id);
            assert_eq!(test.get(&at("Team", encoded), &root.token).await.expect(200)["uid"]["id"], id);
        }
        let empty = json!({"upserts": [{"uid": name("Team", "")}]});
        test.post(BATCH, &root.token, empty).await.expect(200);
        assert_eq!(listed(&test, &root, "?type=Team&limit=1").await, ["Team/"]);
        put(&test, &root, &at("Team", "%00"), json!({})).await.expect_problem(422, "entities_invalid");
        test.get(&at("Team", "%00"), &root.token).await.expect_problem(404, "not_found");
        put(&test, &root, &at("Team", &"x".repeat(1_025)), json!({})).await.expect_problem(422, "entities_invalid");
    }

    async fn what_does_not_fit_is_refused_at_its_place(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let doc = |attrs: Value| json!({"attrs": attrs});
        for (path, body, code, pointer) in [
            (at("Document", "d"), doc(json!({"visibility": 1, "archived": false})), "entities_invalid", "/attrs/visibility"),
            (at("Document", "d"), doc(json!({"visibility": "x"})), "entities_invalid", "/attrs/archived"),
            (at("Document", "d"), doc(json!({"visibility": "x", "archived": true, "shoe": 1})), "entities_invalid", "/attrs/shoe"),
            (at("Folder", "f"), json!({"parents": [name("Team", "t")]}), "entities_invalid", "/parents/0"),
            (at("Folder", "f"), json!({"parents": [name("Folder", "f")]}), "entities_invalid", "/parents"),
            (at("Folder", "f"), json!({"parents": [3]}), "validation_failed", "/parents/0"),
            (at("Folder", "f"), json!({"parents": 3}), "validation_failed", "/parents"),
            (at("Folder", "f"), json!({"uid": name("Folder", "f")}), "validation_failed", "/uid"),
            (at("Folder", "f"), json!({"tags": {"k": "v"}}), "entities_invalid", "/tags/k"),
            (at("Nothing", "n"), json!({}), "unknown_type", "/uid/type"),
            (at("no%20type", "n"), json!({}), "unknown_type", "/uid/type"),
            (at("Action", "view"), json!({}), "entities_invalid", "/uid"),
        ] {
            let reply = put(&test, &root, &path, body.clone()).await;
            assert_eq!(reply.pointers(), [pointer], "{path} {body}: {}", reply.text);
            reply.expect_problem(422, code);
        }
        put(&test, &root, &at("Folder", "a"), json!({"parents": [name("Folder", "b")]})).await.expect(201);
        let closing = json!({"parents": [name("Folder", "a")]});
        put(&test, &root, &at("Folder", "b"), closing).await.expect_problem(422, "entities_invalid");
        assert_eq!(listed(&test, &root, "").await, ["Folder/a"]);
    }

    async fn a_write_may_expect_what_the_caller_saw(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let (team, nobody) = (at("Team", "t"), at("Team", "nobody"));
        let json = |body: Value| ("application/json", body.to_string());
        put(&test, &root, &team, json!({})).await.expect(201);
        for (method, path, expected) in [
            (Method::PUT, &team, "\"7\""), (Method::PATCH, &team, "W/\"1\""), (Method::DELETE, &team, "\"2\", \"3\""),
            (Method::PUT, &nobody, "*"), (Method::DELETE, &nobody, "*"), (Method::PATCH, &nobody, "\"1\""), (Method::PUT, &team, "nonsense"),
        ] {
            let body = if method == Method::DELETE { ("", String::new()) } else { json(json!({})) };
            let reply = ask(&test, &root, method, path, body, Some(expected)).await;
            let problem = reply.expect_problem(412, "precondition_failed");
            assert_eq!(problem["revision"], if *path == team { json!(1) } else { Value::Null }, "{expected}");
        }
        let seen = ask(&test, &root, Method::PUT, &team, json(json!({})), Some("\"0\", \"1\"")).await;
        assert_eq!((seen.status.as_u16(), seen.header("etag")), (200, "\"2\""));
        ask(&test, &root, Method::PATCH, &team, json(json!({})), Some("*")).await.expect(200);
        ask(&test, &root, Method::DELETE, &team, ("", String::new()), Some("\"3\"")).await.expect(200);
    }

    async fn a_batch_is_all_or_nothing(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let upserts: Vec<_> = (0..200).map(|number| document(&format!("d{number:03}"), "public", "f")).collect();
        let written = test.post(BATCH, &root.token, json!({"upserts": upserts})).await.expect(200);
        assert_eq!(written, json!({"revision": 1, "put": 200, "deleted": 0}));
        let both = json!({"upserts": [document("new", "public", "g")], "deletes": [name("Document", "d000"), name("Document", "nobody")]});
        assert_eq!(test.post(BATCH, &root.token, both).await.expect(200), json!({"revision": 2, "put": 1, "deleted": 1}));
        for (body, code, pointer) in [
            (json!({"upserts": [document("a", "public", "f"), {"uid": name("Document", "b"), "attrs": {"archived": false}}]}), "entities_invalid", "/upserts/1/attrs/visibility"),
            (json!({"upserts": [document("a", "public", "f"), document("a", "public", "f")]}), "entities_invalid", "/upserts/1/uid"),
            (json!({"upserts": [document("a", "public", "f")], "deletes": [name("Team", "t"), name("Document", "a")]}), "entities_invalid", "/deletes/1/uid"),
            (json!({"upserts": [{"uid": 3}]}), "validation_failed", "/upserts/0/uid"),
            (json!({"upserts": [3]}), "entities_invalid", "/upserts/0"),
            (json!({"upserts": [{"uid": name("Nothing", "x")}]}), "unknown_type", "/upserts/0/uid/type"),
            (json!({"upserts": [{"uid": name("Folder", "f"), "parents": [name("Folder", "f")]}]}), "entities_invalid", "/upserts/0/parents"),
            (json!({"deletes": [{"type": "Team"}]}), "validation_failed", "/deletes/0/id"),
            (json!({"deletes": vec![name("Team", "t"); 10_001]}), "validation_failed", ""),
        ] {
            let reply = test.post(BATCH, &root.token, body).await;
            assert_eq!(reply.pointers(), [pointer], "{}", reply.text);
            reply.expect_problem(422, code);
        }
        assert_eq!(listed(&test, &root, "?limit=200").await.len(), 200);
        assert_eq!(test.post(BATCH, &root.token, json!({})).await.expect(200)["revision"], 2);
    }

    async fn everything_is_replaced_at_once(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        put(&test, &root, &at("Team", "old"), json!({})).await.expect(201);
        let lines = (0..50).map(|number| document(&format!("d{number:02}"), "public", "f").to_string() + "\n").collect::<String>();
        let written = replace(&test, &root, "application/x-ndjson", &lines).await.expect(200);
        assert_eq!(written, json!({"revision": 2, "put": 50, "deleted": 1}));
        let array = format!("[{}]", lines.trim().replace('\n', ","));
        assert_eq!(replace(&test, &root, "application/json; charset=utf-8", &array).await.expect(200), json!({"revision": 2, "put": 0, "deleted": 0}));
        let before = listed(&test, &root, "?limit=200").await;
        for (media, body, status, code, line, pointer) in [
            ("application/x-ndjson", format!("{lines}{}", json!({"uid": name("Document", "x"), "attrs": {"visibility": "x", "archived": 1}})), 422, "entities_invalid", json!(51), "/attrs/archived"),
            ("application/x-ndjson", format!("{lines}{}", document("d00", "public", "f")), 422, "entities_invalid", json!(51), "/uid"),
            ("application/x-ndjson", format!("{lines}{{"), 400, "malformed_json", json!(51), ""),
            ("application/json", format!("[{}, 3]", document("d00", "public", "f")), 422, "entities_invalid", Value::Null, "/1"),
            ("application/json", "[".to_owned(), 400, "malformed_json", Value::Null, ""),
            ("application/json", "\"x\"".to_owned(), 400, "malformed_json", Value::Null, ""),
            ("application/json", String::new(), 400, "malformed_json", Value::Null, ""),
            ("text/plain", array.clone(), 415, "unsupported_media_type", Value::Null, ""),
            ("", array, 415, "unsupported_media_type", Value::Null, ""),
        ] {
            let reply = replace(&test, &root, media, &body).await;
            assert_eq!(reply.pointers().first().copied().unwrap_or_default(), pointer, "{}", reply.text);
            assert_eq!(reply.expect_problem(status, code)["line"], line);
        }
        assert_eq!(listed(&test, &root, "?limit=200").await, before, "nothing half-written");
        assert_eq!(replace(&test, &root, "application/x-ndjson", "").await.expect(200)["deleted"], 50);
        assert!(listed(&test, &root, "").await.is_empty());
    }

    async fn a_load_has_a_size(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, |config| {
            config.server.entities_limit_bytes = 64 * 1024;
        }).await else { return };
        let root = test.administrator().await;
        let line = format!("{}\n", document("d", "public", "f"));
        let long = format!("{line}{}", "\n".repeat(64 * 1024));
        replace(&test, &root, "application/x-ndjson", &long).await.expect_problem(413, "payload_too_large");
        assert!(listed(&test, &root, "").await.is_empty());
        replace(&test, &root, "application/x-ndjson", &long[..64 * 1024]).await.expect(200);
    }

    async fn entities_are_listed_in_pages(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let mut upserts: Vec<_> = (0..12).map(|number| document(&format!("d{number:02}"), "public", if number < 5 { "f" } else { "g" })).collect();
        upserts.push(json!({"uid": name("Folder", "f"), "parents": [name("Folder", "top")]}));
        test.post(BATCH, &root.token, json!({"upserts": upserts})).await.expect(200);
        let (mut seen, mut query) = (Vec::new(), "?limit=5".to_owned());
        loop {
            seen.extend(listed(&test, &root, &query).await);
            let page = test.get(&format!("{ALL}{query}"), &root.token).await.expect(200);
            match page["next_cursor"].as_str() {
                Some(cursor) => query = format!("?limit=5&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!((seen.len(), seen.is_sorted(), seen.last().unwrap().as_str()), (13, true, "Folder/f"));
        for (query, count) in [("?type=Folder", 1), ("?type=Document&limit=200", 12), ("?type=Nothing", 0), ("?parent=Folder::%22f%22", 5),
            ("?parent=Folder::%22top%22", 1), ("?parent=Folder::%22top%22&type=Document", 0), ("?parent=Folder::%22none%22", 0)] {
            assert_eq!(listed(&test, &root, query).await.len(), count, "{query}");
        }
        for query in ["?parent=f", "?cursor=e30", "?limit=0", "?types=Folder"] {
            test.get(&format!("{ALL}{query}"), &root.token).await.expect_problem(422, "validation_failed");
        }
    }

    async fn managers_read_and_admins_write(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let (manager, admin) = (test.user_with_role(&root, "manager").await, test.user_with_role(&root, "admin").await);
        let user = test.user("plain").await;
        put(&test, &admin, &at("Team", "t"), json!({})).await.expect(201);
        test.get(&at("Team", "t"), &manager.token).await.expect(200);
        put(&test, &manager, &at("Team", "t"), json!({})).await.expect_problem(403, "insufficient_permissions");
        test.get(&at("Team", "t"), &user.token).await.expect_problem(403, "insufficient_permissions");
        let system = "/v1/policy-stores/system/entities/Tenant/x";
        put(&test, &admin, system, json!({})).await.expect_problem(403, "insufficient_permissions");
        put(&test, &root, system, json!({})).await.expect(201);
    }

    async fn decisions_see_what_was_pushed(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let (user, second) = (test.user("ada").await, test.second_node().await);
        let view = json!({"action": "view", "resource": name("Document", "d")});
        let here = async |decision: &str, revision: Value| {
            let alone = test.ask(&user.token, view.clone()).await;
            let batch = test.post("/v1/authorize/batch", &user.token, json!({"requests": [view.clone()]})).await;
            for (reply, answer) in [(&alone, &alone.body), (&batch, &batch.body["answers"][0])] {
                assert_eq!((&answer["decision"], &answer["entity_revision"]), (&json!(decision), &revision), "{}", reply.text);
            }
        };
        here("deny", Value::Null).await;
        put(&test, &root, &at("Document", "d"), json!({"attrs": {"visibility": "public", "archived": false}})).await.expect(201);
        here("allow", json!(1)).await;
        let internal = json!({"attrs": {"visibility": "internal"}});
        test.send(Method::PATCH, &at("Document", "d"), Some(&root.token), Some(internal)).await.expect(200);
        here("deny", json!(2)).await;
        let owned = json!({"attrs": {"owner": name("User", &user.id)}});
        let revision = test.send(Method::PATCH, &at("Document", "d"), Some(&root.token), Some(owned)).await.expect(200)["revision"].clone();
        here("allow", revision).await;
        // The other node decides by its own hot copy.
        let (app, routers) = second;
        for (follow, decision, revision) in [(false, "deny", Value::Null), (true, "allow", json!(3))] {
            if follow {
                app.entities.refresh().await.unwrap();
            }
            let there = send(&routers.public, Method::POST, "/v1/authorize", Some(&user.token), Some(view.clone())).await;
            let there = there.expect(200);
            assert_eq!((&there["decision"], &there["entity_revision"]), (&json!(decision), &revision));
        }
        replace(&test, &root, "application/json", "[]").await.expect(200);
        here("deny", json!(4)).await;
    }

    /// The other node answers from the database at once, and decides by its hot copy once it has followed.
    async fn nodes_share_entities(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        put(&test, &root, &at("Folder", "f"), json!({"parents": [name("Folder", "top")]})).await.expect(201);
        let (app, routers) = test.second_node().await;
        let store = "app".parse().unwrap();
        assert_eq!(app.entities.table(&store).unwrap().revision().0, 1, "a node that starts knows everything");
        put(&test, &root, &at("Folder", "g"), json!({"parents": [name("Folder", "f")]})).await.expect(201);
        let read = send(&routers.public, Method::GET, &at("Folder", "g"), Some(&root.token), None).await;
        assert_eq!(read.expect(200)["revision"], 2);
        app.entities.refresh().await.unwrap();
        let above = app.entities.table(&store).unwrap().ancestors(&bailiwick::policy::EntityKey::new("Folder", "g"));
        assert_eq!(above.len(), 2);
    }
}
