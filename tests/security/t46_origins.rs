//! T46: an origin is on a list when it is equal to an entry, and by no resemblance.
//!
//! Seen to fail: with `starts_with` or `ends_with` in the place of equality, look-alikes sign in.

use axum::{body::Body, http::Request};
use serde_json::json;

use crate::{
    api_keys::question,
    app::{from_peer, raw},
    both,
    client::{open_to_companies, register, set, sign_in_from},
};

const MAIL: &str = "owner@acme.example";

both! {
    async fn t46_look_alikes_are_other_origins(backend: Backend) {
        let Some(test) = open_to_companies(backend).await else { return };
        let acme = register(&test, "acme").await;
        let lists = json!({"allowed_origins": ["https://app.acme.example", "http://localhost:3000"]});
        set(&test, &acme.owner, lists).await.expect(200);
        for (origin, allowed) in [
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
        ] {
            test.advance(std::time::Duration::from_secs(1)); // for the rate of the key
            let signed_in = sign_in_from(&test, MAIL, &acme.tenant, "192.0.2.1", Some(origin)).await;
            let request = Request::post("/v1/authorize")
                .header("content-type", "application/json")
                .header("x-api-key", &acme.key)
                .header("origin", origin)
                .body(Body::from(question().to_string()));
            let asked = raw(&test.routers.public, from_peer(request.unwrap(), "192.0.2.1")).await;
            for reply in [signed_in, asked] {
                assert_eq!(reply.status.as_u16(), if allowed { 200 } else { 403 }, "{origin}: {}", reply.text);
                assert_eq!(reply.header("access-control-allow-origin"), "", "{origin}");
            }
        }
        // A program that sends no origin is not a page.
        sign_in_from(&test, MAIL, &acme.tenant, "192.0.2.1", None).await.expect(200);
    }
}
