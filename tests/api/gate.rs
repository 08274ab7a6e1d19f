//! The policies at every way in: about users, with all that is known of them and of the request (X15).

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};

use crate::{
    api_keys::KEYS,
    app::{Actor, PASSWORD, Reply, TestApp, from_peer, raw},
    both,
    client::{open_to_companies, register, set, sign_in_from},
    oauth::gateway,
    security::{
        t43_second_factor::{code, enrol},
        t53_issuance::add,
    },
};

const OFFICE: &str = "192.0.2.1";
const ELSEWHERE: &str = "198.51.100.7";
const OWN: [(&str, &str); 1] = [("grant_type", "client_credentials")];

/// What a README reader would write.
const FREE_PLAN: &str = r#"
@id("free-plan-networks")
@reason("people of the plan free sign in from the office only")
forbid (principal is User, action in [Action::"login", Action::"refresh"], resource is Tenant)
when { resource has plan && resource.plan == "free" }
unless { context.bailiwick has ip && context.bailiwick.ip.isInRange(ip("192.0.2.0/24")) };
"#;

const NO_KEYS_BY_PASSWORD: &str = r#"
@id("keys-need-a-second-factor")
@reason("API keys are made after a second factor")
@obligation("step-up")
@acr("mfa")
@max_age("300")
forbid (principal is User, action == Action::"createApiKey", resource)
unless { context.bailiwick has mfa && context.bailiwick.mfa };
"#;

/// Sends JSON from somewhere.
async fn post_from(test: &TestApp, peer: &str, path: &str, token: Option<&str>, body: Value) -> Reply {
    let mut request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    raw(&test.routers.public, from_peer(request.body(Body::from(body.to_string())).unwrap(), peer)).await
}

async fn refresh_from(test: &TestApp, peer: &str, token: &str) -> Reply {
    post_from(test, peer, "/v1/auth/refresh", None, json!({"refresh_token": token})).await
}

fn assert_names_decision(problem: &Value) {
    let decision = problem["decision_id"].as_str().unwrap();
    assert!(decision.starts_with("dec_") && decision.len() == 36, "{problem}");
}

