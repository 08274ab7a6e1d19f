//! `policy.verify_index`: decisions that are made twice, and what happens when the two differ.

use axum::http::Method;
use bailiwick::{
    authorize::WRONG_INDEX,
    policy::{EntitySlice, Layers, ServerContext, Verdict, decide},
};
use serde_json::{Value, json};

use crate::{
    app::{Actor, TestApp, send},
    both,
    policy_stores::{EVERYONE, NOBODY, files},
};

fn question() -> Value {
    json!({"policy_store": "app", "action": "view", "resource": {"type": "Document", "id": "handbook"}})
}

async fn metric(test: &TestApp, series: &str) -> String {
    let page = send(&test.routers.admin, Method::GET, "/metrics", None, None).await.text;
    let found = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ').map(str::to_owned));
    found.unwrap_or_else(|| panic!("no `{series}` in\n{page}"))
}

async fn health(test: &TestApp, root: &Actor) -> Value {
    test.get("/v1/policy-stores/app/status", &root.token).await.expect(200)
}

async fn go_live(test: &TestApp, root: &Actor, policies: &str) {
    let files = json!({"files": files(policies)});
    let published = test.post("/v1/policy-stores/app/versions", &root.token, files).await.expect(201);
    let version = json!({"version": published["version"]});
    test.post("/v1/policy-stores/app/activate", &root.token, version).await.expect(200);
}

/// Decides a question about the handbook, as an index would that answered `wrongly`; the answer that is given.
async fn settled(test: &TestApp, wrongly: bool) -> Verdict {
    let service = &test.app.authorize;
    let snapshot = service.policies.live().snapshot(&"app".parse().unwrap()).unwrap();
    let server = ServerContext::default();
    let query = snapshot.query_named(("User", "someone"), "view", ("Document", "handbook"), &server).unwrap();
    let slice = EntitySlice::new(&snapshot, Layers::default()).unwrap();
    let mut fast = decide(&snapshot, &query, &slice);
    if wrongly {
        fast.allow = !fast.allow;
        fast.determining.clear();
    }
    let walk = service.full_walk(&snapshot, &query, &slice).unwrap();
    drop(slice);
    match walk {
        Some(walk) => service.settle(fast, walk).await,
        None => fast,
    }
}

both! {
    async fn every_nth_decision_is_made_twice(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, |config| config.policy.verify_index = 0.5).await else {
            return;
        };
        let user = test.user("checked").await;
        for _ in 0..10 {
            test.ask(&user.token, question()).await.expect(200);
        }
        // Every question is two decisions, as asking is guarded by the store `system`.
        let count = async |store: &str| -> f64 {
            metric(&test, &format!("bailiwick_index_verifications_total{{store=\"{store}\"}}")).await.parse().unwrap()
        };
        assert!(count("app").await + count("system").await >= 10.0);
        for store in ["app", "system"] {
            let mismatches = format!("bailiwick_index_mismatches_total{{store=\"{store}\"}}");
            assert_eq!(metric(&test, &mismatches).await, "0");
        }
    }

    async fn none_is_made_twice_unless_asked_for(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let user = test.user("unchecked").await;
        test.ask(&user.token, question()).await.expect(200);
        assert_eq!(metric(&test, "bailiwick_index_verifications_total{store=\"app\"}").await, "0");
    }

    async fn a_wrong_index_denies_alarms_and_is_not_used_again(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, |config| config.policy.verify_index = 1.0).await else {
            return;
        };
        let root = test.administrator().await;
        go_live(&test, &root, EVERYONE).await;
        assert!(settled(&test, false).await.allow);
        assert_eq!(health(&test, &root).await["health"], "ok");

        let answer = settled(&test, true).await;
        assert!(!answer.allow && answer.determining.is_empty());
        let errors: Vec<_> = answer.errors.iter().map(|error| (error.policy_id.as_str(), &*error.message)).collect();
        assert_eq!(errors, [WRONG_INDEX]);
        assert_eq!(metric(&test, "bailiwick_index_mismatches_total{store=\"app\"}").await, "1");
        assert_eq!(metric(&test, "bailiwick_index_distrusted{store=\"app\"}").await, "1");
        let status = health(&test, &root).await;
        assert_eq!((&status["health"], &status["findings"][0]["code"]), (&json!("degraded"), &json!("index_mismatch")));
        let ready = send(&test.routers.admin, Method::GET, "/readyz", None, None).await.expect(200);
        assert_eq!(ready["policy_index"], "distrusted");

        // From now on the answer is that of the full walk, however wrong the index is.
        assert!(settled(&test, true).await.allow);
        test.ask(&root.token, question()).await.expect(200);
        assert_eq!(metric(&test, "bailiwick_index_mismatches_total{store=\"app\"}").await, "1");

        // The next activation begins with trust.
        go_live(&test, &root, NOBODY).await;
        assert_eq!(health(&test, &root).await["health"], "ok");
        assert_eq!(metric(&test, "bailiwick_index_distrusted{store=\"app\"}").await, "0");
        let ready = send(&test.routers.admin, Method::GET, "/readyz", None, None).await.expect(200);
        assert_eq!(ready["policy_index"], "ok");
    }
}
