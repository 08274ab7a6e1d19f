//! T11 to T15 and T29 together: random histories of everything that gives credentials and takes them away, against a
//! model of who may still come in. No credential of what was ended ever works again, and each end is recorded once
//! and told of once.
//!
//! Seeded: `BAILIWICK_TEST_HISTORIES` says how many histories there are, 3 where it is not set.

use std::{collections::BTreeSet, time::Duration};

use axum::http::Method;
use bailiwick::{
    base::{Clock, Millis},
    users::UserStatus,
};
use serde_json::{Value, json};

use crate::{
    api_keys,
    app::{Actor, TestApp},
    both,
    support::Backend,
};

/// Steps of one history.
const STEPS: usize = 40;
/// How many ends the audit log has.
const ENDS: &str = "SELECT COUNT(*) FROM audit_log WHERE action IN
    ('session_revoked', 'sessions_revoked', 'refresh_reused', 'device_removed', 'fingerprint_mismatch')";
/// How many ends the outbox tells of.
const TOLD_ENDS: &str =
    "SELECT COUNT(*) FROM outbox WHERE type IN ('bwk.session.ended.v1', 'bwk.sessions.ended.v1',
    'bwk.session.compromised.v1', 'bwk.device.removed.v1', 'bwk.session.mismatched.v1')";
/// How many revocations of keys and roles it tells of.
const TOLD_REVOCATIONS: &str =
    "SELECT COUNT(*) FROM outbox WHERE type IN ('bwk.api_key.revoked.v1', 'bwk.role.revoked.v1')";

/// xorshift64*: the same history for the same seed.
pub(super) struct Dice(u64);

impl Dice {
    /// Those of a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).unwrap() % limit
    }

    /// The place of one that fits, if any does.
    pub(super) fn one_of<T>(&mut self, list: &[T], fits: impl Fn(&T) -> bool) -> Option<usize> {
        let fitting: Vec<usize> = (0..list.len()).filter(|at| fits(&list[*at])).collect();
        (!fitting.is_empty()).then(|| fitting[self.below(fitting.len())])
    }
}

struct User {
    mail: String,
    password: String,
    first: Actor,
    is_active: bool,
}

/// A sign-in with everything that was ever given out for it.
struct Session {
    user: usize,
    device: String,
    now: Actor,
    access: Vec<String>,
    old_refresh: Vec<String>,
    is_live: bool,
    /// When its user proved who they are.
    proven_at: Millis,
}

struct Key {
    user: usize,
    id: String,
    text: String,
    is_revoked: bool,
}

/// The server, and what ought to be so.
struct World {
    test: TestApp,
    root: Actor,
    users: Vec<User>,
    sessions: Vec<Session>,
    keys: Vec<Key>,
    /// Ends that were recorded so far.
    ends: i64,
    /// Keys and roles that were taken away so far.
    revocations: i64,
}

impl World {
    async fn new(test: TestApp) -> Self {
        let root = test.administrator().await;
        let (users, sessions, keys) = (Vec::new(), Vec::new(), Vec::new());
        let mut world = Self { test, root, users, sessions, keys, ends: 0, revocations: 0 };
        for name in ["ann", "bob", "cyd"] {
            let first = world.test.user(name).await;
            let (mail, password) = (format!("{name}@example.com"), crate::app::PASSWORD.to_owned());
            world.users.push(User { mail, password, first, is_active: true });
            world.sign_in(world.users.len() - 1).await;
        }
        world
    }

    async fn sign_in(&mut self, user: usize) {
        let (mail, password) = (&self.users[user].mail, &self.users[user].password);
        let reply = self.test.try_login(mail, password).await;
        if !self.users[user].is_active {
            assert_eq!(reply.status, 403, "{}", reply.text);
            return;
        }
        let body = reply.expect(200);
        let device = body["device_id"].as_str().unwrap().to_owned();
        let now = Actor::from(body);
        let access = vec![now.token.clone()];
        let (old_refresh, proven_at) = (Vec::new(), self.test.clock.now());
        self.sessions.push(Session { user, device, now, access, old_refresh, is_live: true, proven_at });
    }