both! {
    async fn a_plan_signs_in_from_some_networks_only(backend: Backend) {
        let Some(test) = open_to_companies(backend).await else { return };
        let (root, acme) = (test.administrator().await, register(&test, "acme").await);
        add(&test, &root, FREE_PLAN).await;
        let owner = "owner@acme.example";
        let denied = sign_in_from(&test, owner, &acme.tenant, ELSEWHERE, None).await;
        assert_names_decision(&denied.expect_problem(403, "policy_violation"));
        let inside = Actor::from(sign_in_from(&test, owner, &acme.tenant, OFFICE, None).await.expect(200));
        refresh_from(&test, ELSEWHERE, &inside.refresh).await.expect_problem(403, "policy_violation");
        refresh_from(&test, OFFICE, &inside.refresh).await.expect(200); // nothing was used up, nothing ended
        // Other plans are not concerned.
        let path = format!("/v1/admin/tenants/{}", acme.tenant);
        test.send(Method::PATCH, &path, Some(&root.token), Some(json!({"plan": "pro"}))).await.expect(200);
        sign_in_from(&test, owner, &acme.tenant, ELSEWHERE, None).await.expect(200);
    }

    async fn a_policy_keeps_a_user_out_at_every_way_in(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let (ann, client) = (test.user("ann").await, gateway(&test, &root).await);
        let of_user = format!(r#"principal == User::"{}""#, ann.id);
        for (principal, action) in [
            (&*of_user, "login"), (&*of_user, "refresh"), (&*of_user, "createApiKey"),
            ("principal", "register"), ("principal is Service", "issueToken"),
        ] {
            let policy = format!("@id(\"no\") @reason(\"a test\") forbid ({principal}, action == Action::\"{action}\", resource);");
            add(&test, &root, &policy).await;
            let new = json!({"email": "new@example.com", "password": PASSWORD});
            let problem = match action {
                "login" => test.try_login("ann@example.com", PASSWORD).await,
                "refresh" => test.refresh(&ann.refresh).await,
                "createApiKey" => test.post(KEYS, &ann.token, json!({"name": "k"})).await,
                "register" => test.post_open("/v1/auth/register", new).await,
                _ => {
                    test.token(&client, &OWN).await.expect_oauth(403, "access_denied");
                    continue;
                }
            };
            assert_names_decision(&problem.expect_problem(403, "policy_violation"));
        }
        // Each version took the one before back; the last is about clients only.
        test.try_login("ann@example.com", PASSWORD).await.expect(200);
        test.refresh(&ann.refresh).await.expect(200);
        test.post(KEYS, &ann.token, json!({"name": "k"})).await.expect(201);
    }

    /// T9: what the policies say of a user is told after the password, and to nobody else.
    async fn t09_a_denial_tells_nobody_who_exists(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let (root, ann) = (test.administrator().await, test.user("ann").await);
        let policy = format!("@id(\"no\") @reason(\"a test\") forbid (principal == User::\"{}\", action, resource);", ann.id);
        add(&test, &root, &policy).await;
        let wrong = test.try_login("ann@example.com", "not the password of ann").await;
        let nobody = test.try_login("nobody@example.com", "not the password of ann").await;
        for reply in [&wrong, &nobody] {
            assert_eq!((reply.status.as_u16(), &reply.body["code"]), (401, &json!("invalid_credentials")));
        }
        let members = |reply: &Reply| reply.body.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(members(&wrong), members(&nobody));
        test.try_login("ann@example.com", PASSWORD).await.expect_problem(403, "policy_violation");
    }

    async fn what_is_known_of_a_sign_in_can_be_asked_for(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let first = test.user("ann").await;
        add(&test, &root, r#"@id("strangers") @reason("after two wrong passwords only known devices sign in")
            forbid (principal is User, action == Action::"login", resource)
            when { context.bailiwick has failed_attempts && context.bailiwick.failed_attempts >= 2 }
            unless { context.bailiwick has device_known && context.bailiwick.device_known };"#).await;
        let login = || test.try_login("ann@example.com", PASSWORD);
        let device = login().await.expect(200)["device_token"].clone();
        for _ in 0..2 {
            test.try_login("ann@example.com", "not the password of ann").await.expect_problem(401, "invalid_credentials");
        }
        login().await.expect_problem(403, "policy_violation");
        let known = json!({"identifier": "ann@example.com", "password": PASSWORD, "device": {"token": device}});
        test.post_open("/v1/auth/login", known).await.expect(200);
        test.whoami(&first.token).await.expect(200);
    }

    async fn a_policy_demands_a_second_factor(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let (root, ann) = (test.administrator().await, test.user("ann").await);
        add(&test, &root, NO_KEYS_BY_PASSWORD).await;
        let make = async |who: &Actor| test.post(KEYS, &who.token, json!({"name": "k"})).await;
        let refused = make(&ann).await;
        let challenge = refused.header("www-authenticate").to_owned();
        assert!(challenge.starts_with("Bearer error=\"insufficient_user_authentication\""), "{challenge}");
        assert!(challenge.contains("acr_values=\"mfa\"") && challenge.contains("max_age=\"300\""), "{challenge}");
        assert_names_decision(&refused.expect_problem(401, "step_up_required"));
        let (app, _) = enrol(&test, &ann).await;
        let proof = json!({"password": PASSWORD, "code": code(&app, &test, 0)});
        let proven = Actor::from(test.post("/v1/auth/step-up", &ann.token, proof).await.expect(200));
        make(&proven).await.expect(201);
        // A policy that says no without a way out is not softened by one that shows one.
        let both = format!("{NO_KEYS_BY_PASSWORD}\n@id(\"never\") @reason(\"a test\") forbid (principal is User, action == Action::\"createApiKey\", resource);");
        add(&test, &root, &both).await;
        let bob = test.user("bob").await;
        make(&bob).await.expect_problem(403, "policy_violation");
        make(&proven).await.expect_problem(403, "policy_violation");
    }

    async fn a_policy_leaves_scopes_out_of_keys(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let (root, ann) = (test.administrator().await, test.user("ann").await);
        add(&test, &root, r#"@id("no-writing") @reason("people give no key the right to write")
            forbid (principal is User, action == Action::"grantScope", resource == Scope::"entities.write");"#).await;
        let key = |scopes: Value| json!({"name": "k", "scopes": scopes});
        let both = test.post(KEYS, &ann.token, key(json!(["entities.write", "decisions"]))).await.expect(201);
        assert_eq!(both["scopes"], json!(["decisions"]));
        let only = test.post(KEYS, &ann.token, key(json!(["entities.write"]))).await;
        assert_names_decision(&only.expect_problem(403, "policy_violation"));
        for other in ["*", "writeEntities"] {
            test.post(KEYS, &ann.token, key(json!([other]))).await.expect_problem(403, "policy_violation");
        }
        let path = format!("{KEYS}/{}", both["id"].as_str().unwrap());
        let change = async |scopes: Value| test.send(Method::PATCH, &path, Some(&ann.token), Some(json!({"scopes": scopes}))).await;
        let changed = change(json!(["entities.write", "entities.read"])).await.expect(200);
        assert_eq!(changed["scopes"], json!(["entities.read"]));
        change(json!(["entities.write"])).await.expect_problem(403, "policy_violation");
        assert_eq!(test.get(&path, &ann.token).await.expect(200)["scopes"], json!(["entities.read"]));
    }

    async fn a_sign_in_goes_on_to_the_second_factor_that_is_demanded(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let (root, ann) = (test.administrator().await, test.user("ann").await);
        test.user("bob").await;
        let (app, _) = enrol(&test, &ann).await;
        add(&test, &root, r#"@id("two-factors") @reason("everyone signs in with a second factor")
            @obligation("step-up")
            forbid (principal is User, action == Action::"login", resource) unless { context.bailiwick has mfa && context.bailiwick.mfa };"#).await;
        test.try_login("bob@example.com", PASSWORD).await.expect_problem(401, "step_up_required");
        let half = test.try_login("ann@example.com", PASSWORD).await.expect_problem(401, "mfa_required");
        let second = json!({"mfa_token": half["mfa_token"], "code": code(&app, &test, 0)});
        test.post_open("/v1/auth/login/mfa", second).await.expect(200);
    }

    /// R98: the lists hold for whatever gives out a credential, not for the sign-in alone.
    async fn the_lists_of_a_tenant_hold_at_every_way_in(backend: Backend) {
        let Some(test) = open_to_companies(backend).await else { return };
        let acme = register(&test, "acme").await;
        set(&test, &acme.owner, json!({"ip_allowlist": ["192.0.2.0/24"]})).await.expect(200);
        let owner = "owner@acme.example";
        sign_in_from(&test, owner, &acme.tenant, ELSEWHERE, None).await.expect_problem(403, "policy_violation");
        let inside = Actor::from(sign_in_from(&test, owner, &acme.tenant, OFFICE, None).await.expect(200));
        refresh_from(&test, ELSEWHERE, &inside.refresh).await.expect_problem(403, "policy_violation");
        let key = json!({"name": "k"});
        post_from(&test, ELSEWHERE, KEYS, Some(&inside.token), key.clone()).await.expect_problem(403, "policy_violation");
        post_from(&test, OFFICE, KEYS, Some(&inside.token), key).await.expect(201);
        refresh_from(&test, OFFICE, &inside.refresh).await.expect(200);
    }
}
