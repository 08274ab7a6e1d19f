//! T47: a rotation of the signing key breaks clients, or a leaked key lives on.

use std::{collections::VecDeque, time::Duration};

use axum::{Router, http::Method};
use bailiwick::{
    base::{Clock, DeviceId, Millis, OsEntropy, SessionId, TenantId, UserId},
    http::AppState,
    tokens::{AccessSubject, KeyState},
};
use jsonwebtoken::{DecodingKey, Validation, decode, jwk::JwkSet};
use serde_json::Value;

use crate::{
    app::{PASSWORD, TestApp, send, unchecked},
    both,
    forge::parts,
};

/// How far the time moves at once; also how far one node lags behind the other.
const STEP: Duration = Duration::from_secs(20);

/// A verifier that keeps the key set for as long as it may, and never looks before that.
struct Verifier {
    keys: JwkSet,
    fresh_until: Millis,
}

impl Verifier {
    async fn fetch(router: &Router, now: Millis) -> Self {
        let reply = unchecked(router, "/.well-known/jwks.json").await;
        let max_age = reply.header("cache-control").strip_prefix("public, max-age=").unwrap();
        let fresh_until = now.plus(Duration::from_secs(max_age.parse().unwrap()));
        Self { keys: serde_json::from_str(&reply.text).unwrap(), fresh_until }
    }

    fn knows(&self, token: &str) -> bool {
        let header = jsonwebtoken::decode_header(token).unwrap();
        let Some(jwk) = self.keys.find(header.kid.as_deref().unwrap()) else { return false };
        let mut validation = Validation::new(header.alg);
        validation.validate_aud = false;
        validation.validate_exp = false; // the test's clock is not the machine's
        decode::<Value>(token, &DecodingKey::from_jwk(jwk).unwrap(), &validation).is_ok()
    }
}

fn subject(now: Millis) -> AccessSubject {
    AccessSubject {
        client_id: None,
        tenant_id: TenantId::DEFAULT,
        user_id: UserId::new(now, &OsEntropy).unwrap(),
        session_id: SessionId::new(now, &OsEntropy).unwrap(),
        device_id: DeviceId::new(now, &OsEntropy).unwrap(),
        version: 1,
        epoch: 0,
        auth_time: now,
        amr: vec!["pwd".to_owned()],
        roles: Vec::new(),
        scope: String::new(),
        origin: None,
    }
}

fn issue(node: &AppState) -> (String, Millis) {
    let issued = node.tokens.issue(subject(node.clock.now()), node.clock.now()).unwrap();
    (issued.token.expose().to_owned(), issued.expires_at)
}

async fn key_in(node: &AppState, state: KeyState) -> Option<String> {
    node.tokens.list().await.unwrap().into_iter().find(|key| key.state == state).map(|key| key.kid)
}

both! {
    /// Fifteen verifiers, one fetching at each step of their five minutes, over a whole rotation on two nodes,
    /// of which one is always late: no token is refused, from its first moment to its last.
    async fn t47_nobody_notices_a_rotation(backend: Backend) {
        let Some(test) = TestApp::spawn_with(backend, |config| config.tokens.key_life_days = 1).await else { return };
        let (late, routers, late_clock) = test.node_with_clock().await;
        let first = key_in(&test.app, KeyState::Active).await;
        for clock in [&test.clock, &late_clock] {
            clock.advance(Duration::from_mins(24 * 60 - 65));
        }
        let mut verifiers = VecDeque::new();
        for _ in 0..15 {
            verifiers.push_back(Verifier::fetch(&routers.public, test.clock.now()).await);
            test.advance(STEP);
            late_clock.advance(STEP);
        }
        let mut alive: VecDeque<(String, Millis)> = VecDeque::new();
        for step in 0..270 {
            let now = test.clock.now();
            test.app.tokens.tend().await.unwrap();
            for fresh in [issue(&test.app), issue(&late)] {
                alive.push_back(fresh);
            }
            while alive.front().is_some_and(|(_, ends)| *ends <= now) {
                alive.pop_front();
            }
            let stale = verifiers.pop_front().unwrap();
            assert!(stale.fresh_until <= now, "it would have kept its keys for longer");
            let router = if step % 2 == 0 { &routers.public } else { &test.routers.public };
            verifiers.push_back(Verifier::fetch(router, now).await);
            for (token, _) in alive.iter().take(2).chain(alive.iter().rev().take(2)) {
                let refused = verifiers.iter().filter(|verifier| !verifier.knows(token)).count();
                assert_eq!(refused, 0, "step {step}: {} does not verify", parts(token).0["kid"]);
                test.app.tokens.verify(token).await.unwrap();
            }
            late.tokens.tend().await.unwrap();
            test.advance(STEP);
            late_clock.advance(STEP);
        }
        assert_ne!(key_in(&test.app, KeyState::Active).await, first, "the key was not rotated");
        assert_eq!(key_in(&test.app, KeyState::Retired).await, first, "the old key was not retired");
    }

    /// A leaked key: its tokens are refused on every node, also where they were verified a moment ago.
    async fn t47_a_revoked_key_is_dead_on_every_node(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let (other, routers) = test.second_node().await;
        let root = test.administrator().await;
        let ann = test.user("ann").await;
        let on_other = |token: String| {
            let router = routers.public.clone();
            async move { send(&router, Method::GET, "/v1/users/me", Some(&token), None).await }
        };
        for _ in 0..2 {
            test.whoami(&ann.token).await.expect(200);
            on_other(ann.token.clone()).await.expect(200); // remembered there from now on
        }
        let kid = parts(&ann.token).0["kid"].as_str().unwrap().to_owned();
        let path = format!("/v1/admin/keys/{kid}/revoke");
        test.post(&path, &root.token, Value::Null).await.expect(204);

        test.whoami(&ann.token).await.expect_problem(401, "token_invalid");
        test.whoami(&root.token).await.expect_problem(401, "token_invalid");
        other.tokens.tend().await.unwrap(); // what the bus or the poll makes it do
        on_other(ann.token.clone()).await.expect_problem(401, "token_invalid");

        // Nobody lost their session: a refresh gives a token of the next key, which all nodes take.
        let fresh = test.refresh(&ann.refresh).await.expect(200);
        let fresh = fresh["access_token"].as_str().unwrap().to_owned();
        assert_ne!(parts(&fresh).0["kid"], kid.as_str());
        on_other(fresh.clone()).await.expect(200);
        test.whoami(&fresh).await.expect(200);
        test.login("ann@example.com", PASSWORD).await;
    }
}
