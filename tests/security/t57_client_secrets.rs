//! T57: guessing client secrets, and finding out which clients there are.
//!
//! Seen to fail: with clients that are kept out let in, with an answer of its own to what is no id, and with any
//! secret taken.

use serde_json::json;

use crate::{
    app::{Service, TestApp},
    both,
    oauth::foreign,
};

const OWN: [(&str, &str); 1] = [("grant_type", "client_credentials")];

both! {
    /// Whoever is no client, or one without the right proof: the same bytes, on each endpoint.
    async fn t57_all_failures_look_the_same(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let good = test.service(&root, json!({"name": "good"})).await;
        let off = test.service(&root, json!({"name": "off"})).await;
        let path = format!("/v1/admin/oauth-clients/{}", off.id);
        test.send(axum::http::Method::PATCH, &path, Some(&root.token), Some(json!({"status": "disabled"}))).await.expect(200);
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let signer = test.post("/v1/admin/oauth-clients", &root.token, json!({"name": "s", "jwks": {"keys": [jwk]}})).await.expect(201);
        let with = |id: &str, secret: &str| Service { id: id.to_owned(), secret: secret.to_owned() };
        let near = format!("{}x", &good.secret[..good.secret.len() - 1]);
        let unknown = "cli_019aa2c5b8f07d3c9f0b6f2f3c1d9e47";
        let mut seen = std::collections::BTreeSet::new();
        for (what, client) in [
            ("a wrong secret", with(&good.id, &near)),
            ("no secret", with(&good.id, "")),
            ("a prefix", with(&good.id, &good.secret[..20])),
            ("unknown", with(unknown, &good.secret)),
            ("no id", with("", &good.secret)),
            ("nonsense", with("' OR 1=1--", "x")),
            ("another's secret", with(&off.id, &good.secret)),
            ("disabled", off.clone()),
            ("one with keys", with(signer["id"].as_str().unwrap(), "x")),
        ] {
            for path in ["/v1/oauth/token", "/v1/oauth/introspect", "/v1/oauth/revoke"] {
                let reply = test.form(path, Some(&client), &[OWN[0], ("token", "t")]).await;
                assert_eq!(reply.header("www-authenticate"), "Basic realm=\"oauth\"", "{what}");
                seen.insert((reply.status.as_u16(), reply.text.clone()));
                reply.expect_oauth(401, "invalid_client");
            }
        }
        let assertion = "eyJhbGciOiJFZERTQSIsImtpZCI6ImsifQ.eyJzdWIiOiJ4In0.AAAA";
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let reply = test.form("/v1/oauth/token", None, &[OWN[0], ("client_assertion_type", kind), ("client_assertion", assertion)]).await;
        seen.insert((reply.status.as_u16(), reply.text.clone()));
        let reply = test.form("/v1/oauth/token", None, &OWN).await;
        seen.insert((reply.status.as_u16(), reply.text));
        assert_eq!(seen.len(), 1, "{seen:?}");
        test.token(&good, &OWN).await.expect(200);
        test.token(&foreign(&test).await, &OWN).await.expect(200);
        assert_eq!(good.secret.len(), "bwk_cs_".len() + 43, "256 random bits");
    }

    /// Both ways of asking twice: a secret in the form is none, and two proofs are one too many.
    async fn t57_a_secret_has_one_place(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let good = test.service(&root, json!({"name": "good"})).await;
        let in_form = [OWN[0], ("client_id", &*good.id), ("client_secret", &*good.secret)];
        test.form("/v1/oauth/token", None, &in_form).await.expect_oauth(401, "invalid_client");
        let both = [OWN[0], ("client_assertion", "x")];
        test.form("/v1/oauth/token", Some(&good), &both).await.expect_oauth(400, "invalid_request");
    }
}
