//! Wrong input to every operation of the document: whatever is sent, the answer is a documented problem
//! with a stable code; never a 500, and never a success that ignored something. (That an answer is
//! documented is checked for each one by `contract`.)

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use serde_json::{Value, json};

use crate::{
    app::{Actor, PASSWORD, Reply, TestApp, raw},
    both,
    contract::{Operation, are_all_wrong, is_of, operations},
    samples::{members, objects, replaced, sample, types_of},
};

/// A server, and someone who may do everything there.
struct Target {
    test: TestApp,
    root: Actor,
    /// The token of a program that may ask what only services may.
    inside: String,
}

impl Target {
    async fn new(backend: crate::support::Backend) -> Option<Self> {
        let test = TestApp::spawn(backend).await?;
        let root = test.administrator().await;
        test.user("alice").await;
        let inside = test.inside(&root).await;
        Some(Self { test, root, inside })
    }

    /// Sends bytes to an operation, as the caller who may do everything where the operation needs one.
    async fn send(&self, operation: &Operation, path: &str, media: Option<&str>, body: Vec<u8>) -> Reply {
        let mut request = Request::builder().method(operation.method.to_uppercase().as_str()).uri(path);
        if operation.needs_token() {
            let token = if operation.is_internal() { &self.inside } else { &self.root.token };
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(media) = media {
            request = request.header(header::CONTENT_TYPE, media);
        }
        raw(self.test.router_of(operation.path), request.body(Body::from(body)).unwrap()).await
    }

    async fn send_json(&self, operation: &Operation, body: &Value) -> Reply {
        let path = path_of(operation);
        self.send(operation, &path, Some("application/json"), body.to_string().into_bytes()).await
    }
}

/// The path with something plausible for each parameter.
fn path_of(operation: &Operation) -> String {
    let mut path = operation.path.to_owned();
    for (name, value) in [
        ("{store}", "notes"),
        ("{number}", "1"),
        ("{type}", "Team"),
        ("{id}", "t"),
        ("{name}", "auditor"),
        ("{tenant_id}", "ten_019aa2c5b8f07d3c9f0b6f2f3c1d9e47"),
        ("{key_id}", "key_019aa2c5b8f07d3c9f0b6f2f3c1d9e47"),
        ("{kid}", "k"),
        ("{client_id}", "cli_019aa2c5b8f07d3c9f0b6f2f3c1d9e47"),
        ("{binding_id}", "rbd_019aa2c5b8f07d3c9f0b6f2f3c1d9e47"),
        ("{user_id}", "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47"),
        ("{session_id}", "ses_019aa2c5b8f07d3c9f0b6f2f3c1d9e47"),
        ("{device_id}", "dev_019aa2c5b8f07d3c9f0b6f2f3c1d9e47"),
    ] {
        path = path.replace(name, value);
    }
    assert!(!path.contains('{'), "{path} needs a value in this test");
    path
}

fn with_bodies() -> Vec<Operation> {
    // An array is not measured here: the one operation that takes one has tests of its own.
    let object = |operation: &Operation| operation.body().is_some_and(|body| body["type"] == "object");
    let found: Vec<_> = operations().into_iter().filter(object).collect();
    assert!(found.len() >= 11, "operations with a body");
    found
}

#[track_caller]
fn refused(reply: &Reply, what: &str) {
    let status = reply.status.as_u16();
    assert!((400..500).contains(&status), "{what}: {status} {}", reply.text);
    reply.assert_problem();
}

both! {
    async fn what_is_not_json_is_refused(backend: Backend) {
        let Some(target) = Target::new(backend).await else { return };
        let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
        for operation in with_bodies() {
            let path = path_of(&operation);
            let good = sample(&operation).to_string().into_bytes();
            for (what, body) in [
                ("nothing", Vec::new()),
                ("half", good[..good.len() - 1].to_vec()),
                ("more after it", [&good[..], b" {}"].concat()),
                ("a NUL after it", [&good[..], b"\0"].concat()),
                ("a word", b"nul".to_vec()),
                ("text", b"hello".to_vec()),
                ("bad UTF-8", b"{\"\xff\xfe\": \"\xc3\x28\"}".to_vec()),
                ("bad UTF-8 in a text", [&b"{\"a\": \"\xed\xa0\x80\", "[..], &good[1..]].concat()),
                ("a lone surrogate", [&b"{\"\\ud800\": 1, "[..], &good[1..]].concat()),
                ("a byte order mark", [&b"\xef\xbb\xbf"[..], &good[..]].concat()),
                ("NaN", b"NaN".to_vec()),
                ("a comment", [&b"/* */"[..], &good[..]].concat()),
            ] {
                let reply = target.send(&operation, &path, Some("application/json"), body).await;
                let what = format!("{what} to {path}");
                refused(&reply, &what);
                let code = reply.body["code"].as_str().unwrap();
                assert!(matches!(code, "malformed_json" | "validation_failed"), "{what}: {}", reply.text);
            }
            for (what, body) in [
                ("a number", b"3".to_vec()), ("null", b"null".to_vec()), ("an array", b"[]".to_vec()), ("a string", b"\"x\"".to_vec()),
                ("an array of it", [b"[", &good[..], b"]"].concat()),
                ("100 000 arrays", deep("[", "]").into_bytes()),
                ("100 000 open arrays", "[".repeat(60_000).into_bytes()),
                ("many objects", "{\"a\":".repeat(10_000).into_bytes()),
            ] {
                let reply = target.send(&operation, &path, Some("application/json"), body).await;
                refused(&reply, &format!("{what} to {path}"));
            }
        }
    }

    async fn what_is_too_large_or_of_another_kind_is_refused(backend: Backend) {
        let Some(target) = Target::new(backend).await else { return };
        for operation in with_bodies() {
            let path = path_of(&operation);
            let good = sample(&operation).to_string().into_bytes();
            let large = format!("{{\"a\": \"{}\"}}", "x".repeat(2 << 20)).into_bytes();
            let reply = target.send(&operation, &path, Some("application/json"), large).await;
            refused(&reply, &path);
            let takes_bundles = operation.about["operationId"] == "publish_policy_version"
                || operation.about["operationId"] == "write_entity_batch";
            assert_eq!(reply.body["code"], if takes_bundles { "validation_failed" } else { "payload_too_large" }, "{path}");
            for media in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonp"), Some("multipart/form-data; boundary=x"), Some("")] {
                let reply = target.send(&operation, &path, media, good.clone()).await;
                refused(&reply, &path);
                assert_eq!(reply.body["code"], "unsupported_media_type", "{media:?} to {path}");
            }
        }
    }

