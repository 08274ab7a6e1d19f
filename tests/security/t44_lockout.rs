//! T44: locking is no weapon against the owner of an account, and guessing does not go round it.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, header},
};
use bailiwick::base::Clock;
use serde_json::{Value, json};

use crate::{
    app::{PASSWORD, Reply, TestApp, from_peer, raw},
    both,
};

const WRONG: &str = "not the password at all";
const MAIL: &str = "victim@example.com";
const DAY: Duration = Duration::from_hours(24);

/// The limits as shipped.
fn shipped(config: &mut bailiwick::config::Config) {
    config.limits = bailiwick::config::LimitsConfig::default();
}

async fn login(test: &TestApp, ip: &str, password: &str, device: Option<&str>) -> Reply {
    let body = json!({"identifier": MAIL, "password": password, "device": {"token": device}});
    let request = Request::post("/v1/auth/login").header(header::CONTENT_TYPE, "application/json");
    let request = request.body(Body::from(body.to_string())).unwrap();
    raw(&test.routers.public, from_peer(request, ip)).await
}

/// Signs the victim up and in; answers the device token.
async fn victim(test: &TestApp) -> String {
    test.post_open("/v1/auth/register", json!({"email": MAIL, "password": PASSWORD})).await.expect(202);
    device(&login(test, "192.0.2.1", PASSWORD, None).await.expect(200))
}

fn device(tokens: &Value) -> String {
    tokens["device_token"].as_str().unwrap().to_owned()
}

async fn attack(test: &TestApp, from: u8, tries: u8) {
    for n in from..from + tries {
        let reply = login(test, &format!("198.51.100.{n}"), WRONG, None).await;
        reply.expect_problem(401, "invalid_credentials");
    }
}

