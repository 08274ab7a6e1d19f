//! Tag `users`: the caller's own account.

use serde_json::json;

use crate::{
    app::{PASSWORD, TestApp},
    both,
};

both! {
    async fn one_sees_oneself(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let body = json!({"email": "Ann@Example.com", "password": PASSWORD, "username": "ann", "name": " Ann "});
        test.post_open("/v1/auth/register", body).await.expect(202);
        let ann = test.login("ann", PASSWORD).await;
        let me = test.whoami(&ann.token).await.expect(200);
        assert_eq!(me, json!({
            "id": ann.id, "tenant_id": "ten_00000000000070008000000000000001", "email": "Ann@Example.com",
            "email_verified": false, "username": "ann", "name": "Ann", "status": "active",
            "created_at": "2026-11-23T10:00:00.000Z", "roles": ["user"],
            "last_active_at": "2026-11-23T10:00:00.000Z",
        }));
    }

    async fn roles_are_those_of_now_not_of_the_token(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        assert_eq!(test.whoami(&root.token).await.expect(200)["roles"], json!(["super_admin"]));
        let ann = test.user("ann").await;
        let binding = test.grant(&root, &ann, "manager").await;
        assert_eq!(test.whoami(&ann.token).await.expect(200)["roles"], json!(["manager", "user"]));
        test.delete(&format!("/v1/admin/role-bindings/{binding}"), &root.token).await.expect(204);
        assert_eq!(test.whoami(&ann.token).await.expect(200)["roles"], json!(["user"]));
    }

    async fn a_granted_role_counts_from_the_next_decision_on(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let ann = test.user("ann").await;
        let question = json!({"action": "create", "resource": {"type": "Folder", "id": "projects"}});
        let stores = "/v1/policy-stores";
        assert_eq!(test.ask(&ann.token, question.clone()).await.expect(200)["decision"], "deny");
        test.get(stores, &ann.token).await.expect_problem(403, "insufficient_permissions");
        let binding = test.grant(&root, &ann, "admin").await;
        assert_eq!(test.ask(&ann.token, question.clone()).await.expect(200)["decision"], "allow");
        test.get(stores, &ann.token).await.expect(200);
        test.delete(&format!("/v1/admin/role-bindings/{binding}"), &root.token).await.expect(204);
        assert_eq!(test.ask(&ann.token, question).await.expect(200)["decision"], "deny");
        test.get(stores, &ann.token).await.expect_problem(403, "insufficient_permissions");
    }

    async fn a_token_is_needed(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let reply = test.get_open("/v1/users/me").await;
        assert_eq!(reply.header("www-authenticate"), "Bearer");
        reply.expect_problem(401, "token_missing");
    }
}
