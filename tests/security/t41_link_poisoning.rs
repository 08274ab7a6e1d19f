//! T41: where a mailed link leads is configured; nothing in a request moves it.

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::json;

use crate::{app::raw, both, mailbox::Mailbox};

both! {
    async fn t41_links_lead_to_the_configured_page_whatever_the_request_says(backend: Backend) {
        let mailbox = Mailbox::open().await;
        let Some(test) = mailbox.app(backend, |_| ()).await else { return };
        test.user("ann").await;
        mailbox.collect(&test).await;
        for (name, value) in [
            ("host", "evil.example"),
            ("host", "auth.example.com.evil.example"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "http"),
            ("forwarded", "host=evil.example;proto=http"),
            ("x-original-url", "https://evil.example/"),
            ("origin", "https://evil.example"),
            ("referer", "https://evil.example/reset"),
        ] {
            let request = Request::post("/v1/auth/password/forgot").header(header::CONTENT_TYPE, "application/json");
            let body = Body::from(json!({"email": "ann@example.com"}).to_string());
            raw(&test.routers.public, request.header(name, value).body(body).unwrap()).await.expect(202);
            let mails = mailbox.collect(&test).await;
            let mail = Mailbox::one(&mails);
            assert!(mail.link().starts_with("https://auth.example.com/reset-password#token="), "{name}: {}", mail.link());
            assert!(!mail.text.contains("evil"), "{name}: {}", mail.text);
        }
    }

    /// There is no parameter to redirect by.
    async fn t41_nobody_names_where_to_go_on(backend: Backend) {
        let mailbox = Mailbox::open().await;
        let Some(test) = mailbox.app(backend, |_| ()).await else { return };
        for path in ["/v1/auth/password/forgot", "/v1/auth/verify-email/resend"] {
            for target in ["//evil.example", "/\\evil.example", "https:evil.example", "https://auth.example.com@evil.example", "/a\r\nLocation: https://evil.example", "javascript:alert(1)", "/ok"] {
                let body = json!({"email": "ann@example.com", "redirect_to": target});
                let refused = test.post_open(path, body).await;
                assert_eq!(refused.pointers(), ["/redirect_to"]);
                refused.expect_problem(422, "validation_failed");
            }
            for email in ["ann@example.com\r\nBcc: evil@example.com", "ann@example.com, evil@example.com", "<ann@example.com>"] {
                test.post_open(path, json!({"email": email})).await.expect_problem(422, "validation_failed");
            }
        }
        assert!(mailbox.collect(&test).await.is_empty());
    }
}
