//! T53: the policies at issuance. What they do not permit is not issued, and what cannot decide denies.

use serde_json::json;

use crate::{
    app::{Actor, TestApp},
    both,
    oauth::{exchange, gateway},
};

const PHOTOS: &str = "https://photos.example.com";
const OWN: [(&str, &str); 1] = [("grant_type", "client_credentials")];

/// Adds a policy to the system store and makes it count.
async fn add(test: &TestApp, root: &Actor, policy: &str) {
    let shown = test.get("/v1/policy-stores/system/versions/1", &root.token).await.expect(200);
    let mut files = shown["files"].clone();
    files.as_object_mut().unwrap().remove("tests/oauth.json"); // it says what this policy changes
    files["extra.cedar"] = json!(policy);
    let published = test
        .post("/v1/policy-stores/system/versions", &root.token, json!({"files": files}))
        .await
        .expect(201);
    let version = json!({"version": published["version"]});
    test.post("/v1/policy-stores/system/activate", &root.token, version).await.expect(200);
}

both! {
    async fn t53_a_scope_that_no_policy_permits_is_left_out(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let client = gateway(&test, &root).await;
        add(&test, &root, r#"@id("no-writing") @reason("not now")
            forbid (principal is Service, action == Action::"grantScope", resource == Scope::"photos.write");"#).await;
        assert_eq!(test.token(&client, &OWN).await.expect(200)["scope"], "decisions photos.read");
        let asked = [OWN[0], ("scope", "photos.read photos.write")];
        assert_eq!(test.token(&client, &asked).await.expect(200)["scope"], "photos.read");
        let only = [OWN[0], ("scope", "photos.write")];
        test.token(&client, &only).await.expect_oauth(400, "invalid_scope");
    }

    async fn t53_a_denial_is_no_token(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let (client, ann) = (gateway(&test, &root).await, test.user("ann").await);
        add(&test, &root, r#"@id("no-tokens") @reason("not now")
            forbid (principal is Service, action in [Action::"issueToken", Action::"exchangeToken", Action::"refreshToken",
                Action::"introspectToken", Action::"revokeToken"], resource);"#).await;
        test.token(&client, &OWN).await.expect_oauth(403, "access_denied");
        test.token(&client, &exchange(&ann.token, PHOTOS)).await.expect_oauth(403, "access_denied");
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", &*ann.refresh)];
        test.token(&client, &refresh).await.expect_oauth(403, "access_denied");
        for path in ["/v1/oauth/introspect", "/v1/oauth/revoke"] {
            test.form(path, Some(&client), &[("token", &ann.token)]).await.expect_oauth(403, "access_denied");
        }
        test.whoami(&ann.token).await.expect(200); // nothing was revoked
        test.refresh(&ann.refresh).await.expect(200); // nothing was used up
    }

    /// An erring forbid counts as one that fits: a missing attribute must not open anything.
    async fn t53_a_policy_that_errs_denies(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let client = gateway(&test, &root).await;
        add(&test, &root, r#"@id("overflow") @reason("it cannot be computed")
            forbid (principal is Service, action == Action::"issueToken", resource)
            when { 9223372036854775807 + 1 > 0 };"#).await;
        test.token(&client, &OWN).await.expect_oauth(403, "access_denied");
    }
}
