//! T17: what a browser's cookies carry must come from a page of ours.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};

use crate::{
    app::{PASSWORD, Reply, TestApp, raw},
    both,
};

const OURS: &str = "https://app.example.com";

/// A request of a browser to a path, with a JSON body unless the method only reads.
async fn browse(test: &TestApp, method: Method, path: &str, headers: &[(&str, &str)], body: Value) -> Reply {
    let mut request = Request::builder().method(&method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let reads = method == Method::GET;
    if !reads && headers.iter().all(|(name, _)| *name != "content-type") {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let body = if reads { Body::empty() } else { Body::from(body.to_string()) };
    raw(&test.routers.public, request.body(body).unwrap()).await
}

/// The cookies that an answer sets, as a browser sends them back, with what it was told of each.
fn cookies(reply: &Reply) -> Vec<(String, String)> {
    let set = reply.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap());
    set.map(|line| line.split_once(';').unwrap()).map(|(pair, of)| (pair.to_owned(), of.to_owned())).collect()
}

fn sent(cookies: &[(String, String)]) -> String {
    cookies.iter().map(|(pair, _)| pair.as_str()).collect::<Vec<_>>().join("; ")
}

async fn sign_in(test: &TestApp) -> Vec<(String, String)> {
    test.user("ann").await;
    let credentials = json!({"identifier": "ann@example.com", "password": PASSWORD});
    let page = [("sec-fetch-site", "same-origin")];
    let reply = browse(test, Method::POST, "/v1/auth/login?mode=cookie", &page, credentials).await;
    let body = reply.body.clone();
    assert!(
        ["access_token", "refresh_token", "device_token"].iter().all(|key| body.get(key).is_none()),
        "{body}"
    );
    let found = cookies(&reply);
    reply.expect(200);
    found
}

both! {
    async fn t17_tokens_are_kept_from_scripts_and_other_hosts(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let found = sign_in(&test).await;
        for (pair, told) in &found {
            let path = if pair.starts_with("__Host-at=") { "/" } else { "/v1/auth" };
            for word in [&format!("Path={path};"), "HttpOnly", "Secure", "SameSite=Lax"] {
                assert!(told.contains(word), "{pair}: {told}");
            }
            assert!(!told.contains("Domain"), "{told}");
        }
        assert_eq!(found.len(), 3);
        let me = browse(&test, Method::GET, "/v1/users/me", &[("cookie", &sent(&found))], Value::Null).await;
        assert_eq!(me.expect(200)["email"], "ann@example.com");
    }

    async fn t17_only_our_pages_change_something(backend: Backend) {
        let ours = |config: &mut bailiwick::config::Config| config.server.cors_origins = vec![OURS.to_owned()];
        let Some(test) = TestApp::spawn_with(backend, ours).await else { return };
        let cookie = sent(&sign_in(&test).await);
        let public_url = test.app.config.public_url();
        let origins = [
            (None, false),
            (Some("null"), false),
            (Some("https://evil.example"), false),
            (Some("https://app.example.com.evil.example"), false),
            (Some("https://sub.app.example.com"), false),
            (Some("https://APP.example.com"), false),
            (Some(&*public_url), true),
            (Some(OURS), true),
        ];
        let sites = [(None, false), (Some("cross-site"), false), (Some("same-site"), false), (Some("same-origin"), true)];
        for (origin, is_known) in origins {
            for (site, is_ours) in sites {
                let mut headers = vec![("cookie", &*cookie)];
                headers.extend(origin.map(|origin| ("origin", origin)));
                headers.extend(site.map(|site| ("sec-fetch-site", site)));
                let refused = !(is_known || is_ours);
                let others = browse(&test, Method::POST, "/v1/sessions/revoke-others", &headers, json!({})).await;
                assert_eq!(others.status == 403, refused, "{origin:?} {site:?}: {}", others.text);
                if refused {
                    others.expect_problem(403, "cross_site");
                    // Nobody is signed in, or out, by another site's page either.
                    let credentials = json!({"identifier": "ann@example.com", "password": PASSWORD});
                    let login = browse(&test, Method::POST, "/v1/auth/login?mode=cookie", &headers, credentials).await;
                    assert!(cookies(&login).is_empty());
                    login.expect_problem(403, "cross_site");
                    for path in ["/v1/auth/refresh?mode=cookie", "/v1/auth/logout?mode=cookie"] {
                        browse(&test, Method::POST, path, &headers, json!({})).await.expect_problem(403, "cross_site");
                    }
                    let logout = browse(&test, Method::POST, "/v1/auth/logout", &headers, json!({})).await;
                    logout.expect_problem(401, "token_missing");
                }
                // Reading is not changing; whether the page sees the answer is CORS' to say.
                browse(&test, Method::GET, "/v1/users/me", &headers, Value::Null).await.expect(200);
            }
        }
        // A form can send no JSON, whatever page it is on.
        for kind in ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"] {
            let headers = [("cookie", &*cookie), ("sec-fetch-site", "same-origin"), ("content-type", kind)];
            let reply = browse(&test, Method::POST, "/v1/auth/logout?mode=cookie", &headers, json!({})).await;
            reply.expect_problem(415, "unsupported_media_type");
        }
    }

    async fn t17_a_bearer_token_needs_no_page_and_outranks_cookies(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let cookie = sent(&sign_in(&test).await);
        let bob = test.user("bob").await;
        let bearer = format!("Bearer {}", bob.token);
        let headers = [("cookie", &*cookie), ("authorization", &*bearer), ("sec-fetch-site", "cross-site")];
        browse(&test, Method::POST, "/v1/sessions/revoke-others", &headers, json!({})).await.expect(200);
        let me = browse(&test, Method::GET, "/v1/users/me", &headers, Value::Null).await.expect(200);
        assert_eq!(me["id"], json!(bob.id));
    }

    async fn t17_a_browser_is_refreshed_and_signed_out_by_its_cookies(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let first = sign_in(&test).await;
        let page = |cookie: &str| [("cookie", cookie.to_owned()), ("sec-fetch-site", "same-origin".to_owned())];
        let go = async |path: &str, cookie: &str| {
            let headers = page(cookie);
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
            browse(&test, Method::POST, path, &headers, json!({})).await
        };
        let refreshed = go("/v1/auth/refresh?mode=cookie", &sent(&first)).await;
        assert_eq!(refreshed.body["token_version"], 2, "{}", refreshed.text);
        let second = cookies(&refreshed);
        go("/v1/auth/refresh", &sent(&second)).await.expect_problem(422, "validation_failed");
        let out = go("/v1/auth/logout?mode=cookie", &sent(&second)).await;
        assert_eq!(out.status, 204);
        assert!(cookies(&out).iter().all(|(pair, told)| pair.ends_with('=') && told.contains("Max-Age=0")));
        for path in ["/v1/auth/refresh?mode=cookie", "/v1/sessions/revoke-others"] {
            go(path, &sent(&second)).await.expect_problem(401, "token_revoked");
        }
        go("/v1/auth/refresh?mode=cookie", "").await.expect_problem(422, "validation_failed");
    }
}