    /// Proves again who a session is of, where that was too long ago; answers the session to go on with.
    async fn step_up(&mut self, at: usize) -> usize {
        let Session { user, device, proven_at, now, .. } = &self.sessions[at];
        if self.test.clock.now().since(*proven_at) <= Duration::from_mins(5) {
            return at;
        }
        let (user, device, old) = (*user, device.clone(), now.clone());
        let body = json!({"password": self.users[user].password});
        let now = Actor::from(self.test.post("/v1/auth/step-up", &old.token, body).await.expect(200));
        self.end(|session| session.now.session == old.session);
        let (access, proven_at) = (vec![now.token.clone()], self.test.clock.now());
        let old_refresh = Vec::new();
        self.sessions.push(Session { user, device, now, access, old_refresh, is_live: true, proven_at });
        self.sessions.len() - 1
    }

    /// Ends sessions in the model; one record is expected.
    fn end(&mut self, fits: impl Fn(&Session) -> bool) {
        self.sessions.iter_mut().filter(|session| fits(session)).for_each(|session| session.is_live = false);
        self.ends += 1;
    }

    async fn set_status(&mut self, user: usize, status: UserStatus) {
        self.test.set_status(&self.users[user].first, status).await;
        self.users[user].is_active = status == UserStatus::Active;
        if status != UserStatus::Active {
            self.end(|session| session.user == user);
        }
    }

    /// Erases a user; the next one has the same address, and nothing else of the last one's.
    async fn erase(&mut self, user: usize) {
        let path = format!("/v1/admin/users/{}", self.users[user].first.id);
        assert_eq!(self.test.delete(&path, &self.root.token).await.status, 204);
        self.end(|session| session.user == user);
        self.keys.iter_mut().filter(|key| key.user == user).for_each(|key| key.is_revoked = true);
        let (mail, password) = (self.users[user].mail.clone(), crate::app::PASSWORD.to_owned());
        let first = self.test.user(mail.trim_end_matches("@example.com")).await;
        self.users[user] = User { mail, password, first, is_active: true };
    }

