//! Context tokens: told by a gateway that asked, and verified offline by the service behind it (C13).
//!
//! Seen to fail: with the end of what was presented left out, the first three; with duplicates let in, the fourth; with `typ`
//! unread, the fifth (what a token of another kind lacks of claims keeps it out of the server even then).

use std::{sync::Arc, time::Duration};

use axum::{Extension, Router, body::Body, http::Request, routing::get};
use bailiwick::{
    base::Clock,
    enforce::{ContextClaims, ContextVerifier, EnforceLayer, KeySet, Keys, Refusal, Verifier},
    jws::Algorithm,
    users::UserStatus,
};
use serde_json::{Value, json};

use crate::{
    api_keys::make,
    app::{PASSWORD, Reply, TestApp, answer},
    both,
    forge::api_key,
};

const PHOTOS: &str = "https://photos.example.com";
const VALIDATE: &str = "/v1/internal/validate";
const VALIDATE_KEY: &str = "/v1/internal/validate-api-key";

/// The keys that the server publishes.
fn published(test: &TestApp) -> Arc<KeySet> {
    let keys = KeySet::new(|| async { Err::<String, _>("offline") });
    keys.replace(Keys::parse(&test.app.tokens.jwks().json).unwrap());
    Arc::new(keys)
}

/// What a service of this name makes of a context token.
fn seen_by(test: &TestApp, service: &str, token: &str) -> Result<ContextClaims, Refusal> {
    let (issuer, clock) = (test.app.tokens.settings().issuer.clone(), test.clock.clone());
    let verifier = ContextVerifier::for_service(issuer, service, published(test));
    verifier.with_clock(move || clock.now().0).verify_now(token)
}

/// Asks with an audience; answers what is told, the claims for the photos and how long they count.
async fn told(test: &TestApp, path: &str, by: &str, mut body: Value) -> (Reply, ContextClaims, u64) {
    body["audience"] = json!(PHOTOS);
    let reply = test.post(path, by, body).await;
    assert_eq!((reply.status.as_u16(), &reply.body["valid"]), (200, &json!(true)), "{}", reply.text);
    let token = reply.body["context_token"].as_str().unwrap();
    let claims = seen_by(test, PHOTOS, token).unwrap();
    assert_eq!(seen_by(test, "https://photos.example.com.evil", token), Err(Refusal::Invalid("aud")));
    let expires_in = reply.body["context_expires_in"].as_u64().unwrap();
    assert_eq!(claims.exp - claims.iat, i64::try_from(expires_in).unwrap());
    (reply, claims, expires_in)
}

/// Asks with an audience about what does not count: nothing is told.
async fn not_told(test: &TestApp, path: &str, by: &str, mut body: Value) -> String {
    body["audience"] = json!(PHOTOS);
    let said = test.post(path, by, body).await.expect(200);
    assert_eq!(said["valid"], false, "{said}");
    assert!(said.get("context_token").is_none() && said.get("context_expires_in").is_none(), "{said}");
    said["code"].as_str().unwrap().to_owned()
}

/// A service behind a gateway, that answers whom it was told of.
fn behind(test: &TestApp, service: &str) -> Router {
    let (issuer, clock) = (test.app.tokens.settings().issuer.clone(), test.clock.clone());
    let verifier = ContextVerifier::for_service(issuer, service, published(test));
    let who = async |Extension(claims): Extension<ContextClaims>| claims.sub;
    let layer = EnforceLayer::for_contexts(verifier.with_clock(move || clock.now().0));
    Router::new().route("/", get(who)).layer(layer)
}

async fn send(router: &Router, headers: &[(&str, &str)]) -> (u16, String) {
    let request =
        headers.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, *value));
    let reply = answer(router, request.body(Body::empty()).unwrap()).await;
    let said = reply.body["code"].as_str().unwrap_or(&reply.text).to_owned();
    (reply.status.as_u16(), said)
}

