//! T55: a refresh token that is used from another kind of machine.
//!
//! Seen to fail: without the comparison of platforms or agents, at the rotation or in the retry window.

use axum::{
    body::Body,
    http::{Request, header},
};
use bailiwick::config::{Config, FingerprintPolicy};
use serde_json::{Value, json};

use crate::{
    app::{Actor, PASSWORD, Reply, TestApp, from_peer, raw},
    both,
    support::Backend,
};

const WINDOWS: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36";
const UPDATED: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36";
const OTHER_BROWSER: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:130.0) Gecko/20100101 Firefox/130.0";
const MAC: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36";

async fn from(test: &TestApp, path: &str, (agent, peer): (&str, &str), body: Value) -> Reply {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
    let request = request.header(header::USER_AGENT, agent).body(Body::from(body.to_string())).unwrap();
    raw(&test.routers.public, from_peer(request, peer)).await
}

async fn refresh(test: &TestApp, token: &str, at: (&str, &str)) -> Reply {
    from(test, "/v1/auth/refresh", at, json!({"refresh_token": token})).await
}

/// Ann, signed in on Windows.
async fn ann(backend: Backend, change: impl FnOnce(&mut Config)) -> Option<(TestApp, Actor)> {
    let test = TestApp::spawn_with(backend, change).await?;
    test.user("ann").await;
    let body = json!({"identifier": "ann@example.com", "password": PASSWORD});
    let signed_in = from(&test, "/v1/auth/login", (WINDOWS, "192.0.2.7"), body).await.expect(200);
    Some((test, signed_in.into()))
}

/// How often the audit log has an action.
async fn recorded(test: &TestApp, action: &str) -> i64 {
    test.app.db.sql("SELECT COUNT(*) FROM audit_log WHERE action = $1").bind(action).scalar().await.unwrap()
}

both! {
    async fn t55_another_platform_ends_the_session(backend: Backend) {
        let Some((test, ann)) = ann(backend, |_| {}).await else { return };
        let refused = refresh(&test, &ann.refresh, (MAC, "192.0.2.7")).await;
        assert_eq!(refused.header("x-auth-action"), "relogin");
        refused.expect_problem(401, "fingerprint_mismatch");
        assert_eq!(recorded(&test, "fingerprint_mismatch").await, 1);
        test.whoami(&ann.token).await.expect_problem(401, "token_revoked");
        refresh(&test, &ann.refresh, (WINDOWS, "192.0.2.7")).await.expect_problem(401, "token_revoked");
    }

    async fn t55_the_retry_window_is_no_way_around(backend: Backend) {
        let Some((test, ann)) = ann(backend, |_| {}).await else { return };
        refresh(&test, &ann.refresh, (WINDOWS, "192.0.2.7")).await.expect(200);
        refresh(&test, &ann.refresh, (MAC, "192.0.2.7")).await.expect_problem(401, "fingerprint_mismatch");
        test.whoami(&ann.token).await.expect_problem(401, "token_revoked");
    }

    async fn t55_an_update_and_another_network_are_nothing(backend: Backend) {
        let Some((test, ann)) = ann(backend, |_| {}).await else { return };
        let next: Actor = refresh(&test, &ann.refresh, (UPDATED, "198.51.100.9")).await.expect(200).into();
        test.whoami(&next.token).await.expect(200);
        assert_eq!(recorded(&test, "fingerprint_changed").await, 0);
    }

    async fn t55_another_browser_is_recorded_once(backend: Backend) {
        let Some((test, ann)) = ann(backend, |_| {}).await else { return };
        let next: Actor = refresh(&test, &ann.refresh, (OTHER_BROWSER, "192.0.2.7")).await.expect(200).into();
        refresh(&test, &next.refresh, (OTHER_BROWSER, "192.0.2.7")).await.expect(200);
        assert_eq!(recorded(&test, "fingerprint_changed").await, 1);
    }

    async fn t55_the_policy_is_the_operators(backend: Backend) {
        let step_up = |config: &mut Config| config.sessions.on_other_platform = FingerprintPolicy::StepUp;
        let Some((test, first)) = ann(backend, step_up).await else { return };
        let refused = refresh(&test, &first.refresh, (MAC, "192.0.2.7")).await;
        assert!(refused.header("www-authenticate").contains("insufficient_user_authentication"));
        refused.expect_problem(401, "step_up_required");
        // Who has the session keeps it.
        refresh(&test, &first.refresh, (WINDOWS, "192.0.2.7")).await.expect(200);
        let off = |config: &mut Config| config.sessions.on_other_platform = FingerprintPolicy::Off;
        let Some((test, second)) = ann(backend, off).await else { return };
        refresh(&test, &second.refresh, (MAC, "192.0.2.7")).await.expect(200);
    }
}