    /// One random step; answers what it was.
    async fn step(&mut self, dice: &mut Dice) -> &'static str {
        let user = dice.below(self.users.len());
        let Some(at) = dice.one_of(&self.sessions, |session| session.is_live) else {
            self.set_status(user, UserStatus::Active).await;
            self.sign_in(user).await;
            return "sign in, because nobody is";
        };
        let what = dice.below(15);
        let at = if matches!(what, 7 | 12) { self.step_up(at).await } else { at };
        let (owner, now) = (self.sessions[at].user, self.sessions[at].now.clone());
        match what {
            0..=2 => {
                self.sign_in(user).await;
                "sign in"
            }
            3 | 4 => {
                let next = Actor::from(self.test.refresh(&now.refresh).await.expect(200));
                let session = &mut self.sessions[at];
                session.access.push(next.token.clone());
                session.old_refresh.push(now.refresh);
                session.now = next;
                "refresh"
            }
            5 => {
                let path = format!("/v1/sessions/{}", now.session);
                self.test.delete(&path, &now.token).await;
                self.end(|session| session.now.session == now.session);
                "revoke a session"
            }
            6 => {
                let all = dice.below(2) == 1;
                let body = json!({"all": all});
                assert_eq!(self.test.post("/v1/auth/logout", &now.token, body).await.status, 204);
                self.end(|session| session.now.session == now.session || all && session.user == owner);
                "sign out"
            }
            7 => {
                self.test.post("/v1/sessions/revoke-others", &now.token, Value::Null).await.expect(200);
                self.end(|session| session.user == owner && session.now.session != now.session);
                "revoke the others"
            }
            8 => {
                let new = format!("{} and some more {}", crate::app::PASSWORD, self.ends);
                let body = json!({"current_password": self.users[owner].password, "new_password": new});
                let reply =
                    self.test.send(Method::PUT, "/v1/auth/password", Some(&now.token), Some(body)).await;
                assert_eq!(reply.status, 204, "{}", reply.text);
                self.users[owner].password = new;
                self.end(|session| session.user == owner);
                "change the password"
            }
            9 => {
                let status = [UserStatus::Locked, UserStatus::Disabled, UserStatus::Active][dice.below(3)];
                self.set_status(user, status).await;
                "change the status"
            }
            10 => {
                let device = self.sessions[at].device.clone();
                let path = format!("/v1/devices/{device}");
                assert_eq!(self.test.delete(&path, &now.token).await.status, 204);
                self.end(|session| session.device == device);
                "remove a device"
            }
            11 => {
                let Some(old) = self.sessions[at].old_refresh.first().cloned() else {
                    return "nothing to replay";
                };
                self.test.advance(Duration::from_secs(31));
                self.test.refresh(&old).await.expect_problem(401, "refresh_reused");
                self.end(|session| session.now.session == now.session);
                "replay an old refresh token"
            }
            12 => {
                if let Some(key) = dice.one_of(&self.keys, |key| !key.is_revoked && key.user == owner) {
                    let path = format!("{}/{}", api_keys::KEYS, self.keys[key].id);
                    assert_eq!(self.test.delete(&path, &now.token).await.status, 204);
                    self.keys[key].is_revoked = true;
                    self.revocations += 1;
                    return "revoke a key";
                }
                let (id, text) = api_keys::make(&self.test, &now, json!({"name": "k"})).await;
                self.keys.push(Key { user: owner, id, text, is_revoked: false });
                "make a key"
            }
            13 => {
                self.erase(user).await;
                "erase an account"
            }
            _ => {
                let binding = self.test.grant(&self.root, &self.users[user].first, "manager").await;
                let path = format!("/v1/admin/role-bindings/{binding}");
                assert_eq!(self.test.delete(&path, &self.root.token).await.status, 204);
                self.revocations += 1;
                "grant a role and take it away"
            }
        }
    }

    /// Compares every credential that was ever given out with the model.
    async fn check(&self, after: &str) {
        for session in &self.sessions {
            for access in &session.access {
                let status = self.test.whoami(access).await.status.as_u16();
                let wanted = if session.is_live { 200 } else { 401 };
                assert_eq!(status, wanted, "an access token after: {after}");
            }
            if !session.is_live {
                let tokens: BTreeSet<_> = session.old_refresh.iter().chain([&session.now.refresh]).collect();
                for token in tokens {
                    assert_eq!(self.test.refresh(token).await.status, 401, "a refresh token after: {after}");
                }
            }
        }
        for key in &self.keys {
            let refused = api_keys::ask(&self.test, &key.text).await.status == 401;
            let wanted = key.is_revoked || !self.users[key.user].is_active;
            assert_eq!(refused, wanted, "an API key after: {after}");
        }
        let ends: i64 = self.test.app.db.sql(ENDS).scalar().await.unwrap();
        assert_eq!(ends, self.ends, "records of ends after: {after}");
        let told: i64 = self.test.app.db.sql(TOLD_ENDS).scalar().await.unwrap();
        assert_eq!(told, self.ends, "events of ends after: {after}");
        let told: i64 = self.test.app.db.sql(TOLD_REVOCATIONS).scalar().await.unwrap();
        assert_eq!(told, self.revocations, "events of revoked keys and roles after: {after}");
    }
}

async fn live(backend: Backend) {
    let histories = crate::support::setting("BAILIWICK_TEST_HISTORIES");
    let histories: u64 = histories.map_or(3, |text| text.parse().unwrap());
    for seed in 1..=histories {
        let Some(test) = TestApp::spawn_with(backend, |config| config.tokens.access_ttl_secs = 86_400).await
        else {
            return;
        };
        let mut world = World::new(test).await;
        let mut dice = Dice::new(seed);
        let mut so_far = Vec::new();
        for _ in 0..STEPS {
            so_far.push(world.step(&mut dice).await);
            world.check(&format!("seed {seed}: {so_far:?}")).await;
        }
        assert!(world.ends > 3 && world.sessions.len() > 5, "the history is too short of events: {so_far:?}");
    }
}

both! {
    async fn t14_nothing_that_was_ended_works_again(backend: Backend) {
        live(backend).await;
    }
}