both! {
    async fn t44_the_owner_signs_in_from_a_known_device_all_the_same(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, shipped).await else { return };
        let token = victim(&test).await;
        attack(&test, 1, 9).await;
        login(&test, "192.0.2.2", PASSWORD, None).await.expect(200);
        attack(&test, 1, 50).await;
        let locked = login(&test, "192.0.2.3", PASSWORD, None).await.expect_problem(403, "account_locked");
        assert_eq!(locked["unlock_at"], test.clock.now().plus(Duration::from_mins(15)).to_string());
        let again = login(&test, "192.0.2.4", PASSWORD, Some(&token)).await.expect(200);
        // A known device is known until the epoch moves on, whichever sign-in it comes from.
        login(&test, "192.0.2.4", PASSWORD, Some(&device(&again))).await.expect(200);
        // And it does not open the account for others.
        login(&test, "192.0.2.3", PASSWORD, None).await.expect_problem(403, "account_locked");
        test.advance(Duration::from_mins(15));
        login(&test, "192.0.2.3", PASSWORD, None).await.expect(200);
    }

    async fn t44_a_device_must_prove_that_it_is_known(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, shipped).await else { return };
        let token = victim(&test).await;
        let other = test.user("other").await;
        let others = test.try_login("other@example.com", PASSWORD).await.expect(200);
        attack(&test, 1, 10).await;
        let (id, tag) = token.split_once('.').unwrap();
        let other_device = device(&others);
        let (other_id, _) = other_device.split_once('.').unwrap();
        for forged in ["", "x", id, &format!("{id}."), &format!("{id}.{}", &tag[1..]), &format!("{other_id}.{tag}"), &other_device, &other.token, &format!("{id}.AAAAAAAAAAAAAAAAAAAAAA")] {
            login(&test, "192.0.2.9", PASSWORD, Some(forged)).await.expect_problem(403, "account_locked");
        }
        login(&test, "192.0.2.8", PASSWORD, Some(&token)).await.expect(200);
    }

    /// A device token in wrong hands is ten guesses, not a way round the count.
    async fn t44_a_known_device_is_counted_too(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, shipped).await else { return };
        let token = victim(&test).await;
        for n in 0..10 {
            login(&test, &format!("198.51.100.{n}"), WRONG, Some(&token)).await.expect_problem(401, "invalid_credentials");
        }
        login(&test, "192.0.2.9", PASSWORD, Some(&token)).await.expect_problem(403, "account_locked");
        login(&test, "192.0.2.8", PASSWORD, None).await.expect(200);
    }

    async fn t44_a_lock_never_reaches_further_than_a_day(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, shipped).await else { return };
        let token = victim(&test).await;
        let (mut longest, mut last) = (Duration::ZERO, Duration::ZERO);
        for round in 0..12_u8 {
            attack(&test, 1 + round * 10, if round == 0 { 10 } else { 4 }).await;
            let locked = login(&test, &format!("192.0.2.{round}"), PASSWORD, None).await;
            let body = locked.expect_problem(403, "account_locked");
            let until = body["unlock_at"].as_str().unwrap();
            let left = (0..=DAY.as_secs() / 60).map(Duration::from_mins);
            let mut left = left;
            let left = left.find(|left| test.clock.now().plus(*left).to_string() == until);
            last = left.unwrap_or_else(|| panic!("locked until {until}, over a day from {}", test.clock.now()));
            longest = longest.max(last);
            login(&test, "203.0.113.7", PASSWORD, Some(&token)).await.expect(200);
            test.advance(last);
        }
        assert_eq!((longest, last), (DAY, DAY), "it grows to a day and stays there");
        login(&test, "192.0.2.100", PASSWORD, None).await.expect(200);
    }

    /// NIST SP 800-63B-4 §3.2.2: of guesses in a row, at most 100 are worth anything.
    async fn t44_after_a_hundred_guesses_a_right_one_is_not_told(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, shipped).await else { return };
        victim(&test).await;
        attack(&test, 1, 99).await;
        login(&test, "192.0.2.3", PASSWORD, None).await.expect_problem(403, "account_locked");
        attack(&test, 100, 1).await;
        login(&test, "192.0.2.3", PASSWORD, None).await.expect_problem(401, "invalid_credentials");
        test.advance(Duration::from_mins(15));
        login(&test, "192.0.2.3", PASSWORD, None).await.expect(200);
    }

    /// The count is in SQL: what a node, its memory or Redis forgets gives nobody new guesses.
    async fn t44_a_lost_redis_gives_no_free_guesses(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, shipped).await else { return };
        victim(&test).await;
        attack(&test, 1, 10).await;
        let (_, routers) = test.second_node_with(|config| "another:".clone_into(&mut config.redis.prefix)).await;
        let body = json!({"identifier": MAIL, "password": PASSWORD});
        let request = Request::post("/v1/auth/login").header(header::CONTENT_TYPE, "application/json");
        let request = request.body(Body::from(body.to_string())).unwrap();
        raw(&routers.public, from_peer(request, "192.0.2.3")).await.expect_problem(403, "account_locked");
    }

    async fn limits_are_of_an_address_and_of_an_identifier(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, shipped).await else { return };
        victim(&test).await;
        let owner = "192.0.2.77";
        for _ in 0..10 {
            login(&test, "2001:db8::1", WRONG, None).await.expect_problem(401, "invalid_credentials");
        }
        let neighbour = login(&test, "2001:db8::2", PASSWORD, None).await;
        assert_eq!(neighbour.header("retry-after"), "90");
        neighbour.expect_problem(429, "too_many_attempts");
        test.advance(Duration::from_mins(15));
        login(&test, owner, PASSWORD, None).await.expect(200);
        for n in 0..5 {
            let body = json!({"email": format!("new-{n}@example.com"), "password": PASSWORD});
            let request = Request::post("/v1/auth/register").header(header::CONTENT_TYPE, "application/json");
            let request = from_peer(request.body(Body::from(body.to_string())).unwrap(), owner);
            raw(&test.routers.public, request).await.expect(202);
        }
        let body = json!({"email": "new-6@example.com", "password": PASSWORD});
        let request = Request::post("/v1/auth/register").header(header::CONTENT_TYPE, "application/json");
        let request = from_peer(request.body(Body::from(body.to_string())).unwrap(), owner);
        raw(&test.routers.public, request).await.expect_problem(429, "too_many_attempts");
    }
}
