//! Tag `internal`: what services inside the trusted network ask.

use std::time::Duration;

use axum::http::Method;
use bailiwick::{
    audit::Actor as Auditor,
    authn::{NewClient, RegisteredClient},
    clients::{Grant, NewClient as NewOAuthClient},
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{
    api_keys::make,
    app::{Actor, PASSWORD, Reply, Service, TestApp},
    both,
    forge::api_key,
};

const VALIDATE: &str = "/v1/internal/validate";
const VALIDATE_KEY: &str = "/v1/internal/validate-api-key";
const BY: Auditor<'static> = Auditor { name: "test", request_id: None };

/// A company, with a service of its own.
pub(crate) struct Company {
    pub(crate) made: RegisteredClient,
    pub(crate) service: String,
}

pub(crate) async fn company(test: &TestApp, name: &str) -> Company {
    let new = NewClient {
        company: name.parse().unwrap(),
        plan: "free".to_owned(),
        email: format!("owner@{name}.example").parse().unwrap(),
        password: SecretString::from(PASSWORD),
        ip: None,
    };
    let made = test.app.authn.register_client(&new, BY).await.unwrap();
    let about = NewOAuthClient {
        name: "Gateway".parse().unwrap(),
        jwks: None,
        grants: vec![Grant::ClientCredentials],
        scopes: vec!["internal".to_owned(), "decisions".to_owned()],
        audiences: Vec::new(),
        roles: Vec::new(),
    };
    let client = test.app.clients.create(made.tenant.id, &about, BY).await.unwrap();
    let secret = client.secret.unwrap().expose().to_owned();
    let service = test.own_token(&Service { id: client.client.id.to_string(), secret }).await;
    Company { made, service }
}

/// Signs the owner of a company in.
pub(crate) async fn owner(test: &TestApp, company: &Company) -> Actor {
    let email = company.made.owner.email.clone().unwrap();
    let login = json!({"identifier": email, "password": PASSWORD, "tenant": company.made.tenant.id});
    Actor::from(test.post_open("/v1/auth/login", login).await.expect(200))
}

async fn validate(test: &TestApp, by: &str, body: Value) -> Value {
    test.post(VALIDATE, by, body).await.expect(200)
}

async fn fault(test: &TestApp, by: &str, token: &str) -> String {
    let said = validate(test, by, json!({"token": token})).await;
    assert_eq!((said.as_object().unwrap().len(), &said["valid"]), (2, &json!(false)), "{said}");
    said["code"].as_str().unwrap().to_owned()
}

async fn look(test: &TestApp, by: &str, key: &str, ip: &str) -> Value {
    test.post(VALIDATE_KEY, by, json!({"api_key": key, "ip_address": ip})).await.expect(200)
}

/// The code of a key, which is valid only if that says so.
async fn code(test: &TestApp, by: &str, key: &str, ip: &str) -> String {
    let said = look(test, by, key, ip).await;
    assert_eq!(said["valid"], json!(said["code"] == "VALID"), "{said}");
    assert_eq!(said["client"].is_object(), said["code"] == "VALID", "{said}");
    said["code"].as_str().unwrap().to_owned()
}

/// Asks the public listener.
pub(crate) async fn publicly(test: &TestApp, path: &str, token: &str) -> Reply {
    let body = Some(json!({"token": "x", "api_key": "x"}));
    crate::app::answer(&test.routers.public, request(path, token, body)).await
}

fn request(path: &str, token: &str, body: Option<Value>) -> axum::http::Request<axum::body::Body> {
    let request = axum::http::Request::post(path)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"));
    request.body(axum::body::Body::from(body.unwrap_or_default().to_string())).unwrap()
}

both! {
    async fn only_services_ask_and_only_inside(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let inside = test.inside(&root).await;
        let (_, key) = make(&test, &root, json!({"name": "k", "scopes": ["*"]})).await;
        for (path, body) in [(VALIDATE, json!({"token": root.token})), (VALIDATE_KEY, json!({"api_key": key}))] {
            publicly(&test, path, &inside).await.expect_problem(404, "not_found");
            test.post(path, &root.token, body.clone()).await.expect_problem(401, "wrong_token_type");
            test.post(path, &key, body.clone()).await.expect_problem(401, "wrong_token_type");
            test.post_open(path, body.clone()).await.expect_problem(401, "token_missing");
            let other = test.service(&root, json!({"name": "Other", "scopes": ["decisions"]})).await;
            let other = test.own_token(&other).await;
            test.post(path, &other, body.clone()).await.expect_problem(403, "insufficient_permissions");
            assert_eq!(test.post(path, &inside, body).await.expect(200)["valid"], true, "{path}");
        }
    }

    async fn a_token_is_told_with_what_its_holder_may_do(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let inside = test.inside(&root).await;
        let ann = test.user("ann").await;
        let said = validate(&test, &inside, json!({"token": ann.token})).await;
        assert_eq!((&said["valid"], &said["principal"]), (&json!(true), &json!({"type": "User", "id": ann.id})));
        assert_eq!((&said["payload"]["sub"], &said["payload"]["sid"]), (&json!(ann.id), &json!(ann.session)));
        assert!(said.get("decisions").is_none() && said.get("code").is_none());

        let view = json!({"type": "Document", "id": "handbook"});
        let asked = json!([{"action": "view", "resource": view}, {"action": "edit", "resource": view, "context": {}}]);
        let said = validate(&test, &inside, json!({"token": ann.token, "authorize": asked})).await;
        let own = test.ask(&ann.token, json!({"action": "view", "resource": view})).await.expect(200);
        let decisions = said["decisions"].as_array().unwrap();
        assert_eq!(decisions.len(), 2);
        for (decision, word) in decisions.iter().zip(["allow", "deny"]) {
            assert_eq!((&decision["decision"], &decision["policy_version"]), (&json!(word), &own["policy_version"]), "{said}");
            assert!(decision["decision_id"].as_str().unwrap().starts_with("dec_"));
        }
        assert_ne!(decisions[0]["decision_id"], decisions[1]["decision_id"]);
        assert_eq!(decisions[0]["determining_policies"], own["determining_policies"]);

        let wrong = json!([{"action": "view", "resource": view}, {"action": "fly", "resource": view}]);
        let reply = test.post(VALIDATE, &inside, json!({"token": ann.token, "authorize": wrong})).await;
        assert_eq!(reply.pointers(), ["/authorize/1/action"], "{}", reply.text);
        reply.expect_problem(422, "unknown_action");
        let many = vec![json!({"action": "view", "resource": view}); 101];
        let reply = test.post(VALIDATE, &inside, json!({"token": ann.token, "authorize": many})).await;
        assert_eq!(reply.pointers(), ["/authorize"]);
        let blind = test.service(&root, json!({"name": "Blind", "scopes": ["internal"]})).await;
        let blind = test.own_token(&blind).await;
        let body = json!({"token": ann.token, "authorize": [{"action": "view", "resource": view}]});
        test.post(VALIDATE, &blind, body).await.expect_problem(403, "insufficient_permissions");
    }

    async fn a_token_that_does_not_count_says_why(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let about = json!({"name": "Inside", "scopes": ["internal"]});
        let service = test.service(&root, about).await;
        let inside = test.own_token(&service).await;
        let (ann, bob) = (test.user("ann").await, test.user("bob").await);
        for wrong in ["", "x", "a.b.c", &ann.refresh, &ann.token[..ann.token.len() - 2], &"x".repeat(20_000)] {
            assert_eq!(fault(&test, &inside, wrong).await, "token_invalid", "{wrong:.20}");
        }
        test.delete(&format!("/v1/sessions/{}", ann.session), &ann.token).await.expect(204);
        assert_eq!(fault(&test, &inside, &ann.token).await, "token_revoked");
        let said = validate(&test, &inside, json!({"token": inside})).await;
        assert_eq!(said["principal"], json!({"type": "Service", "id": service.id}));
        test.advance(Duration::from_mins(16));
        let inside = test.own_token(&service).await;
        assert_eq!(fault(&test, &inside, &bob.token).await, "token_expired");
        test.app.db.close().await;
        let stranger = json!({"token": root.refresh});
        assert_ne!(test.post(VALIDATE, &inside, stranger).await.status.as_u16(), 401);
    }

    async fn r36_the_origins_of_the_tenant_are_compared_whole(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let inside = test.inside(&root).await;
        let ann = test.user("ann").await;
        let with = |origin: &'static str| validate(&test, &inside, json!({"token": ann.token, "origin": origin}));
        assert_eq!(with("https://any.example").await["valid"], true, "no list, no limit");
        assert_eq!(with("null").await["code"], "origin_not_allowed");
        let settings = json!({"allowed_origins": ["https://app.example.com"]});
        test.send(Method::PUT, "/v1/client/settings", Some(&root.token), Some(settings)).await.expect(200);
        assert_eq!(with("https://app.example.com").await["valid"], true);
        for other in [
            "null", "", "https://app.example.com.evil", "http://app.example.com", "https://app.example.com:8443",
            "https://APP.example.com", "https://app.example.com/", "https://badapp.example.com", "\u{e9}",
        ] {
            let said = with(other).await;
            assert_eq!((&said["valid"], &said["code"]), (&json!(false), &json!("origin_not_allowed")), "{other}");
        }
        assert_eq!(validate(&test, &inside, json!({"token": ann.token})).await["valid"], true, "no page, no origin");
    }

    /// T19: what is another tenant's is nobody's.
    async fn a_service_knows_its_own_tenant_only(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let inside = test.inside(&root).await;
        let (a, b) = (company(&test, "acme").await, company(&test, "bolt").await);
        let (of_a, key) = (owner(&test, &a).await, a.made.key.text.expose());
        for (by, knows) in [(&a.service, true), (&b.service, false), (&inside, true)] {
            let said = validate(&test, by, json!({"token": of_a.token})).await;
            assert_eq!(said["valid"], knows, "{said}");
            assert_eq!(code(&test, by, key, "192.0.2.1").await == "VALID", knows);
        }
        assert_eq!(fault(&test, &b.service, &of_a.token).await, "token_invalid");
        assert_eq!(code(&test, &b.service, key, "192.0.2.1").await, "NOT_FOUND");
        let said = look(&test, &a.service, key, "192.0.2.1").await;
        assert_eq!(said, json!({"valid": true, "code": "VALID", "client": {
            "client_id": a.made.tenant.client_id(), "tenant_id": a.made.tenant.id, "plan": "free",
            "scopes": said["client"]["scopes"], "roles": [], "key_id": a.made.key.key.id, "slot": "primary",
        }}));
    }

    async fn a_key_is_looked_at_in_order(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let inside = test.inside(&root).await;
        let ann = test.user_with_role(&root, "manager").await;
        let about = json!({"name": "k", "ip_allowlist": ["192.0.2.0/24"], "rate": {"rps": 1, "burst": 2}, "expires_in_secs": 600});
        let (id, key) = make(&test, &ann, about).await;
        let ask = |ip: &'static str| code(&test, &inside, &key, ip);
        assert_eq!(ask("203.0.113.1").await, "IP_DENIED");
        assert_eq!(ask("::ffff:192.0.2.9").await, "VALID");
        assert_eq!(look(&test, &inside, &key, "192.0.2.1").await["client"]["roles"], json!(["manager", "user"]));
        let said = look(&test, &inside, &key, "192.0.2.1").await;
        assert_eq!(said, json!({"valid": false, "code": "RATE_LIMITED", "retry_after_secs": 1}), "one use, one of the rate");
        assert_eq!(ask("203.0.113.1").await, "IP_DENIED", "the list comes first");
        test.advance(Duration::from_secs(10));

        let settings = json!({"allowed_origins": ["https://app.example.com"], "ip_allowlist": ["192.0.2.0/25"]});
        test.send(Method::PUT, "/v1/client/settings", Some(&root.token), Some(settings)).await.expect(200);
        let from = async |origin: &str| {
            test.advance(Duration::from_secs(10));
            let body = json!({"api_key": key, "ip_address": "192.0.2.1", "origin": origin});
            test.post(VALIDATE_KEY, &inside, body).await.expect(200)["code"].clone()
        };
        assert_eq!((from("https://app.example.com").await, from("null").await), (json!("VALID"), json!("ORIGIN_DENIED")));
        assert_eq!(ask("192.0.2.200").await, "IP_DENIED", "the tenant's list, by policy");
        test.advance(Duration::from_secs(10));
        test.set_status(&ann, bailiwick::users::UserStatus::Disabled).await;
        assert_eq!(ask("192.0.2.1").await, "DISABLED");
        test.set_status(&ann, bailiwick::users::UserStatus::Active).await;
        assert_eq!(ask("192.0.2.1").await, "VALID");
        let settings = json!({"allowed_origins": [], "ip_allowlist": []});
        test.send(Method::PUT, "/v1/client/settings", Some(&root.token), Some(settings)).await.expect(200);
        test.advance(Duration::from_mins(10));
        let inside = test.inside(&root_again(&test).await).await;
        assert_eq!(code(&test, &inside, &key, "192.0.2.1").await, "EXPIRED");
        let ann = test.login(&email_of(&test, &ann).await, PASSWORD).await;
        test.delete(&format!("/v1/api-keys/{id}"), &ann.token).await.expect(204);
        assert_eq!(code(&test, &inside, &key, "192.0.2.1").await, "REVOKED");
        for wrong in ["", "x", &key[..key.len() - 1], &api_key("prod", 7, &"7".repeat(43))] {
            assert_eq!(code(&test, &inside, wrong, "192.0.2.1").await, "NOT_FOUND");
        }
        test.post(VALIDATE_KEY, &inside, json!({"api_key": key, "ip_address": "192.0.2.1/24"})).await.expect_problem(422, "validation_failed");
    }

    /// T20: wrong keys are counted for the address that the service names, and before the look-up.
    async fn wrong_keys_are_counted_by_the_address_that_is_given(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let inside = test.inside(&root).await;
        let (_, key) = make(&test, &root, json!({"name": "k"})).await;
        for n in 0..30_u128 {
            assert_eq!(code(&test, &inside, &api_key("prod", n, &"7".repeat(43)), "192.0.2.1").await, "NOT_FOUND");
        }
        let said = look(&test, &inside, &api_key("prod", 99, &"7".repeat(43)), "192.0.2.1").await;
        assert_eq!((&said["code"], &said["retry_after_secs"]), (&json!("RATE_LIMITED"), &json!(2)));
        assert_eq!(code(&test, &inside, &key, "192.0.2.1").await, "RATE_LIMITED", "not looked up");
        assert_eq!(code(&test, &inside, &key, "198.51.100.7").await, "VALID", "others do not notice");
    }
}

async fn root_again(test: &TestApp) -> Actor {
    test.login("root@example.com", PASSWORD).await
}

async fn email_of(test: &TestApp, actor: &Actor) -> String {
    let user =
        test.app.users.get(bailiwick::base::TenantId::DEFAULT, actor.id.parse().unwrap()).await.unwrap();
    user.unwrap().email.unwrap()
}
