//! Whole stories across tags.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use crate::{
    app::{Actor, PASSWORD, TestApp},
    both,
    policy_stores::{activate, publish},
};

both! {
    /// The tour of README, over the API.
    async fn from_a_fresh_server_to_a_decision_that_flips_and_back(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let ann = test.user("ann").await;
        let view = json!({"action": "view", "resource": {"type": "Document", "id": "handbook"}});
        let decision = async || {
            let answer = test.ask(&ann.token, view.clone()).await.expect(200);
            (answer["decision"].as_str().unwrap().to_owned(), answer["policy_version"].as_i64().unwrap())
        };
        assert_eq!(decision().await, ("allow".to_owned(), 1));
        let shown = test.get("/v1/policy-stores/app/versions/1", &root.token).await.expect(200);
        let mut files: serde_json::Map<String, Value> = shown["files"].as_object().unwrap().clone();
        let edited = files["public.cedar"].as_str().unwrap().replace(
            "when { resource.visibility == \"public\" };",
            "when { resource.visibility == \"public\" && context has mfa && context.mfa };",
        );
        files.insert("public.cedar".to_owned(), json!(edited));
        // The store's own tests notice.
        let refused = publish(&test, &root, "app", &Value::Object(files.clone())).await.expect_problem(422, "policy_refused");
        assert_eq!(refused["findings"][0]["code"], "test_failed");
        assert_eq!(decision().await, ("allow".to_owned(), 1));
        files.retain(|path, _| path != "tests/public.json");
        publish(&test, &root, "app", &Value::Object(files)).await.expect(201);
        assert_eq!(decision().await, ("allow".to_owned(), 1), "published is not active");
        activate(&test, &root, "app", 2).await.expect(200);
        assert_eq!(decision().await, ("deny".to_owned(), 2));
        let with_mfa = json!({"action": "view", "resource": {"type": "Document", "id": "handbook"}, "context": {"mfa": true}});
        assert_eq!(test.ask(&ann.token, with_mfa).await.expect(200)["decision"], "allow");
        test.post("/v1/policy-stores/app/rollback", &root.token, json!({"reason": "too strict"})).await.expect(200);
        assert_eq!(decision().await, ("allow".to_owned(), 1));
    }

    /// A phone is lost: from another device its owner ends everything it could do.
    async fn a_lost_phone(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let laptop = test.user("ann").await;
        let body = json!({"identifier": "ann@example.com", "password": PASSWORD, "device": {"name": "phone", "platform": "ios"}});
        let phone = Actor::from(test.post_open("/v1/auth/login", body).await.expect(200));
        test.advance(Duration::from_mins(20));
        let phone = Actor::from(test.refresh(&phone.refresh).await.expect(200));
        let laptop = Actor::from(test.refresh(&laptop.refresh).await.expect(200));
        let proof = json!({"password": PASSWORD});
        let laptop = Actor::from(test.post("/v1/auth/step-up", &laptop.token, proof).await.expect(200));
        let listed = test.get("/v1/sessions", &laptop.token).await.expect(200);
        let lost = listed["data"].as_array().unwrap().iter().find(|session| session["device_name"] == "phone").unwrap();
        test.delete(&format!("/v1/sessions/{}", lost["id"].as_str().unwrap()), &laptop.token).await.expect(204);
        test.whoami(&phone.token).await.expect_problem(401, "token_revoked");
        assert_eq!(test.refresh(&phone.refresh).await.status, 401);
        let change = json!({"current_password": PASSWORD, "new_password": "a new and long pass phrase", "revoke": "others"});
        let fresh = test.send(Method::PUT, "/v1/auth/password", Some(&laptop.token), Some(change)).await;
        let fresh = Actor::from(fresh.expect(200));
        assert_eq!(test.get("/v1/sessions", &fresh.token).await.expect(200)["data"].as_array().unwrap().len(), 1);
    }

    /// Someone gets a role, uses it, loses it and leaves: nothing they hold works afterwards.
    async fn someone_joins_and_leaves(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let kim = test.user("kim").await;
        let binding = test.grant(&root, &kim, "admin").await;
        publish(&test, &kim, "notes", &crate::policy_stores::files(crate::policy_stores::EVERYONE)).await.expect(201);
        activate(&test, &kim, "notes", 1).await.expect(200);
        let status = test.get("/v1/policy-stores/notes/status", &root.token).await.expect(200);
        assert_eq!(status["active"]["activated_by"], json!(kim.id));
        test.delete(&format!("/v1/admin/role-bindings/{binding}"), &root.token).await.expect(204);
        activate(&test, &kim, "notes", 1).await.expect_problem(403, "insufficient_permissions");
        test.set_status(&kim, bailiwick::users::UserStatus::Disabled).await;
        test.try_login("kim@example.com", PASSWORD).await.expect_problem(403, "account_disabled");
        for reply in [
            test.whoami(&kim.token).await,
            test.get("/v1/sessions", &kim.token).await,
            test.ask(&kim.token, json!({"action": "view", "resource": {"type": "Document", "id": "handbook"}})).await,
            test.refresh(&kim.refresh).await,
        ] {
            assert!(matches!(reply.status.as_u16(), 401 | 403), "{}", reply.text);
        }
    }

    /// What was acknowledged is there after a restart, and a session outlives the process.
    async fn a_restart_loses_nothing(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let ann = test.user("ann").await;
        let gone = test.login("ann@example.com", PASSWORD).await;
        test.post("/v1/auth/logout", &gone.token, json!({})).await.expect(204);
        test.post("/v1/admin/roles", &root.token, json!({"name": "auditor"})).await.expect(201);
        let (_app, routers) = test.second_node().await; // what a restart does with the data
        let get = |path: &'static str, token: &str| {
            let (router, token) = (routers.public.clone(), token.to_owned());
            async move { crate::app::send(&router, Method::GET, path, Some(&token), None).await }
        };
        get("/v1/users/me", &ann.token).await.expect(200);
        get("/v1/users/me", &gone.token).await.expect_problem(401, "token_revoked");
        let roles = get("/v1/admin/roles", &root.token).await.expect(200);
        assert!(roles["data"].as_array().unwrap().iter().any(|role| role["name"] == "auditor"));
    }
}
