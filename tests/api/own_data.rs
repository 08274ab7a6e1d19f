//! Tag `users`: names, a copy of what is kept, and leaving.

use axum::http::Method;
use serde_json::json;

use crate::{
    api_keys,
    app::{PASSWORD, TestApp},
    both,
};

both! {
    async fn an_account_is_changed_copied_and_closed(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let (root, ann, bob) = (test.administrator().await, test.user("ann").await, test.user("bob").await);
        let patch = |token: &str, body| {
            let token = token.to_owned();
            let test = &test;
            async move { test.send(Method::PATCH, "/v1/users/me", Some(&token), Some(body)).await }
        };
        let changed = patch(&ann.token, json!({"username": "Annie", "name": " Ann "})).await.expect(200);
        assert_eq!((&changed["username"], &changed["name"]), (&json!("Annie"), &json!("Ann")));
        patch(&bob.token, json!({"username": "ANNIE"})).await.expect_problem(409, "email_taken");
        let wrong = patch(&ann.token, json!({"name": "\u{7}"})).await;
        assert_eq!(wrong.pointers(), ["/name"]);
        wrong.expect_problem(422, "validation_failed");
        patch(&ann.token, json!({"status": "active"})).await.expect_problem(422, "validation_failed");
        let kept = patch(&ann.token, json!({"name": null})).await.expect(200);
        assert_eq!((&kept["username"], &kept["name"]), (&json!("Annie"), &json!(null)));
        let ann = test.login("annie", PASSWORD).await;

        let (_, key) = api_keys::make(&test, &ann, json!({"name": "mine"})).await;
        let copy = test.get("/v1/users/me/export", &ann.token).await.expect(200);
        assert_eq!((&copy["user"]["email"], &copy["has_password"]), (&json!("ann@example.com"), &json!(true)));
        assert_eq!(copy["sessions"].as_array().unwrap().len(), 2);
        assert_eq!((&copy["api_keys"][0]["name"], &copy["roles"][0]["role"]), (&json!("mine"), &json!("user")));
        assert_eq!(copy["devices"].as_array().unwrap().len(), 2);
        let told: Vec<_> = copy["audit"].as_array().unwrap().iter().map(|record| &record["action"]).collect();
        assert!(told.contains(&&json!("user_changed")) && told.contains(&&json!("user_created")), "{told:?}");
        let document = copy.to_string();
        for secret in ["$argon2", &key, &ann.refresh, "bob@example.com", "root@example.com"] {
            assert!(!document.contains(secret), "`{secret}` is in the copy");
        }

        test.send(Method::POST, "/v1/users/me/deactivate", Some(&ann.token), None).await.expect(204);
        test.whoami(&ann.token).await.expect_problem(401, "token_revoked");
        test.try_login("annie", PASSWORD).await.expect_problem(403, "account_disabled");
        let place = format!("/v1/admin/users/{}", ann.id);
        assert_eq!(test.get(&place, &root.token).await.expect(200)["status"], "disabled");
        test.get("/v1/admin/users/usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", &root.token).await.expect_problem(404, "not_found");
    }

    async fn a_new_device_is_told(backend: Backend) {
        let mailbox = crate::mailbox::Mailbox::open().await;
        let Some(test) = mailbox.app(backend, |_| ()).await else { return };
        let body = json!({"email": "ann@example.com", "password": PASSWORD});
        test.post_open("/v1/auth/register", body).await.expect(202);
        test.app.authn.send_due_mail().await.unwrap();
        let login = json!({"identifier": "ann@example.com", "password": PASSWORD});
        let first = test.post_open("/v1/auth/login", login.clone()).await.expect(200);
        assert_eq!(test.app.authn.send_due_mail().await.unwrap(), 0, "the first device is no news");
        let mut known = login.clone();
        known["device"] = json!({"token": first["device_token"]});
        test.post_open("/v1/auth/login", known).await.expect(200);
        assert_eq!(test.app.authn.send_due_mail().await.unwrap(), 0, "nor is one that was here before");
        test.post_open("/v1/auth/login", login).await.expect(200);
        assert_eq!(test.app.authn.send_due_mail().await.unwrap(), 1);
    }
}
