//! Tag `oauth`: the endpoints of OAuth 2.0.

use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::{
    body::Body,
    http::{Request, header},
};
use bailiwick::{
    audit::Actor as Auditor,
    base::{Clock, TenantId},
    clients::{Grant, NewClient},
    storage::Run,
    users::UserStatus,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use serde_json::{Value, json};

use crate::{
    app::{Actor, PASSWORD, Service, TestApp, raw},
    both,
    forge::parts,
};

pub(crate) const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const PHOTOS: &str = "https://photos.example.com";

/// A client that may do everything.
pub(crate) async fn gateway(test: &TestApp, root: &Actor) -> Service {
    let about = json!({
        "name": "Gateway", "grants": ["client_credentials", "refresh_token", EXCHANGE],
        "scopes": ["decisions", "photos.read", "photos.write"], "audiences": [PHOTOS],
    });
    test.service(root, about).await
}

/// A client of another tenant.
pub(crate) async fn foreign(test: &TestApp) -> Service {
    let tenant = "ten_00000000000070008000000000000002";
    let mut tx = test.app.db.begin_write().await.unwrap();
    let add = tx.sql(
        "INSERT INTO tenants (id, name, status, token_epoch, created_at_ms) VALUES ($1, $1, 'active', 0, 0)",
    );
    add.bind(tenant).run().await.unwrap();
    tx.commit().await.unwrap();
    let new = NewClient {
        name: "Stranger".parse().unwrap(),
        jwks: None,
        grants: Grant::ALL.to_vec(),
        scopes: vec!["decisions".to_owned()],
        audiences: vec![PHOTOS.to_owned()],
        roles: Vec::new(),
    };
    let tenant: TenantId = tenant.parse().unwrap();
    let made = test.app.clients.create(tenant, &new, Auditor::named("test")).await.unwrap();
    Service { id: made.client.id.to_string(), secret: made.secret.unwrap().expose().to_owned() }
}

pub(crate) fn exchange<'a>(subject: &'a str, audience: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("grant_type", EXCHANGE),
        ("subject_token", subject),
        ("subject_token_type", ACCESS_TOKEN),
        ("audience", audience),
    ]
}