both! {
    /// The second hop neither looks at the key nor counts its use.
    async fn r102_a_key_is_told_onward_and_counted_once(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let inside = test.inside(&root).await;
        let ann = test.user_with_role(&root, "manager").await;
        let about = json!({"name": "k", "scopes": ["decisions", "roles.read"], "rate": {"rps": 1, "burst": 1}, "expires_in_secs": 90});
        let (id, key) = make(&test, &ann, about).await;
        let ask = json!({"api_key": key});
        let (reply, claims, expires_in) = told(&test, VALIDATE_KEY, &inside, ask.clone()).await;
        assert_eq!((claims.sub.as_str(), claims.tid.as_str(), claims.sid.as_ref()), (&*id, reply.body["client"]["tenant_id"].as_str().unwrap(), None));
        assert_eq!((claims.rid.as_str(), expires_in), (reply.header("x-request-id"), 60));
        assert!(claims.has_scope("roles.read") && claims.has_scope("decisions") && !claims.has_scope("roles.write"));
        assert_eq!((claims.has_role("manager"), claims.has_role("user"), claims.has_role("admin")), (Some(true), Some(true), Some(false)));
        let token = reply.body["context_token"].as_str().unwrap();
        for _ in 0..3 {
            assert_eq!(send(&behind(&test, PHOTOS), &[("x-context-token", token)]).await, (200, id.clone()));
        }
        assert_eq!(not_told(&test, VALIDATE_KEY, &inside, ask.clone()).await, "RATE_LIMITED");
        test.advance(Duration::from_secs(50));
        let (_, _, expires_in) = told(&test, VALIDATE_KEY, &inside, ask.clone()).await;
        assert_eq!(expires_in, 40, "no longer than the key");

        test.advance(Duration::from_secs(10));
        test.set_status(&ann, UserStatus::Disabled).await;
        assert_eq!(not_told(&test, VALIDATE_KEY, &inside, ask.clone()).await, "DISABLED");
        test.set_status(&ann, UserStatus::Active).await;
        test.advance(Duration::from_secs(30));
        assert_eq!(not_told(&test, VALIDATE_KEY, &inside, ask).await, "EXPIRED");
        let unknown = json!({"api_key": api_key("prod", 7, &"7".repeat(43))});
        assert_eq!(not_told(&test, VALIDATE_KEY, &inside, unknown).await, "NOT_FOUND");
        let said = test.post(VALIDATE_KEY, &inside, json!({"api_key": "x"})).await.expect(200);
        assert!(said.get("context_token").is_none(), "{said}");
    }

    async fn r102_the_holder_of_a_token_is_told_onward(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, |config| {
            (config.sessions.idle_ttl_secs, config.sessions.absolute_ttl_secs) = (600, 600);
        }).await else { return };
        let root = test.administrator().await;
        let about = json!({"name": "Inside", "scopes": ["internal", "decisions"]});
        let service = test.service(&root, about).await;
        let inside = test.own_token(&service).await;
        test.grant(&root, &test.user("ann").await, "manager").await;
        let (ann, bob) = (test.login("ann@example.com", PASSWORD).await, test.user("bob").await);
        let view = json!([{"action": "view", "resource": {"type": "Document", "id": "handbook"}}]);
        let (reply, claims, expires_in) = told(&test, VALIDATE, &inside, json!({"token": ann.token, "authorize": view})).await;
        let says = &reply.body["payload"];
        assert_eq!(serde_json::to_value(&claims).unwrap(), json!({
            "iss": says["iss"], "aud": PHOTOS, "sub": ann.id, "tid": says["tid"], "sid": ann.session,
            "rid": reply.header("x-request-id"), "jti": claims.jti, "iat": says["iat"], "nbf": says["nbf"],
            "exp": says["iat"].as_i64().unwrap() + 60, "scope": "", "roles": says["roles"],
        }));
        assert_eq!((expires_in, claims.has_role("manager")), (60, Some(true)));
        assert_eq!(reply.body["decisions"][0]["decision"], "allow");
        let (_, again, _) = told(&test, VALIDATE, &inside, json!({"token": ann.token})).await;
        assert!(again.jti != claims.jti && !claims.jti.is_empty());
        let (_, program, _) = told(&test, VALIDATE, &inside, json!({"token": inside})).await;
        assert_eq!((program.sub.as_str(), program.sid.as_ref()), (&*service.id, None));
        assert!(program.has_scope("internal"));

        for wrong in ["", "a b", "\u{e9}", "a\u{1}", &"x".repeat(257)] {
            for body in [json!({"token": ann.token, "audience": wrong}), json!({"api_key": "x", "audience": wrong})] {
                let path = if body.get("token").is_some() { VALIDATE } else { VALIDATE_KEY };
                let reply = test.post(path, &inside, body).await;
                assert_eq!(reply.pointers(), ["/audience"], "{}", reply.text);
                reply.expect_problem(422, "validation_failed");
            }
        }
        test.delete(&format!("/v1/sessions/{}", ann.session), &ann.token).await.expect(204);
        assert_eq!(not_told(&test, VALIDATE, &inside, json!({"token": ann.token})).await, "token_revoked");
        assert_eq!(not_told(&test, VALIDATE, &inside, json!({"token": ann.refresh})).await, "token_invalid");
        let page = json!({"token": bob.token, "origin": "null"});
        assert_eq!(not_told(&test, VALIDATE, &inside, page).await, "origin_not_allowed");
        test.advance(Duration::from_secs(580));
        let (_, _, expires_in) = told(&test, VALIDATE, &inside, json!({"token": bob.token})).await;
        assert_eq!(expires_in, 20, "no longer than the session");
    }

    async fn a_context_token_ends_with_what_was_presented(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, |config| {
            config.tokens.access_ttl_secs = 90;
            config.tokens.signing_alg = Algorithm::Es256;
        }).await else { return };
        let root = test.administrator().await;
        let service = test.service(&root, json!({"name": "Inside", "scopes": ["internal"]})).await;
        let ann = test.user("ann").await;
        test.advance(Duration::from_secs(70));
        let inside = test.own_token(&service).await;
        let (reply, _, expires_in) = told(&test, VALIDATE, &inside, json!({"token": ann.token})).await;
        assert_eq!(expires_in, 20);
        let token = reply.body["context_token"].as_str().unwrap();
        test.advance(Duration::from_secs(25));
        seen_by(&test, PHOTOS, token).unwrap();
        test.advance(Duration::from_secs(1));
        assert_eq!(seen_by(&test, PHOTOS, token), Err(Refusal::Expired), "5 seconds are forgiven");
        assert_eq!(not_told(&test, VALIDATE, &inside, json!({"token": ann.token})).await, "token_expired");
    }

    /// One header, once, in one spelling; and nothing else that names somebody.
    async fn t24_a_service_reads_one_context_token_and_nothing_else(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let inside = test.inside(&root).await;
        let (ann, bob) = (test.user("ann").await, test.user("bob").await);
        let (mut tokens, service) = (Vec::new(), behind(&test, PHOTOS));
        for user in [&ann, &bob] {
            let (reply, ..) = told(&test, VALIDATE, &inside, json!({"token": user.token})).await;
            tokens.push(reply.body["context_token"].as_str().unwrap().to_owned());
        }
        let [of_ann, of_bob] = [&*tokens[0], &*tokens[1]];
        let refused = |code: &str| (401, code.to_owned());
        for name in ["x-context-token", "X-Context-Token", "X-CONTEXT-TOKEN"] {
            assert_eq!(send(&service, &[(name, of_ann)]).await, (200, ann.id.clone()));
        }
        let smuggled = [("x-user-id", &*bob.id), ("x_context_token", of_bob), ("x-tenant-id", "x"), ("authorization", "Bearer x")];
        let with = [&[("x-context-token", of_ann)][..], &smuggled[..]].concat();
        assert_eq!(send(&service, &with).await, (200, ann.id.clone()));
        let by_bearer = format!("Bearer {of_ann}");
        for headers in [&smuggled[..], &[], &[("authorization", &*by_bearer)]] {
            assert_eq!(send(&service, headers).await, refused("context_token_missing"), "{headers:?}");
        }
        let joined = format!("{of_ann}, {of_bob}");
        for headers in [
            &[("x-context-token", of_ann), ("x-context-token", of_ann)][..],
            &[("x-context-token", of_ann), ("x-context-token", of_bob)],
            &[("x-context-token", of_ann), ("x-context-token", "")],
            &[("x-context-token", ""), ("x-context-token", of_ann)],
            &[("x-context-token", &*joined)],
            &[("x-context-token", "")],
            &[("x-context-token", "\u{e9}")],
            &[("x-context-token", &*by_bearer)],
            &[("x-context-token", &*ann.refresh)],
        ] {
            assert_eq!(send(&service, headers).await, refused("token_invalid"), "{headers:?}");
        }
        assert_eq!(send(&service, &[("x-context-token", &ann.token)]).await, refused("wrong_token_type"));
        assert_eq!(send(&behind(&test, "https://mail.example.com"), &[("x-context-token", of_ann)]).await, refused("token_invalid"));
        test.advance(Duration::from_secs(66));
        assert_eq!(send(&service, &[("x-context-token", of_ann)]).await, refused("token_expired"));
    }

    /// Offline too, one kind is never taken for another, whomever it is for; nor is another installation's.
    async fn t05_kinds_are_told_apart_offline(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let inside = test.inside(&root).await;
        let settings = test.app.tokens.settings().clone();
        let body = json!({"token": root.token, "audience": settings.audience});
        let told = test.post(VALIDATE, &inside, body).await.expect(200);
        let context = told["context_token"].as_str().unwrap();
        let clock = test.clock.clone();
        let access = Verifier::new(settings.issuer, settings.audience.clone(), published(&test)).with_clock(move || clock.now().0);
        access.verify_now(&root.token).unwrap();
        assert_eq!(access.verify_now(context).unwrap_err(), Refusal::WrongType);
        assert_eq!(seen_by(&test, &settings.audience, context).unwrap().sub, root.id);
        assert_eq!(seen_by(&test, &settings.audience, &root.token).unwrap_err(), Refusal::WrongType);
        let Some(other) = TestApp::spawn(backend).await else { return };
        assert_eq!(seen_by(&other, &settings.audience, context).unwrap_err(), Refusal::UnknownKey);
        let elsewhere = ContextVerifier::for_service("https://other.example", settings.audience, published(&test));
        let clock = test.clock.clone();
        assert_eq!(elsewhere.with_clock(move || clock.now().0).verify_now(context), Err(Refusal::Invalid("iss")));
    }
}
