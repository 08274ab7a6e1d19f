//! T46: an origin is on a list when it is equal to an entry, and by no resemblance.
//!
//! Seen to fail: with `starts_with` or `ends_with` in the place of equality, look-alikes sign in. With `starts_with`
//! in what CORS asks, they are answered; with cookies for listed origins, both tests of CORS; with what was read kept
//! over a change, the second.

use axum::{
    Router,
    body::Body,
    http::{Method, Request},
};
use serde_json::json;

use crate::{
    api_keys::question,
    app::{Reply, TestApp, answer, from_peer, raw},
    both,
    client::{open_to_companies, register, set, sign_in_from},
    sdk,
};

const MAIL: &str = "owner@acme.example";

/// What a browser, or who imitates one, sends as its origin; and whether it is on the list of the tests.
const ORIGINS: [(&str, bool); 27] = [
    ("https://app.acme.example", true),
    ("http://localhost:3000", true),
    ("null", false),
    ("*", false),
    ("https://app.acme.example.evil.example", false),
    ("https://evil-app.acme.example", false),
    ("https://app.acme.exampl", false),
    ("https://badapp.acme.example", false),
    ("https://acme.example", false),
    ("https://x.app.acme.example", false),
    ("http://app.acme.example", false),
    ("https://app.acme.example:443", false),
    ("https://app.acme.example:8443", false),
    ("https://app.acme.example/", false),
    ("https://app.acme.example.", false),
    ("https://APP.acme.example", false),
    ("HTTPS://app.acme.example", false),
    ("https://app.acme.example, https://evil.example", false),
    ("https://evil.example https://app.acme.example", false),
    ("https://app.acme.example@evil.example", false),
    ("https://evil.example#https://app.acme.example", false),
    ("//app.acme.example", false),
    ("app.acme.example", false),
    ("http://localhost:30000", false),
    ("http://localhost", false),
    ("http://127.0.0.1:3000", false),
    ("", false),
];

/// A page of `origin` reads something.
async fn ask(router: &Router, origin: &str) -> Reply {
    let request = Request::get("/v1/users/me").header("origin", origin).body(Body::empty());
    raw(router, request.unwrap()).await
}

/// Asks, as a browser does, whether a page of `origin` may send a question.
async fn preflight(test: &TestApp, origin: &str) -> Reply {
    let request = Request::builder().method(Method::OPTIONS).uri("/v1/authorize").header("origin", origin);
    let request = request
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type");
    answer(&test.routers.public, request.body(Body::empty()).unwrap()).await
}

/// Checks which origin an answer is for, whether cookies may come along, and that caches are told.
#[track_caller]
fn cors(reply: &Reply, origin: &str, with_cookies: bool) {
    assert_eq!(reply.header("access-control-allow-origin"), origin, "{}", reply.text);
    assert_eq!(
        reply.header("access-control-allow-credentials"),
        if with_cookies { "true" } else { "" },
        "{origin}"
    );
    assert!(reply.header("vary").to_lowercase().contains("origin"), "{:?}", reply.headers);
    if origin.is_empty() {
        assert!(
            reply.headers.keys().all(|name| !name.as_str().starts_with("access-control-")),
            "{:?}",
            reply.headers
        );
    }
}

