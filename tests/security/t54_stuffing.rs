//! T54: one try a victim from thousands of addresses, which no limit of one address or account sees.

use axum::{
    body::Body,
    http::{Request, header},
};
use bailiwick::{
    audit,
    base::{Limit, TenantId},
};
use serde_json::json;

use crate::{
    app::{PASSWORD, Reply, TestApp, from_peer, raw},
    both,
};

async fn login(test: &TestApp, n: u32, identifier: &str, password: &str, device: Option<&str>) -> Reply {
    let body = json!({"identifier": identifier, "password": password, "device": {"token": device}});
    let request = Request::post("/v1/auth/login").header(header::CONTENT_TYPE, "application/json");
    let request = request.body(Body::from(body.to_string())).unwrap();
    let ip = std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).to_string();
    raw(&test.routers.public, from_peer(request, &ip)).await
}

both! {
    async fn t54_stuffing_is_rationed_and_known_devices_are_not(backend: Backend) {
        let few = |config: &mut bailiwick::config::Config| {
            config.limits = bailiwick::config::LimitsConfig::default();
            config.limits.anomaly_failures = 50;
            config.limits.anomaly_logins = 5;
        };
        let Some(test) = TestApp::spawn_with(backend, few).await else { return };
        let mut owners = Vec::new();
        for n in 0..4_u32 {
            let email = format!("owner-{n}@example.com");
            let body = json!({"email": email, "password": PASSWORD});
            test.post_open("/v1/auth/register", body).await.expect(202);
            let tokens = login(&test, n, &email, PASSWORD, None).await.expect(200);
            owners.push((email, tokens["device_token"].as_str().unwrap().to_owned()));
        }
        let (mut tried, mut refused) = (0, 0);
        for n in 0..120_u32 {
            let reply = login(&test, 1_000 + n, &format!("leaked-{n}@example.com"), "a leaked pass phrase", None).await;
            if reply.status == 401 {
                tried += 1;
            } else {
                assert!(reply.text.contains("too_many_attempts"), "{}", reply.text);
                refused += 1;
            }
        }
        assert_eq!((tried, refused), (50 + 5, 65));
        for (n, (email, device)) in (0..).zip(&owners) {
            login(&test, n, email, PASSWORD, Some(device)).await.expect(200);
        }
        login(&test, 9_000, "owner-0@example.com", PASSWORD, None).await.expect_problem(429, "too_many_attempts");
        let metrics = crate::app::unchecked(&test.routers.admin, "/metrics").await.text;
        assert!(metrics.contains("bailiwick_login_anomalies_total 1"), "{metrics}");
        assert!(metrics.contains("bailiwick_logins_total{result=\"failed\"} 55"), "{metrics}");
        let records = audit::list(&mut &test.app.db, TenantId::DEFAULT, Limit::new(200).unwrap()).await.unwrap();
        let anomalies: Vec<_> = records.iter().filter(|record| record.action == "login_anomaly").collect();
        assert_eq!(anomalies.len(), 1);
        assert!(anomalies[0].detail.contains("\"failed\":50"), "{}", anomalies[0].detail);
        test.advance(std::time::Duration::from_mins(6));
        login(&test, 9_000, "owner-0@example.com", PASSWORD, None).await.expect(200);
    }
}