    async fn members_of_another_type_are_refused(backend: Backend) {
        let Some(target) = Target::new(backend).await else { return };
        let values = [Value::Null, json!(true), json!(1), json!(1.5), json!("\u{1f980}"), json!([1]), json!({"a": 1})];
        let mut tried = 0;
        for operation in with_bodies() {
            for (pointer, schema) in members(&operation) {
                let kinds = types_of(schema);
                if kinds.is_empty() {
                    continue; // any JSON: what it means is checked by the operation
                }
                // An absent `Option` and a null one are the same to us.
                for value in values.iter().filter(|value| !kinds.iter().any(|kind| is_of(kind, value))) {
                    let Some(body) = replaced(&operation, &pointer, value.clone()) else { continue };
                    let reply = target.send_json(&operation, &body).await;
                    let what = format!("{} {pointer} {value}", operation.path);
                    refused(&reply, &what);
                    assert_eq!(reply.body["code"], "validation_failed", "{what}: {}", reply.text);
                    let named = reply.pointers();
                    assert!(named.iter().any(|named| named.starts_with(&pointer)), "{what}: {}", reply.text);
                    tried += 1;
                }
            }
        }
        assert!(tried > 100, "{tried}");
    }

    async fn unknown_and_missing_members_are_refused(backend: Backend) {
        let Some(target) = Target::new(backend).await else { return };
        for operation in with_bodies() {
            let mut found = Vec::new();
            objects(operation.body().unwrap(), "", &mut found);
            for (at, _) in found {
                for name in ["surprise", "~/\u{0}\"", "", "roles", "tenant_id", "is_admin", "__proto__"] {
                    let mut body = sample(&operation);
                    let Some(object) = body.pointer_mut(&at).and_then(Value::as_object_mut) else { continue };
                    if object.insert(name.to_owned(), json!("x")).is_some() {
                        continue;
                    }
                    let reply = target.send_json(&operation, &body).await;
                    let what = format!("{} {at}/{name}", operation.path);
                    refused(&reply, &what);
                    assert_eq!(reply.body["code"], "validation_failed", "{what}");
                    let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                    assert_eq!(reply.pointers(), [pointer], "{what}: {}", reply.text);
                }
            }
            for name in operation.body().unwrap()["required"].as_array().into_iter().flatten() {
                let name = name.as_str().unwrap();
                let mut body = sample(&operation);
                body.as_object_mut().unwrap().remove(name);
                let reply = target.send_json(&operation, &body).await;
                assert_eq!(reply.pointers(), [format!("/{name}")], "{}: {}", operation.path, reply.text);
                reply.expect_problem(422, "validation_failed");
            }
            // Twice the same member: two readers could keep different ones.
            let good = sample(&operation).to_string();
            let name = operation.body().unwrap()["properties"].as_object().unwrap().keys().next().unwrap();
            let twice = format!("{{\"{name}\": {}, {}", sample(&operation)[name], &good[1..]);
            let reply = target.send(&operation, &path_of(&operation), Some("application/json"), twice.into_bytes()).await;
            refused(&reply, &format!("{} with {name} twice", operation.path));
        }
    }

