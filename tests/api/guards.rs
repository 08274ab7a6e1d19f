//! What guards our own API is held for as long as its grounds stand, and not for a moment longer.

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::{Value, json};

use crate::{
    app::{Actor, TestApp, answer, from_peer},
    both,
    policy_stores::{activate, active_files, publish},
};

const ROLES: &str = "/v1/admin/roles";

/// Whether a user may list the roles; asked twice, so that the second answer may be a held one.
async fn may_list(test: &TestApp, by: &Actor) -> bool {
    let first = test.get(ROLES, &by.token).await.status;
    assert_eq!(test.get(ROLES, &by.token).await.status, first);
    first == 200
}

/// The system store with one more file of policies, and a change to its schema; answers the version.
async fn with_policy(test: &TestApp, root: &Actor, policy: &str, schema: (&str, &str)) -> i64 {
    let mut files = active_files(test, root, "system").await;
    files.retain(|path, _| !path.starts_with("tests/")); // they say that nobody else may
    files.insert("extra.cedar".to_owned(), json!(policy));
    let path = "schema/system.cedarschema";
    let changed = files[path].as_str().unwrap().replace(schema.0, schema.1);
    files.insert(path.to_owned(), json!(changed));
    publish(test, root, "system", &Value::Object(files)).await.expect(201)["version"].as_i64().unwrap()
}

async fn make_active(test: &TestApp, root: &Actor, version: i64) {
    activate(test, root, "system", version).await.expect(200);
}

const NO_CHANGE: (&str, &str) = ("\u{0}", "");

both! {
    async fn a_role_moves_the_grounds(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let (root, ann) = (test.administrator().await, test.user("ann").await);
        for _ in 0..2 {
            assert!(!may_list(&test, &ann).await);
            let binding = test.grant(&root, &ann, "admin").await;
            assert!(may_list(&test, &ann).await);
            test.delete(&format!("/v1/admin/role-bindings/{binding}"), &root.token).await.expect(204);
        }
        assert!(!may_list(&test, &ann).await);
    }

    async fn a_version_moves_the_grounds(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let (root, ann) = (test.administrator().await, test.user("ann").await);
        assert!(!may_list(&test, &ann).await);
        let all = "@id(\"all-list\")\n@reason(\"a test\")\npermit (principal is User, action == Action::\"listRoles\", resource);\n";
        let second = with_policy(&test, &root, all, NO_CHANGE).await;
        assert!(!may_list(&test, &ann).await);
        make_active(&test, &root, second).await;
        assert!(may_list(&test, &ann).await);
        make_active(&test, &root, 1).await;
        assert!(!may_list(&test, &ann).await);
    }

    async fn a_pushed_entity_moves_the_grounds(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let (root, ann) = (test.administrator().await, test.user("ann").await);
        let open = "@id(\"open-house\")\n@reason(\"a test\")\npermit (principal is User, action == Action::\"listRoles\", resource)\n\
                    when { resource has open && resource.open };\n";
        let schema = ("status?: String,\n};", "status?: String, open?: Bool,\n};");
        let version = with_policy(&test, &root, open, schema).await;
        make_active(&test, &root, version).await;
        let tenant = "/v1/policy-stores/system/entities/Tenant/ten_00000000000070008000000000000001";
        for open in [true, false, true] {
            let entity = json!({"attrs": {"open": open}});
            let put = test.send(axum::http::Method::PUT, tenant, Some(&root.token), Some(entity)).await;
            assert!(put.status.is_success(), "{}", put.text);
            assert_eq!(may_list(&test, &ann).await, open);
        }
        test.delete(tenant, &root.token).await;
        assert!(!may_list(&test, &ann).await);
    }

    async fn a_policy_that_reads_the_context_is_asked_each_time(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let (root, ann) = (test.administrator().await, test.user("ann").await);
        let near = "@id(\"near\")\n@reason(\"a test\")\npermit (principal is User, action == Action::\"listRoles\", resource)\n\
                    when { context.bailiwick has ip && context.bailiwick.ip == ip(\"192.0.2.7\") };\n";
        let version = with_policy(&test, &root, near, NO_CHANGE).await;
        make_active(&test, &root, version).await;
        for (peer, status) in [("192.0.2.7", 200), ("192.0.2.8", 403), ("192.0.2.7", 200), ("192.0.2.8", 403)] {
            let request = Request::get(ROLES).header(header::AUTHORIZATION, format!("Bearer {}", ann.token));
            let request = from_peer(request.body(Body::empty()).unwrap(), peer);
            assert_eq!(answer(&test.routers.public, request).await.status, status, "{peer}");
        }
    }
}
