//! Tag `roles`: roles, and who has them.

use serde_json::{Value, json};

use crate::{
    app::{Actor, PASSWORD, Reply, TestApp},
    both,
};

const ROLES: &str = "/v1/admin/roles";
const BINDINGS: &str = "/v1/admin/role-bindings";

async fn create(test: &TestApp, by: &Actor, name: &str, inherits: Option<&str>) -> Reply {
    test.post(ROLES, &by.token, json!({"name": name, "inherits": inherits})).await
}

async fn grant(test: &TestApp, by: &Actor, to: &str, role: &str) -> Reply {
    test.post(BINDINGS, &by.token, json!({"user_id": to, "role": role})).await
}

async fn bindings(test: &TestApp, by: &Actor, query: &str) -> Value {
    test.get(&format!("{BINDINGS}{query}"), &by.token).await.expect(200)
}

async fn super_admin_binding(test: &TestApp, root: &Actor, of: &Actor) -> String {
    let found = bindings(test, root, &format!("?user_id={}", of.id)).await;
    let mut found =
        found["data"].as_array().unwrap().iter().filter(|binding| binding["role"] == "super_admin");
    found.next().unwrap()["id"].as_str().unwrap().to_owned()
}

both! {
    async fn roles_are_made_listed_and_removed(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let listed = test.get(ROLES, &root.token).await.expect(200);
        let names: Vec<_> = listed["data"].as_array().unwrap().iter().map(|role| role["name"].clone()).collect();
        assert_eq!(json!(names), json!(["admin", "manager", "super_admin", "user"]));
        assert!(listed["data"].as_array().unwrap().iter().all(|role| role["builtin"] == true));
        let body = json!({"name": "auditor", "description": "reads \u{1f50d} everything", "inherits": "user"});
        let made = test.post(ROLES, &root.token, body).await.expect(201);
        assert_eq!(made, json!({
            "name": "auditor", "description": "reads \u{1f50d} everything", "inherits": "user", "builtin": false,
            "created_at": "2026-11-23T10:00:00.000Z",
        }));
        create(&test, &root, "lead-auditor", Some("auditor")).await.expect(201);
        create(&test, &root, "auditor", None).await.expect_problem(409, "conflict");
        create(&test, &root, "ghost", Some("nobody-has-this")).await.expect_problem(422, "unknown_role");
        create(&test, &root, "ghost", Some("ghost")).await.expect_problem(422, "validation_failed");
        for name in ["", "A", "7up", "a b", "\u{430}", "a\u{1}", &"a".repeat(65)] {
            create(&test, &root, name, None).await.expect_problem(422, "validation_failed");
        }
        test.delete(&format!("{ROLES}/auditor"), &root.token).await.expect_problem(409, "conflict");
        test.delete(&format!("{ROLES}/lead-auditor"), &root.token).await.expect(204);
        test.delete(&format!("{ROLES}/auditor"), &root.token).await.expect(204);
        test.delete(&format!("{ROLES}/auditor"), &root.token).await.expect_problem(404, "role_not_found");
        test.delete(&format!("{ROLES}/user"), &root.token).await.expect_problem(409, "conflict");
        let long = json!({"name": "long", "description": "x".repeat(501)});
        test.post(ROLES, &root.token, long).await.expect_problem(422, "validation_failed");
    }

    async fn a_chain_of_roles_has_an_end(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let mut parent = "user".to_owned();
        let mut deep = Vec::new();
        for depth in 2..=18 {
            let name = format!("level-{depth}");
            let reply = create(&test, &root, &name, Some(&parent)).await;
            deep.push(reply.status.as_u16());
            parent = name;
        }
        assert_eq!(deep.iter().filter(|status| **status == 201).count(), 15, "16 in a row: {deep:?}");
        assert!(deep.ends_with(&[422, 422]));
    }

    async fn roles_are_granted_and_taken_away(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let ann = test.user("ann").await;
        let made = grant(&test, &root, &ann.id, "manager").await.expect(201);
        assert_eq!((&made["user_id"], &made["role"], &made["created_by"]), (&json!(ann.id), &json!("manager"), &json!(root.id)));
        assert_eq!(grant(&test, &root, &ann.id, "manager").await.expect(200), made);
        let of_ann = bindings(&test, &root, &format!("?user_id={}", ann.id)).await;
        assert_eq!(of_ann["data"].as_array().unwrap().len(), 2);
        let path = format!("{BINDINGS}/{}", made["id"].as_str().unwrap());
        test.delete(&format!("{ROLES}/manager"), &root.token).await.expect_problem(409, "conflict");
        test.delete(&path, &root.token).await.expect(204);
        test.delete(&path, &root.token).await.expect_problem(404, "not_found");
        grant(&test, &root, &ann.id, "nobody-has-this").await.expect_problem(422, "unknown_role");
        let nobody = grant(&test, &root, "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "user").await;
        assert_eq!(nobody.pointers(), ["/user_id"]);
        nobody.expect_problem(422, "validation_failed");
        let wrong = grant(&test, &root, &root.session, "user").await;
        assert_eq!(wrong.pointers(), ["/user_id"]);
        wrong.expect_problem(422, "validation_failed");
    }

    async fn the_list_of_bindings_comes_in_pages(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        for n in 0..5 {
            test.user(&format!("user-{n}")).await;
        }
        let all = bindings(&test, &root, "").await;
        assert_eq!((all["data"].as_array().unwrap().len(), &all["next_cursor"]), (6, &Value::Null));
        let (mut paged, mut query) = (Vec::new(), "?limit=2".to_owned());
        loop {
            let page = bindings(&test, &root, &query).await;
            paged.extend(page["data"].as_array().unwrap().clone());
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            query = format!("?limit=2&cursor={cursor}");
        }
        assert_eq!(json!(paged), all["data"]);
    }

    async fn nobody_raises_themselves(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let admin = test.user_with_role(&root, "admin").await;
        let ann = test.user("ann").await;
        create(&test, &root, "deputy", Some("super_admin")).await.expect(201);
        for role in ["super_admin", "deputy"] {
            grant(&test, &admin, &admin.id, role).await.expect_problem(403, "insufficient_permissions");
            grant(&test, &admin, &ann.id, role).await.expect_problem(403, "insufficient_permissions");
        }
        // An admin cannot make a role that is above their own and take that.
        let made = create(&test, &admin, "usurper", Some("super_admin")).await;
        if made.status == 201 {
            grant(&test, &admin, &admin.id, "usurper").await.expect_problem(403, "insufficient_permissions");
        } else {
            made.expect_problem(403, "insufficient_permissions");
        }
        grant(&test, &admin, &ann.id, "admin").await.expect(201);
        let of_root = super_admin_binding(&test, &root, &root).await;
        test.delete(&format!("{BINDINGS}/{of_root}"), &admin.token).await.expect_problem(403, "insufficient_permissions");
        test.whoami(&admin.token).await.expect(200);
        let fresh = test.login("root@example.com", PASSWORD).await;
        assert_eq!(test.whoami(&fresh.token).await.expect(200)["roles"], json!(["super_admin"]));
    }

    async fn users_and_managers_manage_no_roles(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let user = test.user("ann").await;
        let manager = test.user_with_role(&root, "manager").await;
        let binding = test.grant(&root, &user, "manager").await;
        test.delete(&format!("{BINDINGS}/{binding}"), &root.token).await.expect(204);
        let of_root = super_admin_binding(&test, &root, &root).await;
        for actor in [&user, &manager] {
            for reply in [
                test.get(ROLES, &actor.token).await,
                test.get(BINDINGS, &actor.token).await,
                create(&test, actor, "mine", None).await,
                grant(&test, actor, &actor.id, "user").await,
                grant(&test, actor, &actor.id, "super_admin").await,
                test.delete(&format!("{ROLES}/manager"), &actor.token).await,
                test.delete(&format!("{BINDINGS}/{of_root}"), &actor.token).await,
            ] {
                assert_eq!(reply.header("www-authenticate"), "Bearer error=\"insufficient_scope\"");
                let problem = reply.expect_problem(403, "insufficient_permissions");
                assert!(problem["decision_id"].as_str().unwrap().starts_with("dec_"));
            }
        }
    }

    async fn the_last_super_admin_stays(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let own = super_admin_binding(&test, &root, &root).await;
        test.delete(&format!("{BINDINGS}/{own}"), &root.token).await.expect_problem(409, "conflict");
        // Of two who leave at once, one stays (threat T50).
        let second = test.user_with_role(&root, "super_admin").await;
        let other = super_admin_binding(&test, &root, &second).await;
        let (path, other_path) = (format!("{BINDINGS}/{own}"), format!("{BINDINGS}/{other}"));
        let (a, b) = tokio::join!(test.delete(&path, &root.token), test.delete(&other_path, &second.token));
        let mut statuses = [a.status.as_u16(), b.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409], "{} {}", a.text, b.text);
    }
}
