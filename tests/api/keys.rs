//! Tag `keys`: the public keys, and what is done to tokens that they do not verify.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, jwk::JwkSet};
use serde_json::{Value, json};

use crate::{
    app::{Actor, TestApp, send},
    both,
    forge::{forgeries, parts},
};

async fn keys(test: &TestApp) -> Value {
    test.get_open("/.well-known/jwks.json").await.expect(200)
}

both! {
    async fn the_keys_are_public_and_may_be_cached(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let reply = test.get_open("/.well-known/jwks.json").await;
        assert_eq!(reply.header("cache-control"), "public, max-age=300");
        assert_eq!(reply.header("content-type"), "application/jwk-set+json");
        let set = reply.expect(200);
        let keys = set["keys"].as_array().unwrap();
        assert!(!keys.is_empty());
        for key in keys {
            let members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
            let mut sorted = members.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, ["alg", "crv", "kid", "kty", "use", "x"], "members of a public key only");
            assert_eq!((&key["kty"], &key["crv"], &key["alg"], &key["use"]), (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA"), &json!("sig")));
        }
    }

    /// An independent reader of the standard, with the keys as anyone gets them.
    async fn another_implementation_verifies_our_tokens(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let set: JwkSet = serde_json::from_value(keys(&test).await).unwrap();
        let header = jsonwebtoken::decode_header(&ann.token).unwrap();
        assert_eq!((header.alg, header.typ.as_deref()), (Algorithm::EdDSA, Some("at+jwt")));
        let jwk = set.find(header.kid.as_deref().unwrap()).unwrap();
        let key = DecodingKey::from_jwk(jwk).unwrap();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&["http://127.0.0.1:8080"]);
        validation.set_issuer(&["http://127.0.0.1:8080"]);
        validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
        validation.validate_exp = false; // the test's clock is not the machine's
        let read = decode::<Value>(&ann.token, &key, &validation).unwrap();
        assert_eq!(read.claims["sub"], json!(ann.id));
        let mut elsewhere = validation.clone();
        elsewhere.set_audience(&["https://elsewhere.example"]);
        assert!(decode::<Value>(&ann.token, &key, &elsewhere).is_err());
        let (_, claims) = parts(&ann.token);
        let thumbprint = jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap();
        assert_eq!(Some(thumbprint), header.kid, "the kid is the thumbprint of RFC 7638");
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
    }

    async fn forged_tokens_are_refused(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let jwk = keys(&test).await["keys"][0].clone();
        let forged = forgeries(&ann.token, &jwk);
        assert!(forged.len() > 80);
        for (what, token) in forged {
            let reply = test.whoami(&token).await;
            assert_eq!(reply.status, 401, "{what}: {}", reply.text);
            let code = reply.body["code"].as_str().unwrap();
            assert!(matches!(code, "token_invalid" | "wrong_token_type"), "{what}: {code}");
            assert_eq!(reply.header("www-authenticate"), "Bearer error=\"invalid_token\"", "{what}");
            assert!(!reply.text.contains(&token), "{what}: the token is repeated in the answer");
        }
        for other in [&ann.refresh, &ann.session, &ann.id] {
            assert_eq!(test.whoami(other).await.status, 401);
            let body = json!({"action": "view", "resource": {"type": "Document", "id": "handbook"}, "token": other});
            let reply = test.ask(&ann.token, body).await;
            assert_eq!(reply.pointers(), ["/token"], "{}", reply.text);
            reply.expect_problem(422, "validation_failed");
        }
        test.refresh(&ann.token).await.expect_problem(401, "refresh_failed");
        test.whoami(&ann.token).await.expect(200);
    }

    /// Signed by our own key, but not for us: a node with another issuer or audience on the same keys.
    async fn tokens_of_another_issuer_or_for_another_audience_are_refused(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let login = json!({"identifier": "ann@example.com", "password": crate::app::PASSWORD});
        for (issuer, audience) in [
            (Some("https://elsewhere.example"), Some("http://127.0.0.1:8080")),
            (None, Some("https://elsewhere.example")),
            (None, Some("http://127.0.0.1:8080/")),
            (Some("http://127.0.0.1:80801"), Some("http://127.0.0.1:8080")),
        ] {
            let (_app, routers) = test
                .second_node_with(|config| {
                    config.tokens.issuer = issuer.map(str::to_owned);
                    config.tokens.audience = audience.map(str::to_owned);
                })
                .await;
            let method = axum::http::Method::POST;
            let there = send(&routers.public, method, "/v1/auth/login", None, Some(login.clone())).await;
            let there = Actor::from(there.expect(200));
            test.whoami(&there.token).await.expect_problem(401, "token_invalid");
            assert_eq!(parts(&there.token).0["kid"], parts(&ann.token).0["kid"]);
        }
    }

    async fn only_one_well_formed_bearer_is_read(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ann = test.user("ann").await;
        let me = |values: Vec<Vec<u8>>| {
            let mut request = axum::http::Request::get("/v1/users/me");
            for value in values {
                request = request.header("authorization", axum::http::HeaderValue::from_bytes(&value).unwrap());
            }
            crate::app::raw(&test.routers.public, request.body(axum::body::Body::empty()).unwrap())
        };
        let bearer = format!("Bearer {}", ann.token).into_bytes();
        me(vec![bearer.clone()]).await.expect(200);
        me(vec![format!("bearer  {}", ann.token).into_bytes()]).await.expect(200);
        for values in [
            vec![bearer.clone(), bearer.clone()],
            vec![ann.token.clone().into_bytes()],
            vec![b"Bearer".to_vec()],
            vec![b"Bearer ".to_vec()],
            vec![b"Basic cm9vdDpyb290".to_vec()],
            vec![b"Bearer \xff\xfe\xfd".to_vec()],
            vec![[&bearer[..], b", ", &bearer[..]].concat()],
            vec![[&b"Bearer "[..], &vec![b'a'; 1_000_000][..]].concat()],
        ] {
            let reply = me(values).await;
            assert_eq!(reply.status, 401, "{}", reply.text);
        }
        let in_query = test.get_open(&format!("/v1/users/me?access_token={}", ann.token)).await;
        in_query.expect_problem(401, "token_missing");
    }

    async fn super_admins_see_and_replace_the_keys(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let listed = test.get("/v1/admin/keys", &root.token).await.expect(200);
        let signing = &listed["data"][0];
        assert_eq!((listed["data"].as_array().unwrap().len(), &signing["state"]), (1, &json!("active")));
        assert_eq!(signing["kid"], parts(&root.token).0["kid"]);
        assert!(!listed.to_string().contains("private"));

        let next = test.post("/v1/admin/keys/rotate", &root.token, Value::Null).await.expect(200);
        assert_eq!((&next["state"], &next["not_before"]), (&json!("pending"), &json!("2026-11-23T10:10:00.000Z")));
        assert_eq!(keys(&test).await["keys"].as_array().unwrap().len(), 2, "published at once");
        test.advance(std::time::Duration::from_mins(10));
        test.app.tokens.tend().await.unwrap();
        let ann = test.user("ann").await;
        assert_eq!(parts(&ann.token).0["kid"], next["kid"]);
        test.whoami(&root.token).await.expect(200);

        let revoke = |kid: &Value| format!("/v1/admin/keys/{}/revoke", kid.as_str().unwrap());
        test.post(&revoke(&signing["kid"]), &root.token, Value::Null).await.expect(204);
        test.whoami(&root.token).await.expect_problem(401, "token_invalid");
        let root = test.login("root@example.com", crate::app::PASSWORD).await;
        test.post(&revoke(&signing["kid"]), &root.token, Value::Null).await.expect_problem(404, "not_found");
        let listed = test.get("/v1/admin/keys", &root.token).await.expect(200);
        let old = listed["data"].as_array().unwrap().iter().find(|key| key["kid"] == signing["kid"]).unwrap();
        assert_eq!((&old["state"], &old["revoked_at"]), (&json!("retired"), &json!("2026-11-23T10:10:00.000Z")));
    }

    /// The same server with P-256 keys, read by an independent implementation.
    async fn es256_is_verified_by_others_too(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, |config| config.tokens.signing_alg = bailiwick::tokens::Algorithm::Es256).await else { return };
        let ann = test.user("ann").await;
        test.whoami(&ann.token).await.expect(200);
        let set: JwkSet = serde_json::from_value(keys(&test).await).unwrap();
        let header = jsonwebtoken::decode_header(&ann.token).unwrap();
        assert_eq!(header.alg, Algorithm::ES256);
        let jwk = set.find(header.kid.as_deref().unwrap()).unwrap();
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&["http://127.0.0.1:8080"]);
        validation.validate_exp = false;
        let read = decode::<Value>(&ann.token, &DecodingKey::from_jwk(jwk).unwrap(), &validation).unwrap();
        assert_eq!(read.claims["sub"], json!(ann.id));
        let forged = forgeries(&ann.token, &keys(&test).await["keys"][0]);
        for (what, token) in forged.into_iter().filter(|(_, token)| *token != ann.token) {
            assert_eq!(test.whoami(&token).await.status, 401, "{what}");
        }
    }
}