both! {
    async fn clients_can_configure_themselves(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, |config| {
            config.server.public_url = Some("https://id.example.com".to_owned());
        }).await else { return };
        let reply = test.get_open("/.well-known/oauth-authorization-server").await;
        assert_eq!(reply.header("cache-control"), "public, max-age=300");
        let about = reply.expect(200);
        assert_eq!(about["issuer"], json!("https://id.example.com"), "as in tokens: no path, no trailing slash");
        assert_eq!(about["jwks_uri"], json!("https://id.example.com/.well-known/jwks.json"));
        assert_eq!(about["token_endpoint"], json!("https://id.example.com/v1/oauth/token"));
        assert_eq!(about["introspection_endpoint"], json!("https://id.example.com/v1/oauth/introspect"));
        assert_eq!(about["revocation_endpoint"], json!("https://id.example.com/v1/oauth/revoke"));
        assert_eq!(about["grant_types_supported"], json!(["client_credentials", "refresh_token", EXCHANGE]));
        assert_eq!(about["token_endpoint_auth_methods_supported"], json!(["client_secret_basic", "private_key_jwt"]));
        assert_eq!(about["response_types_supported"], json!([]));
        let alias = test.get_open("/.well-known/openid-configuration").await.expect(200);
        assert_eq!(alias, about);
        let ann = test.user("ann").await;
        assert_eq!(parts(&ann.token).1["iss"], about["issuer"]);
    }

    async fn a_client_gets_a_token_and_asks_for_decisions(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let client = gateway(&test, &root).await;
        let reply = test.token(&client, &[("grant_type", "client_credentials")]).await;
        assert_eq!((reply.header("cache-control"), reply.header("pragma")), ("no-store", "no-cache"));
        let issued = reply.expect(200);
        assert_eq!((&issued["token_type"], &issued["expires_in"]), (&json!("Bearer"), &json!(900)));
        assert_eq!(issued["scope"], "decisions photos.read photos.write");
        assert!(issued.get("refresh_token").is_none(), "RFC 6749 section 4.4.3");
        let token = issued["access_token"].as_str().unwrap();
        let (head, claims) = parts(token);
        assert_eq!((&head["typ"], &claims["sub"], &claims["client_id"]), (&json!("at+jwt"), &json!(client.id), &json!(client.id)));
        assert_eq!(claims["aud"], "http://127.0.0.1:8080");

        let about = json!({"action": "view", "resource": {"type": "Document", "id": "handbook"}, "principal": {"type": "User", "id": root.id}});
        assert_eq!(test.ask(token, about).await.expect(200)["decision"], "allow");
        test.whoami(token).await.expect_problem(401, "wrong_token_type");
        test.get("/v1/policy-stores", token).await.expect_problem(403, "insufficient_permissions");

        let narrow = test.token(&client, &[("grant_type", "client_credentials"), ("scope", "photos.read photos.read")]).await.expect(200);
        assert_eq!(narrow["scope"], "photos.read");
        let narrow = narrow["access_token"].as_str().unwrap();
        let own = json!({"action": "view", "resource": {"type": "Document", "id": "handbook"}});
        test.ask(narrow, own).await.expect_problem(403, "insufficient_permissions");
        for scope in ["admin", "decisions admin", "DECISIONS"] {
            test.token(&client, &[("grant_type", "client_credentials"), ("scope", scope)]).await.expect_oauth(400, "invalid_scope");
        }
        let elsewhere = test.token(&client, &[("grant_type", "client_credentials"), ("audience", PHOTOS)]).await.expect(200);
        let elsewhere = elsewhere["access_token"].as_str().unwrap();
        assert_eq!(parts(elsewhere).1["aud"], PHOTOS);
        test.whoami(elsewhere).await.expect_problem(401, "token_invalid");
        test.token(&client, &[("grant_type", "client_credentials"), ("audience", "https://other.example")]).await.expect_oauth(400, "invalid_target");
    }

    async fn wrong_requests_are_answered_in_the_words_of_rfc_6749(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let client = gateway(&test, &root).await;
        test.token(&client, &[]).await.expect_oauth(400, "invalid_request");
        test.token(&client, &[("grant_type", "password")]).await.expect_oauth(400, "unsupported_grant_type");
        let twice = [("grant_type", "client_credentials"), ("grant_type", "client_credentials")];
        test.token(&client, &twice).await.expect_oauth(400, "invalid_request");
        let plain = test.service(&root, json!({"name": "Plain"})).await;
        test.token(&plain, &[("grant_type", "refresh_token"), ("refresh_token", "x")]).await.expect_oauth(400, "unauthorized_client");
        let named = [("grant_type", "client_credentials"), ("client_id", &*plain.id)];
        test.token(&client, &named).await.expect_oauth(401, "invalid_client");

        let send = |kind: &'static str, body: Vec<u8>| {
            let request = Request::post("/v1/oauth/token").header(header::CONTENT_TYPE, kind).header(header::AUTHORIZATION, client.basic());
            raw(&test.routers.public, request.body(Body::from(body)).unwrap())
        };
        send("application/json", b"{}".to_vec()).await.expect_oauth(415, "invalid_request");
        send("application/x-www-form-urlencoded", vec![b'a'; 70_000]).await.expect_oauth(413, "invalid_request");
        send("application/x-www-form-urlencoded; charset=UTF-8", b"grant_type=client_credentials".to_vec()).await.expect(200);
    }

    /// RFC 7523: a client that signs with a key of its own, which nobody else has.
    async fn a_client_proves_itself_by_its_own_key(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let pair = Ed25519KeyPair::generate().unwrap();
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": BASE64.encode(pair.public_key())});
        let about = json!({"name": "Signer", "auth_method": "private_key_jwt", "jwks": {"keys": [jwk]}});
        let made = test.post("/v1/admin/oauth-clients", &root.token, about).await.expect(201);
        assert!(made.get("client_secret").is_none());
        let id = made["id"].as_str().unwrap().to_owned();
        let now = test.clock.now().as_secs();
        let claims = |jti: &str| json!({"iss": id, "sub": id, "aud": "http://127.0.0.1:8080/v1/oauth/token", "exp": now + 60, "jti": jti});
        let sign = |head: Value, claims: Value| {
            let signed = format!("{}.{}", BASE64.encode(head.to_string()), BASE64.encode(claims.to_string()));
            format!("{signed}.{}", BASE64.encode(pair.sign(signed.as_bytes())))
        };
        let head = json!({"alg": "EdDSA", "kid": "k1"});
        let ask = |assertion: String| {
            let test = &test;
            async move {
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                let fields = [("grant_type", "client_credentials"), ("client_assertion_type", kind), ("client_assertion", &*assertion)];
                test.form("/v1/oauth/token", None, &fields).await
            }
        };
        let good = sign(head.clone(), claims("one"));
        ask(good.clone()).await.expect(200);
        ask(good).await.expect_oauth(401, "invalid_client"); // once
        ask(sign(json!({"alg": "EdDSA", "typ": "JWT"}), claims("two"))).await.expect(200);
        let with = |name: &str, value: Value| {
            let mut claims = claims(name);
            claims[name] = value;
            claims
        };
        for (what, head, claims) in [
            ("for another", head.clone(), with("aud", json!("https://elsewhere.example"))),
            ("by another", head.clone(), with("iss", json!("cli_019aa2c5b8f07d3c9f0b6f2f3c1d9e47"))),
            ("past its time", head.clone(), with("exp", json!(now - 60))),
            ("for too long", head.clone(), with("exp", json!(now + 3600))),
            ("from the future", head.clone(), with("iat", json!(now + 3600))),
            ("without a name", head.clone(), with("jti", json!(""))),
            ("a long name", head.clone(), with("jti", json!("x".repeat(200)))),
            ("an access token", json!({"alg": "EdDSA", "kid": "k1", "typ": "at+jwt"}), claims("three")),
            ("another key", json!({"alg": "EdDSA", "kid": "k2"}), claims("four")),
            ("another algorithm", json!({"alg": "ES256", "kid": "k1"}), claims("five")),
            ("none", json!({"alg": "none", "kid": "k1"}), claims("six")),
        ] {
            let reply = ask(sign(head, claims)).await;
            assert_eq!((reply.status.as_u16(), &reply.body["error"]), (401, &json!("invalid_client")), "{what}");
        }
        // It has no secret, so none proves it.
        let pretender = Service { id: id.clone(), secret: String::new() };
        test.token(&pretender, &[("grant_type", "client_credentials")]).await.expect_oauth(401, "invalid_client");
    }

    async fn a_session_is_continued_for_a_client(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let (client, ann) = (gateway(&test, &root).await, test.user("ann").await);
        let refresh = |token: String| {
            let (test, client) = (&test, &client);
            async move { test.token(client, &[("grant_type", "refresh_token"), ("refresh_token", &token)]).await }
        };
        let scoped = [("grant_type", "refresh_token"), ("refresh_token", &*ann.refresh), ("scope", "decisions")];
        test.token(&client, &scoped).await.expect_oauth(400, "invalid_scope");
        let foreign = foreign(&test).await;
        let of_others = [("grant_type", "refresh_token"), ("refresh_token", &*ann.refresh)];
        test.token(&foreign, &of_others).await.expect_oauth(400, "invalid_grant");
        let issued = refresh(ann.refresh.clone()).await.expect(200);
        test.whoami(issued["access_token"].as_str().unwrap()).await.expect(200);
        let next = issued["refresh_token"].as_str().unwrap().to_owned();
        let after = refresh(next.clone()).await.expect(200);
        test.advance(Duration::from_secs(31));
        refresh(next).await.expect_oauth(400, "invalid_grant"); // used twice: the session is over
        refresh(after["refresh_token"].as_str().unwrap().to_owned()).await.expect_oauth(400, "invalid_grant");
        refresh("bwk_rt_nonsense".to_owned()).await.expect_oauth(400, "invalid_grant");
    }

    /// RFC 8693: each program in the chain gets less, and is named.
    async fn a_users_token_is_exchanged_along_a_chain(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let ann = test.user("ann").await;
        // Each may ask for tokens for the next one.
        let about = |name: &str, audiences: Value, scopes: Value| json!({"name": name, "grants": [EXCHANGE], "scopes": scopes, "audiences": audiences});
        let fourth = test.service(&root, about("fourth", json!([PHOTOS]), json!(["a"]))).await;
        let third = test.service(&root, about("third", json!([fourth.id, PHOTOS]), json!(["a", "b"]))).await;
        let second = test.service(&root, about("second", json!([third.id]), json!(["a", "b", "c"]))).await;
        let first = test.service(&root, about("first", json!([second.id]), json!(["a", "b"]))).await;

        test.advance(Duration::from_mins(5));
        let issued = test.token(&first, &exchange(&ann.token, &second.id)).await.expect(200);
        assert_eq!((&issued["issued_token_type"], &issued["expires_in"]), (&json!(ACCESS_TOKEN), &json!(600)), "it ends with the exchanged one");
        let one = issued["access_token"].as_str().unwrap();
        let claims = parts(one).1;
        assert_eq!((&claims["sub"], &claims["sid"], &claims["act"]), (&json!(ann.id), &json!(ann.session), &json!({"sub": first.id})));
        assert_eq!((&claims["scope"], &claims["aud"]), (&json!("a b"), &json!(second.id)));
        test.whoami(one).await.expect_problem(401, "token_invalid"); // never for us

        let issued = test.token(&second, &exchange(one, &third.id)).await.expect(200);
        assert_eq!(issued["scope"], "a b", "no more than the exchanged token has");
        let two = issued["access_token"].as_str().unwrap();
        let mut wide = exchange(one, &third.id);
        wide.push(("scope", "c"));
        test.token(&second, &wide).await.expect_oauth(400, "invalid_scope");
        let three = test.token(&third, &exchange(two, &fourth.id)).await.expect(200);
        let three = three["access_token"].as_str().unwrap();
        assert_eq!(parts(three).1["act"], json!({"sub": third.id, "act": {"sub": second.id, "act": {"sub": first.id}}}));
        test.token(&fourth, &exchange(three, PHOTOS)).await.expect_oauth(400, "invalid_grant"); // three act already

        // Only who it is for exchanges it, and only for its own audiences.
        test.token(&third, &exchange(one, PHOTOS)).await.expect_oauth(400, "invalid_grant");
        test.token(&first, &exchange(&ann.token, PHOTOS)).await.expect_oauth(400, "invalid_target");
        test.token(&first, &exchange(&ann.token, "http://127.0.0.1:8080")).await.expect_oauth(400, "invalid_target");
        for (name, value) in [("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"), ("actor_token", "x")] {
            let mut fields = exchange(&ann.token, &second.id);
            fields.push((name, value));
            test.token(&first, &fields).await.expect_oauth(400, "invalid_request");
        }
        let foreign = foreign(&test).await;
        test.token(&foreign, &exchange(&ann.token, PHOTOS)).await.expect_oauth(400, "invalid_grant");

        // The end of the session is the end of all of them.
        test.send(axum::http::Method::POST, "/v1/auth/logout", Some(&ann.token), Some(json!({}))).await;
        test.token(&first, &exchange(&ann.token, &second.id)).await.expect_oauth(400, "invalid_grant");
        test.token(&third, &exchange(two, &fourth.id)).await.expect_oauth(400, "invalid_grant");
        assert_eq!(test.introspect(&third, two).await, json!({"active": false}));
    }

    async fn a_client_learns_whether_a_token_counts(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let (client, ann) = (gateway(&test, &root).await, test.user("ann").await);
        let told = test.introspect(&client, &ann.token).await;
        assert_eq!((&told["active"], &told["sub"], &told["token_type"]), (&json!(true), &json!(ann.id), &json!("Bearer")));
        assert_eq!((&told["sid"], &told["client_id"]), (&json!(ann.session), &json!("bailiwick")));
        let minimal = [("token", &*ann.token), ("minimal", "true"), ("token_type_hint", "refresh_token")];
        let minimal = test.form("/v1/oauth/introspect", Some(&client), &minimal).await.expect(200);
        assert_eq!(minimal, json!({"active": true, "exp": told["exp"]}));
        let refresh = test.introspect(&client, &ann.refresh).await;
        assert_eq!((&refresh["active"], &refresh["token_type"]), (&json!(true), &json!("refresh_token")));
        let own = test.own_token(&client).await;
        let told = test.introspect(&client, &own).await;
        assert_eq!((&told["active"], &told["sub"]), (&json!(true), &json!(client.id)));
        let elsewhere = test.token(&client, &exchange(&ann.token, PHOTOS)).await.expect(200);
        let told = test.introspect(&client, elsewhere["access_token"].as_str().unwrap()).await;
        assert_eq!((&told["aud"], &told["act"]), (&json!(PHOTOS), &json!({"sub": client.id})));

        let dead = json!({"active": false});
        let foreign = foreign(&test).await;
        for token in [&*ann.token, &ann.refresh, &own] {
            assert_eq!(test.introspect(&foreign, token).await, dead, "of another tenant");
        }
        for token in ["nonsense", &ann.session, &ann.id, &client.secret] {
            assert_eq!(test.introspect(&client, token).await, dead);
        }
        test.form("/v1/oauth/introspect", Some(&client), &[]).await.expect_oauth(400, "invalid_request");
        test.form("/v1/oauth/introspect", None, &[("token", &ann.token)]).await.expect_oauth(401, "invalid_client");
        test.set_status(&ann, UserStatus::Locked).await;
        assert_eq!(test.introspect(&client, &ann.token).await, dead, "locked");
        assert_eq!(test.introspect(&client, &ann.refresh).await, dead, "locked");
        test.advance(Duration::from_secs(906));
        assert_eq!(test.introspect(&client, &own).await, dead, "past its time");
    }

    async fn a_client_ends_tokens(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let client = gateway(&test, &root).await;
        let other = test.service(&root, json!({"name": "Other"})).await;
        let foreign = foreign(&test).await;
        let revoke = |by: Service, token: String| {
            let test = &test;
            async move {
                let reply = test.form("/v1/oauth/revoke", Some(&by), &[("token", &token)]).await;
                assert_eq!(reply.text, "");
                reply.expect(200);
            }
        };
        let ann = test.user("ann").await;
        revoke(foreign, ann.token.clone()).await;
        test.whoami(&ann.token).await.expect(200); // another tenant's client ends nothing
        revoke(client.clone(), ann.token.clone()).await;
        test.whoami(&ann.token).await.expect_problem(401, "token_revoked");
        test.refresh(&ann.refresh).await.expect_problem(401, "token_revoked");
        let again = test.login("ann@example.com", PASSWORD).await;
        revoke(client.clone(), again.refresh.clone()).await;
        test.whoami(&again.token).await.expect_problem(401, "token_revoked");

        let (own, stays) = (test.own_token(&client).await, test.own_token(&client).await);
        let ask = json!({"principal": {"type": "User", "id": root.id}, "action": "view", "resource": {"type": "Document", "id": "handbook"}});
        revoke(other.clone(), own.clone()).await;
        test.ask(&own, ask.clone()).await.expect(200); // it is not the other's to end
        revoke(client.clone(), own.clone()).await;
        test.ask(&own, ask.clone()).await.expect_problem(401, "token_revoked");
        assert_eq!(test.introspect(&client, &own).await, json!({"active": false}));
        test.ask(&stays, ask).await.expect(200);

        let bob = test.user("bob").await;
        let elsewhere = test.token(&client, &exchange(&bob.token, PHOTOS)).await.expect(200);
        let elsewhere = elsewhere["access_token"].as_str().unwrap().to_owned();
        revoke(client.clone(), elsewhere.clone()).await;
        assert_eq!(test.introspect(&client, &elsewhere).await, json!({"active": false}));
        test.whoami(&bob.token).await.expect(200); // the session goes on
        for token in ["nonsense", ""] {
            let fields = [("token", token), ("x", "y")];
            let reply = test.form("/v1/oauth/revoke", Some(&client), &fields).await;
            assert_eq!(reply.status.as_u16(), if token.is_empty() { 400 } else { 200 });
        }
    }
}
