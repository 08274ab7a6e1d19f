//! Tag `metrics`: what is counted, that it is counted right, and that nobody can make it grow.

use std::collections::BTreeSet;

use axum::http::Method;
use bailiwick::telemetry::metrics::{CATALOG, Kind};
use serde_json::json;

use crate::{
    app::{TestApp, send, unchecked},
    both,
    support::unique,
};

async fn scrape(test: &TestApp) -> String {
    let reply = send(&test.routers.admin, Method::GET, "/metrics", None, None).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.text
}

/// The value of one series, given as it stands in the text.
#[track_caller]
fn value(text: &str, series: &str) -> f64 {
    let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no `{series}` in\n{text}")).parse().unwrap()
}

/// What tells the series apart: every sample line without its value.
fn series(text: &str) -> BTreeSet<String> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

fn view(store: &str) -> serde_json::Value {
    json!({"policy_store": store, "action": "view", "resource": {"type": "Document", "id": "handbook"}})
}

both! {
    async fn decisions_and_requests_are_counted(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let user = test.user("counted").await;
        let before = scrape(&test).await;
        test.ask(&user.token, view("app")).await.expect(200);
        test.ask(&user.token, view("app")).await.expect(200);
        let delete = json!({"action": "delete", "resource": {"type": "Document", "id": "handbook"}});
        assert_eq!(test.ask(&user.token, delete).await.expect(200)["decision"], "deny");
        let wrong = json!({"action": "no such action", "resource": {"type": "Document", "id": "handbook"}});
        test.ask(&user.token, wrong).await.expect_problem(422, "unknown_action");
        let after = scrape(&test).await;
        let more = |series: &str| value(&after, series) - value(&before, series);
        for (series, wanted) in [
            ("bailiwick_decisions_total{store=\"app\",outcome=\"allow\"}", 2.0),
            ("bailiwick_decisions_total{store=\"app\",outcome=\"deny\"}", 1.0),
            ("bailiwick_decisions_total{store=\"app\",outcome=\"error\"}", 1.0),
            ("bailiwick_decision_duration_seconds_count{store=\"app\"}", 3.0),
            ("bailiwick_decision_candidates_count{store=\"app\"}", 3.0),
            ("bailiwick_caller_cache_lookups_total{result=\"hit\"}", 3.0),
            ("bailiwick_caller_cache_lookups_total{result=\"miss\"}", 1.0),
        ] {
            assert!((more(series) - wanted).abs() < 1e-9, "{series}: {} more", more(series));
        }
        // Our own API is guarded by the store `system`: four questions, and the second scrape.
        assert!(more("bailiwick_decisions_total{store=\"system\",outcome=\"allow\"}") >= 5.0);
        let route = "bailiwick_http_request_duration_seconds_count{route=\"/v1/authorize\",method=\"POST\"";
        assert!((value(&after, &format!("{route},status=\"2xx\"}}")) - 3.0).abs() < 1e-9);
        assert!((value(&after, &format!("{route},status=\"4xx\"}}")) - 1.0).abs() < 1e-9);
    }

    async fn the_state_of_a_store_is_read_when_somebody_looks(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let first = scrape(&test).await;
        assert!((value(&first, "bailiwick_policy_version{store=\"app\"}") - 1.0).abs() < 1e-9);
        assert!(value(&first, "bailiwick_policies{store=\"app\"}") > 5.0);
        assert!(value(&first, "bailiwick_policies_unindexed{store=\"app\"}") >= 0.0);
        assert!(value(&first, "bailiwick_index_distrusted{store=\"app\"}").abs() < 1e-9);
        assert!(value(&first, "bailiwick_bus_degraded").abs() < 1e-9);
        // Both shipped stores were compiled at the first start.
        assert!(value(&first, "bailiwick_policy_compile_duration_seconds_count") >= 2.0);
        test.advance(std::time::Duration::from_secs(90));
        let later = scrape(&test).await;
        let age = "bailiwick_policy_snapshot_age_seconds{store=\"app\"}";
        assert!((value(&later, age) - value(&first, age) - 90.0).abs() < 1e-9);
    }

    async fn the_text_is_what_the_catalog_declares(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let user = test.user("someone").await;
        test.ask(&user.token, view("app")).await.expect(200);
        let page = scrape(&test).await;
        assert!(page.ends_with("# EOF\n"));
        for metric in CATALOG {
            let base = metric.name.strip_suffix("_total").unwrap_or(metric.name);
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            // A store without pushed entities shows none.
            if !metric.name.starts_with("bailiwick_entities") {
                assert!(page.contains(&format!("# TYPE {base} {kind}\n")), "{base} {kind}\n{page}");
            }
            for sample in page.lines().filter(|line| line.starts_with(&format!("{}{{", metric.name))) {
                for label in metric.labels {
                    assert!(sample.contains(&format!("{label}=\"")), "{sample} has no `{label}`");
                }
            }
        }
        let declared = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        for name in declared {
            let known = CATALOG.iter().any(|metric| metric.name == name || metric.name == format!("{name}_total"));
            assert!(known, "`{name}` is not in the catalog");
        }
    }

    /// Threat T39: what callers make up is no label.
    async fn callers_cannot_add_series(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let user = test.user("prober").await;
        let probe = async || {
            let made_up = unique();
            let method = Method::from_bytes(format!("M{}", made_up.replace('-', "")).as_bytes()).unwrap();
            for path in [format!("/{made_up}"), format!("/v1/{made_up}/x"), format!("/v1/sessions/{made_up}")] {
                unchecked(&test.routers.public, &path).await;
            }
            send(&test.routers.public, method, "/v1/authorize", Some(&user.token), None).await;
            let store = format!("s{}", made_up.replace('-', ""));
            test.ask(&user.token, view(&store)).await.expect_problem(422, "unknown_policy_store");
            test.get(&format!("/v1/policy-stores/{store}/status"), &user.token).await;
            let with_client = json!({"action": "view", "resource": {"type": "Document", "id": made_up},
                "context": {"bailiwick": {"client_id": made_up}}});
            test.ask(&user.token, with_client).await;
            test.try_login(&format!("{made_up}@example.com"), "not the password of anyone").await;
        };
        probe().await;
        scrape(&test).await;
        let before = series(&scrape(&test).await);
        for _ in 0..20 {
            probe().await;
        }
        let after = series(&scrape(&test).await);
        let added: Vec<_> = after.difference(&before).collect();
        assert!(added.is_empty(), "{added:#?}");
        assert!(before.iter().any(|line| line.contains("method=\"other\"")));
        assert!(before.iter().any(|line| line.contains("route=\"unmatched\"")));
    }

    async fn metrics_are_not_for_the_public(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        for router in [&test.routers.public, &test.routers.internal] {
            let reply = unchecked(router, "/metrics").await;
            assert_eq!(reply.status, 404, "{}", reply.text);
            reply.assert_problem();
        }
    }
}