both! {
    async fn t46_look_alikes_are_other_origins(backend: Backend) {
        let Some(test) = open_to_companies(backend).await else { return };
        let acme = register(&test, "acme").await;
        let lists = json!({"allowed_origins": ["https://app.acme.example", "http://localhost:3000"]});
        set(&test, &acme.owner, lists).await.expect(200);
        for (origin, allowed) in ORIGINS {
            test.advance(std::time::Duration::from_secs(1)); // for the rate of the key
            let signed_in = sign_in_from(&test, MAIL, &acme.tenant, "192.0.2.1", Some(origin)).await;
            let request = Request::post("/v1/authorize")
                .header("content-type", "application/json")
                .header("x-api-key", &acme.key)
                .header("origin", origin)
                .body(Body::from(question().to_string()));
            let asked = raw(&test.routers.public, from_peer(request.unwrap(), "192.0.2.1")).await;
            let echoed = if allowed { origin } else { "" };
            for reply in [signed_in, asked] {
                assert_eq!(reply.status.as_u16(), if allowed { 200 } else { 403 }, "{origin}: {}", reply.text);
                cors(&reply, echoed, false);
            }
            let flight = preflight(&test, origin).await;
            assert_eq!(flight.status == 200, allowed, "{origin}: {}", flight.text);
            cors(&flight, echoed, false);
        }
        // A program that sends no origin is not a page.
        sign_in_from(&test, MAIL, &acme.tenant, "192.0.2.1", None).await.expect(200);
    }

    /// A list counts from now on where it was changed, and within five seconds elsewhere; and not for a tenant that is
    /// suspended. Only the operator's own origins are trusted with cookies.
    async fn t46_a_change_of_the_list_is_followed(backend: Backend) {
        let Some(test) = open_to_companies(backend).await else { return };
        let root = test.administrator().await;
        let acme = register(&test, "acme").await;
        let (page, operators) = ("https://app.acme.example", "https://console.example.com");
        let ours = |config: &mut bailiwick::config::Config| config.server.cors_origins = vec![operators.to_owned()];
        let (_other, other) = test.second_node_with(ours).await;
        cors(&preflight(&test, page).await, "", false);
        cors(&ask(&other.public, page).await, "", false);
        cors(&ask(&other.public, operators).await, operators, true);
        set(&test, &acme.owner, json!({"allowed_origins": [page]})).await.expect(200);
        cors(&preflight(&test, page).await, page, false);
        let (_late, late, clock) = test.node_with_clock().await;
        cors(&ask(&late.public, page).await, page, false);
        cors(&ask(&late.internal, page).await, "", false);
        let path = format!("/v1/admin/tenants/{}", acme.tenant);
        test.send(Method::PATCH, &path, Some(&root.token), Some(json!({"status": "suspended"}))).await.expect(200);
        cors(&preflight(&test, page).await, "", false);
        cors(&ask(&late.public, page).await, page, false);
        clock.advance(std::time::Duration::from_secs(5));
        cors(&ask(&late.public, page).await, "", false);
        // Without the database nobody new is let in.
        test.app.db.close().await;
        test.advance(std::time::Duration::from_secs(5));
        cors(&preflight(&test, page).await, "", false);
    }

    /// Tokens that a tenant's server hands on are for the pages of one origin, or of those on the list.
    async fn t46_a_token_is_used_by_pages_of_its_origin(backend: Backend) {
        let Some(test) = open_to_companies(backend).await else { return };
        let acme = register(&test, "acme").await;
        let lists = json!({"allowed_origins": ["https://app.acme.example", "http://localhost:3000"]});
        set(&test, &acme.owner, lists).await.expect(200);
        let token = async |origin: Option<&str>| {
            let body = json!({"user_external_id": "1", "origin": origin});
            let opened = sdk::open(&test, &acme.key, body).await.expect(200);
            (opened["access_token"].as_str().unwrap().to_owned(), opened["refresh_token"].as_str().unwrap().to_owned())
        };
        let (listed, _) = token(None).await;
        let (bound, refresh) = token(Some("https://app.acme.example")).await;
        for (origin, allowed) in ORIGINS {
            for (token, allowed) in [(&listed, allowed), (&bound, origin == "https://app.acme.example")] {
                let me = sdk::on_page(&test, Method::GET, "/v1/users/me", Some(token), Some(origin), None).await;
                if allowed {
                    me.expect(200);
                } else {
                    me.expect_problem(403, "origin_not_allowed");
                }
            }
            if origin != "https://app.acme.example" {
                // Refused, and not used up.
                let body = Some(json!({"refresh_token": refresh}));
                let refused = sdk::on_page(&test, Method::POST, sdk::REFRESH, None, Some(origin), body).await;
                let code = if allowed { "origin_not_allowed" } else { "policy_violation" };
                refused.expect_problem(403, code);
            }
        }
        // A program is no page; a person's own token is for any page that the server lets call.
        for token in [&listed, &bound] {
            test.whoami(token).await.expect(200);
        }
        sdk::on_page(&test, Method::GET, "/v1/users/me", Some(&acme.owner.token), Some("https://x.example"), None).await.expect(200);
        let body = Some(json!({"refresh_token": refresh}));
        sdk::on_page(&test, Method::POST, sdk::REFRESH, None, Some("https://app.acme.example"), body).await.expect(200);
        // No session for an origin that is not on the list; and the list of now counts.
        let body = json!({"user_external_id": "1", "origin": "https://evil.example"});
        sdk::open(&test, &acme.key, body).await.expect_problem(403, "policy_violation");
        set(&test, &acme.owner, json!({"allowed_origins": ["http://localhost:3000"]})).await.expect(200);
        let me = sdk::on_page(&test, Method::GET, "/v1/users/me", Some(&bound), Some("https://app.acme.example"), None).await;
        me.expect_problem(403, "origin_not_allowed");
    }
}