    async fn odd_texts_and_numbers_break_nothing(backend: Backend) {
        let Some(target) = Target::new(backend).await else { return };
        let long = "x".repeat(50_000);
        let odd = ["", " ", "\u{0}", "a\u{0}b", "\u{1}\u{7f}", "\u{fffe}\u{feff}\u{202e}", "' OR 1=1--", "${jndi:x}", "../../etc", &long];
        let numbers = ["-1", "0", "1.5", "1e400", "-1e400", "9223372036854775808", "99999999999999999999999999", "1e2", "-0"];
        for operation in with_bodies() {
            for (pointer, schema) in members(&operation) {
                let kinds = types_of(schema);
                if kinds.contains(&"string") {
                    for text in odd {
                        let Some(body) = replaced(&operation, &pointer, json!(text)) else { continue };
                        let reply = target.send_json(&operation, &body).await;
                        let what = format!("{} {pointer} {text:.20?}", operation.path);
                        assert!(reply.status.as_u16() < 500, "{what}: {}", reply.text);
                        // Where a text is stored, a NUL is refused on both databases alike.
                        let is_refused = reply.status.as_u16() >= 400 || are_all_wrong(&reply.body);
                        assert!(!text.contains('\u{0}') || is_refused, "{what}: {}", reply.text);
                    }
                }
                if kinds.contains(&"integer") {
                    for number in numbers {
                        let body = replaced(&operation, &pointer, json!("@")).unwrap().to_string().replace("\"@\"", number);
                        let reply = target.send(&operation, &path_of(&operation), Some("application/json"), body.into_bytes()).await;
                        refused(&reply, &format!("{} {pointer} {number}", operation.path));
                    }
                }
            }
        }
        target.test.whoami(&target.root.token).await.expect(200);
    }

