//! Tag `accounts`: what administrators do with the accounts of others.

use std::time::Duration;

use bailiwick::{
    audit,
    base::{Clock, Limit, TenantId},
};
use serde_json::{Value, json};

use crate::{
    app::{Actor, PASSWORD, Reply, TestApp},
    both,
};

async fn act(test: &TestApp, by: &Actor, user: &str, what: &str) -> Reply {
    test.post(&format!("/v1/admin/users/{user}/{what}"), &by.token, json!({})).await
}

fn emails(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap()).collect()
}

both! {
    async fn users_are_found_page_by_page(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        for name in ["ann", "anna", "bob", "a_b", "a%b"] {
            test.advance(Duration::from_millis(1));
            test.user(name).await;
        }
        let all = test.get("/v1/admin/users", &root.token).await.expect(200);
        assert_eq!(emails(&all), ["root@example.com", "ann@example.com", "anna@example.com", "bob@example.com", "a_b@example.com", "a%b@example.com"]);
        let mut seen = Vec::new();
        let mut path = "/v1/admin/users?limit=4".to_owned();
        loop {
            let page = test.get(&path, &root.token).await.expect(200);
            seen.extend(emails(&page).into_iter().map(str::to_owned));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/v1/admin/users?limit=4&cursor={cursor}");
        }
        assert_eq!(seen, emails(&all));
        for (search, found) in [
            ("AN", &["ann@example.com", "anna@example.com"][..]),
            ("anna", &["anna@example.com"]),
            ("a_", &["a_b@example.com"]),
            ("a%25", &["a%b@example.com"]),
            ("%25", &[]),
            ("_", &[]),
            ("%5C", &[]),
            ("nobody", &[]),
        ] {
            let page = test.get(&format!("/v1/admin/users?search={search}"), &root.token).await.expect(200);
            assert_eq!(emails(&page), found, "{search}");
        }
        for wrong in ["limit=0", "cursor=%00", "search=%00", "other=1"] {
            test.get(&format!("/v1/admin/users?{wrong}"), &root.token).await.expect_problem(422, "validation_failed");
        }
    }

    async fn a_lock_keeps_out_and_is_lifted(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let (root, ann) = (test.administrator().await, test.user("ann").await);
        act(&test, &root, &ann.id, "lock").await.expect(204);
        test.whoami(&ann.token).await.expect_problem(401, "token_revoked");
        let locked = test.try_login("ann@example.com", PASSWORD).await.expect_problem(403, "account_locked");
        assert!(locked["unlock_at"].is_null(), "an administrator's lock has no end");
        act(&test, &root, &ann.id, "unlock").await.expect(204);
        test.login("ann@example.com", PASSWORD).await;
        test.whoami(&ann.token).await.expect_problem(401, "token_revoked");
        act(&test, &root, &root.id, "lock").await.expect_problem(409, "conflict");
        let records = audit::list(&mut &test.app.db, TenantId::DEFAULT, Limit::new(200).unwrap()).await.unwrap();
        let done: Vec<_> = records.iter().filter(|record| record.action == "login_unlocked").collect();
        assert_eq!((done.len(), &*done[0].actor, &*done[0].subject), (1, &*root.id, &*ann.id));
    }

    async fn a_lock_by_wrong_passwords_is_lifted_too(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, |config| config.limits.lock_after = 2).await else { return };
        let (root, ann) = (test.administrator().await, test.user("ann").await);
        for _ in 0..2 {
            test.try_login("ann@example.com", "not the password at all").await.expect_problem(401, "invalid_credentials");
        }
        let locked = test.try_login("ann@example.com", PASSWORD).await.expect_problem(403, "account_locked");
        assert_eq!(locked["unlock_at"], test.clock.now().plus(Duration::from_mins(15)).to_string());
        act(&test, &root, &ann.id, "unlock").await.expect(204);
        test.login("ann@example.com", PASSWORD).await;
    }

    async fn sessions_are_ended_and_links_made(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let (root, ann) = (test.administrator().await, test.user("ann").await);
        let again = test.login("ann@example.com", PASSWORD).await;
        assert_eq!(act(&test, &root, &ann.id, "revoke-sessions").await.expect(200), json!({"revoked": 2}));
        for session in [&ann, &again] {
            test.whoami(&session.token).await.expect_problem(401, "token_revoked");
        }
        let link = act(&test, &root, &ann.id, "reset-link").await.expect(200);
        assert_eq!(link["expires_at"], test.clock.now().plus(Duration::from_mins(30)).to_string());
        let token = link["link"].as_str().unwrap().strip_prefix("http://127.0.0.1:8080/reset-password#token=").unwrap();
        let body = json!({"token": token, "new_password": "another long pass phrase"});
        test.post_open("/v1/auth/password/reset", body).await.expect(204);
        test.login("ann@example.com", "another long pass phrase").await;
        let records = audit::list(&mut &test.app.db, TenantId::DEFAULT, Limit::new(200).unwrap()).await.unwrap();
        assert!(records.iter().all(|record| !record.detail.contains(token)), "the log holds a secret");
    }

    async fn admins_do_not_manage_admins(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let (admin, other) = (test.user_with_role(&root, "admin").await, test.user_with_role(&root, "admin").await);
        let (manager, ann) = (test.user_with_role(&root, "manager").await, test.user("ann").await);
        for what in ["unlock", "revoke-sessions", "reset-link", "lock"] {
            for target in [&root, &other] {
                act(&test, &admin, &target.id, what).await.expect_problem(403, "insufficient_permissions");
            }
            act(&test, &manager, &ann.id, what).await.expect_problem(403, "insufficient_permissions");
            let done = act(&test, &admin, &ann.id, what).await;
            assert!(done.status.is_success(), "{what}: {}", done.text);
            let absent = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47";
            act(&test, &root, absent, what).await.expect_problem(404, "not_found");
            act(&test, &root, "nobody", what).await.expect_problem(404, "not_found");
            let done = act(&test, &root, &other.id, what).await;
            assert!(done.status.is_success(), "{what}: {}", done.text);
        }
    }
}
