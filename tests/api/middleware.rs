//! What every request passes. (Security headers and problem bodies are checked for every answer of
//! every test, by `contract`.)

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    body::Body,
    http::{Method, Request},
};
use bailiwick::{
    base::{Entropy, EntropyError, OsEntropy},
    config::Config,
};
use serde_json::json;

use crate::{
    app::{PASSWORD, Reply, TestApp, from_peer, raw},
    both,
};

fn get(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let request =
        headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    request.body(Body::empty()).unwrap()
}

/// Randomness that fails in a way nobody expects, once it is told to. Ids of requests are still made.
#[derive(Debug, Default)]
struct Brittle(AtomicBool);

impl Entropy for Brittle {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        assert!(buffer.len() == 10 || !self.0.load(Ordering::SeqCst), "a bug that says a-secret-of-ours");
        OsEntropy.fill(buffer)
    }
}

both! {
    async fn each_request_has_an_id_of_its_own(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let mut seen = std::collections::BTreeSet::new();
        for path in ["/v1/users/me", "/nowhere", "/.well-known/jwks.json", "/openapi.json"] {
            for sent in [None, Some("a-caller-says-this")] {
                let headers: Vec<_> = sent.iter().map(|id| ("x-request-id", *id)).collect();
                let reply = raw(&test.routers.public, get(path, &headers)).await;
                assert!(reply.header("x-request-id").starts_with("req_"), "{path}");
                assert!(seen.insert(reply.header("x-request-id").to_owned()));
            }
        }
    }

    async fn a_trusted_proxy_may_name_the_request(backend: Backend) {
        let trust = |config: &mut Config| config.server.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        let Some(test) = TestApp::spawn_with(backend, trust).await else { return };
        let ask = async |peer: &str, id: &str| {
            let request = from_peer(get("/v1/users/me", &[("x-request-id", id)]), peer);
            let reply = raw(&test.routers.public, request).await;
            let given = reply.header("x-request-id").to_owned();
            reply.expect_problem(401, "token_missing");
            given
        };
        assert_eq!(ask("10.1.2.3", "trace-0123456789").await, "trace-0123456789");
        assert_eq!(ask("::ffff:10.1.2.3", "trace-0123456789").await, "trace-0123456789");
        for (peer, id) in [
            ("192.0.2.1", "trace-0123456789"), ("10.1.2.3", "short"), ("10.1.2.3", "with space 12345"), ("10.1.2.3", "<script>alert(1)"),
            ("10.1.2.3", &"a".repeat(129)), ("10.1.2.3", ""),
        ] {
            assert!(ask(peer, id).await.starts_with("req_"), "{peer} {id}");
        }
    }

    async fn https_is_insisted_on_only_where_it_is_there(backend: Backend) {
        let Some(plain) = TestApp::spawn(backend).await else { return };
        let https = |config: &mut Config| config.server.public_url = Some("https://id.example.com".to_owned());
        let Some(secure) = TestApp::spawn_with(backend, https).await else { return };
        for path in ["/.well-known/jwks.json", "/v1/users/me", "/nowhere", "/docs/", "/openapi.json"] {
            let header = |reply: &Reply| reply.header("strict-transport-security").to_owned();
            assert_eq!(header(&plain.get_open(path).await), "", "{path}");
            assert_eq!(header(&secure.get_open(path).await), "max-age=31536000; includeSubDomains", "{path}");
        }
        let ann = secure.user("ann").await;
        assert_eq!(crate::forge::parts(&ann.token).1["iss"], "https://id.example.com");
    }

    async fn nothing_may_be_called_from_other_origins_by_default(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let reply = raw(&test.routers.public, get("/.well-known/jwks.json", &[("origin", "https://evil.example")])).await;
        assert!(reply.headers.keys().all(|name| !name.as_str().starts_with("access-control-")), "{:?}", reply.headers);
    }

    async fn only_the_configured_origins_may_call(backend: Backend) {
        let origin = "https://app.example.com";
        let allow = |config: &mut Config| config.server.cors_origins = vec![origin.to_owned()];
        let Some(test) = TestApp::spawn_with(backend, allow).await else { return };
        let ask = |from: &str| raw(&test.routers.public, get("/v1/users/me", &[("origin", from)]));
        let allowed = ask(origin).await;
        assert_eq!(allowed.header("access-control-allow-origin"), origin, "on problems too");
        assert!(allowed.header("vary").to_lowercase().contains("origin"));
        assert_eq!(allowed.header("access-control-allow-credentials"), "true", "for cookies");
        for other in [
            "null", "https://evil.example", "https://app.example.com.evil.example", "http://app.example.com", "https://APP.example.com",
            "https://app.example.com:443", "https://app.example.com:8443", "https://badapp.example.com", "https://app.example.com/", "*", "",
        ] {
            let reply = ask(other).await;
            assert_eq!(reply.header("access-control-allow-origin"), "", "{other}");
        }
        let preflight = Request::builder().method(Method::OPTIONS).uri("/v1/users/me").header("origin", origin);
        let preflight = preflight.header("access-control-request-method", "GET").header("access-control-request-headers", "authorization");
        let reply = raw(&test.routers.public, preflight.body(Body::empty()).unwrap()).await;
        assert_eq!((reply.status.as_u16(), reply.header("access-control-allow-origin")), (200, origin));
        assert!(reply.header("access-control-allow-headers").contains("authorization"));
    }

    async fn smuggled_context_changes_nothing(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let ann = test.user("ann").await;
        let bearer = format!("Bearer {}", ann.token);
        for spelling in ["x-user-id", "X-User-Id", "x_user_id", "X_USER-ID", "x-roles", "X_ROLES", "x-internal-request", "x-gateway-trusted", "x-tenant-id", "x-session-id", "x-context-token"] {
            for value in [&*root.id, "super_admin", "true", &root.token] {
                let headers = [("authorization", &*bearer), (spelling, value), (spelling, value), ("connection", spelling)];
                let me = raw(&test.routers.public, get("/v1/users/me", &headers)).await.expect(200);
                assert_eq!((&me["id"], &me["roles"]), (&json!(ann.id), &json!(["user"])), "{spelling}");
                raw(&test.routers.public, get("/v1/users/me", &headers[1..])).await.expect_problem(401, "token_missing");
                raw(&test.routers.public, get("/v1/admin/roles", &headers)).await.expect_problem(403, "insufficient_permissions");
            }
        }
    }

    async fn other_methods_are_named_as_not_allowed(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        for (method, path, allowed) in [
            (Method::GET, "/v1/auth/login", "POST"),
            (Method::PUT, "/v1/users/me", "GET"),
            (Method::PATCH, "/v1/admin/roles", "GET,HEAD,POST"),
            (Method::DELETE, "/v1/sessions/revoke-others", "POST"),
        ] {
            let reply = test.send(method, path, None, None).await;
            let allow = reply.header("allow").replace(' ', "");
            for one in allowed.split(',') {
                assert!(allow.split(',').any(|given| given == one), "{path}: {allow}");
            }
            reply.expect_problem(405, "method_not_allowed");
        }
        test.get_open("/nowhere").await.expect_problem(404, "not_found");
        let head = test.send(Method::HEAD, "/.well-known/jwks.json", None, None).await;
        assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    }

    async fn a_bug_is_a_problem_and_the_server_lives_on(backend: Backend) {
        let brittle = Arc::new(Brittle::default());
        let Some(test) = TestApp::spawn_from(backend, Some(brittle.clone()), |_| ()).await else { return };
        let ann = test.user("ann").await;
        brittle.0.store(true, Ordering::SeqCst);
        for _ in 0..5 {
            let reply = test.try_login("ann@example.com", PASSWORD).await;
            assert!(!reply.text.contains("a-secret-of-ours"), "{}", reply.text);
            reply.expect_problem(500, "internal_error");
        }
        test.whoami(&ann.token).await.expect(200);
        brittle.0.store(false, Ordering::SeqCst);
        test.login("ann@example.com", PASSWORD).await;
    }

    async fn the_page_and_the_document_are_served(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let document = test.get_open("/openapi.json").await.expect(200);
        assert_eq!(document, *crate::contract::DOCUMENT);
        let page = test.get_open("/docs/").await;
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(page.header("content-type").starts_with("text/html"));
        let policy = page.header("content-security-policy");
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe-eval"), "{policy}");
        let off = |config: &mut Config| config.docs.enabled = false;
        let Some(closed) = TestApp::spawn_with(backend, off).await else { return };
        for path in ["/docs", "/docs/", "/openapi.json"] {
            closed.get_open(path).await.expect_problem(404, "not_found");
        }
    }
}