    async fn odd_paths_are_not_found(backend: Backend) {
        let Some(target) = Target::new(backend).await else { return };
        let odd = [
            "%00", "%ff%fe", "a%00b", "..%2f..%2fetc%2fpasswd", "%27%20OR%201=1--", "%F0%9F%A6%80", "%2e%2e", "%", "%zz", "'", "-1",
            "99999999999999999999", "1%20", "usr.019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "SES_019AA2C5B8F07D3C9F0B6F2F3C1D9E47", "~", "*",
            &"a".repeat(5_000),
        ];
        let mut tried = 0;
        for operation in operations() {
            for parameter in operation.parameters("path") {
                for value in odd {
                    let path = path_of(&Operation { path: Box::leak(operation.path.replace(&format!("{{{parameter}}}"), value).into_boxed_str()), ..operation });
                    let body = operation.body().map_or_else(Vec::new, |_| sample(&operation).to_string().into_bytes());
                    let reply = target.send(&operation, &path, Some("application/json"), body).await;
                    let what = format!("{} {path:.80}", operation.method);
                    refused(&reply, &what);
                    assert_eq!(reply.status, 404, "{what}: {}", reply.text);
                    tried += 1;
                }
            }
        }
        assert!(tried > 100, "{tried}");
        for path in ["//v1/users/me", "/v1//users/me", "/v1/users/me/", "/v1/users/./me", "/V1/users/me", "/v1/users/%6de/x", "/v1/policy-stores/"] {
            let reply = target.test.get(path, &target.root.token).await;
            assert_eq!(reply.status, 404, "{path}: {}", reply.text);
        }
    }

    async fn odd_queries_are_refused(backend: Backend) {
        let Some(target) = Target::new(backend).await else { return };
        let cursor = |bytes: &[u8]| format!("cursor={}", BASE64.encode(bytes));
        let mut tried = 0;
        for operation in operations() {
            if operation.parameters("query").is_empty() {
                continue;
            }
            for query in [
                "limit=0".to_owned(), "limit=201".to_owned(), "limit=-1".to_owned(), "limit=abc".to_owned(), "limit=1e1".to_owned(),
                "limit=".to_owned(), "limit=99999999999999999999".to_owned(), "limit=1&limit=2".to_owned(), "limit=%00".to_owned(),
                "cursor=%21%21".to_owned(), "cursor=%ff".to_owned(), cursor(b"\0"), cursor(b"\xff\xfe"), "nonsense=1".to_owned(),
                "Limit=1".to_owned(),
            ] {
                let path = format!("{}?{query}", path_of(&operation).replace("/notes/", "/app/"));
                let reply = target.send(&operation, &path, None, Vec::new()).await;
                refused(&reply, &path);
                assert_eq!((reply.status.as_u16(), &reply.body["code"]), (422, &json!("validation_failed")), "{path}: {}", reply.text);
                assert!(reply.pointers()[0].starts_with('?'), "{path}: {}", reply.text);
                tried += 1;
            }
            for query in [cursor(b"' OR 1=1--"), cursor(b"zzz"), cursor(&[b'9'; 100])] {
                let path = format!("{}?{query}", path_of(&operation).replace("/notes/", "/app/"));
                let reply = target.send(&operation, &path, None, Vec::new()).await;
                assert!(reply.status.as_u16() < 500, "{path}: {}", reply.text);
            }
        }
        assert!(tried >= 30, "{tried}");
        let wrong = "/v1/admin/role-bindings?user_id=nobody";
        target.test.get(wrong, &target.root.token).await.expect_problem(422, "validation_failed");
    }

    async fn odd_headers_break_nothing(backend: Backend) {
        let Some(target) = Target::new(backend).await else { return };
        let body = json!({"identifier": "alice@example.com", "password": PASSWORD}).to_string();
        for (name, value) in [
            ("user-agent", &b"\xff\xfe"[..]), ("user-agent", b""), ("user-agent", &[b'a'; 10_000]), ("origin", b"null"), ("origin", b"\xff"),
            ("x-forwarded-for", b"\xff, 1.1.1.1"), ("x-request-id", b"\xff"), ("x-request-id", &[b'a'; 10_000]), ("forwarded", b"for=1"),
            ("authorization", b"Bearer x"), ("authorization", b"Basic cm9vdDpyb290"), ("authorization", b"\xff"), ("accept", b"text/html"), ("x-http-method-override", b"DELETE"),
        ] {
            let request = Request::post("/v1/auth/login").header("content-type", "application/json");
            let request = request.header(name, axum::http::HeaderValue::from_bytes(value).unwrap());
            raw(&target.test.routers.public, request.body(Body::from(body.clone())).unwrap()).await.expect(200);
        }
        assert_eq!(target.test.send(Method::TRACE, "/v1/users/me", None, None).await.status, 405);
    }
}
