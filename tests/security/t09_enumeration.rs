//! T9: nobody learns who has an account, from an answer or from the work that it took.

use std::time::Duration;

use axum::http::Method;
use bailiwick::{
    base::TenantId,
    storage::StorageError,
    users::{Phc, UserStatus},
    write_tx,
};
use serde_json::{Value, json};

use crate::{
    app::{PASSWORD, Reply, TestApp},
    both,
};

const WRONG: &str = "not the password at all";

/// What a stranger sees, without what differs between any two answers.
fn seen(reply: &Reply) -> (u16, Value, Vec<String>) {
    let mut body = reply.body.clone();
    body.as_object_mut().unwrap().remove("request_id");
    (reply.status.as_u16(), body, reply.headers.keys().map(ToString::to_string).collect())
}

async fn set_phc(test: &TestApp, id: &str, phc: &str) {
    let (users, id, phc) = (&test.app.users, id.parse().unwrap(), Phc::new(phc.to_owned()));
    let done = write_tx!(test.app.db, "test", |tx| -> Result<(), StorageError> {
        users.set_phc_in(tx, TenantId::DEFAULT, id, &phc).await
    });
    done.unwrap();
}

both! {
    async fn t09_every_failed_login_is_one_hash_and_one_answer(backend: Backend) {
        let lock = |config: &mut bailiwick::config::Config| config.limits.lock_after = 3;
        let Some(test) = TestApp::spawn_with(backend, lock).await else { return };
        for name in ["ann", "waiting", "guessed"] {
            test.user(name).await;
        }
        for (name, status) in [("locked", UserStatus::Locked), ("disabled", UserStatus::Disabled), ("pending", UserStatus::Pending)] {
            let user = test.user(name).await;
            test.set_status(&user, status).await;
        }
        let imported = test.user("imported").await;
        set_phc(&test, &imported.id, "$argon2id$v=19$m=4194304,t=1000,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo").await;
        for _ in 0..4 {
            test.try_login("guessed@example.com", WRONG).await.expect_problem(401, "invalid_credentials");
        }
        test.try_login("guessed@example.com", PASSWORD).await.expect_problem(403, "account_locked");
        let long = "x".repeat(5_000);
        let paths = [
            ("unknown@example.com", PASSWORD),
            ("unknown", PASSWORD),
            ("", PASSWORD),
            ("' OR 1=1--", PASSWORD),
            (&*long, PASSWORD),
            ("ann@example.com", WRONG),
            ("ann@example.com", ""),
            ("ann@example.com", &*long),
            ("locked@example.com", WRONG),
            ("disabled@example.com", WRONG),
            ("pending@example.com", WRONG),
            ("imported@example.com", PASSWORD),
            ("guessed@example.com", WRONG),
            (&*imported.id, PASSWORD),
        ];
        let mut first = None;
        for (identifier, password) in paths {
            let before = test.app.authn.hashes();
            let reply = test.try_login(identifier, password).await;
            assert_eq!(test.app.authn.hashes() - before, 1, "{identifier:.30} {password:.30}");
            let seen = seen(&reply);
            assert_eq!(*first.get_or_insert(seen.clone()), seen, "{identifier:.30} {password:.30}");
            reply.expect_problem(401, "invalid_credentials");
        }
    }

    /// The limit says nothing either: it falls before anybody is looked up, and costs no hash.
    async fn t09_known_and_unknown_run_into_the_same_limit(backend: Backend) {
        let limit = |config: &mut bailiwick::config::Config| config.limits.login_per_identifier = 3;
        let Some(test) = TestApp::spawn_with(backend, limit).await else { return };
        let registered = json!({"email": "ann@example.com", "password": PASSWORD});
        test.post_open("/v1/auth/register", registered).await.expect(202);
        let mut limited = Vec::new();
        for identifier in ["ann@example.com", "unknown@example.com", "unknown", "", "\u{1}"] {
            for _ in 0..3 {
                test.try_login(identifier, WRONG).await.expect_problem(401, "invalid_credentials");
            }
            let before = test.app.authn.hashes();
            let reply = test.try_login(identifier, PASSWORD).await;
            assert_eq!(test.app.authn.hashes(), before, "a hash was to be had beyond the limit");
            assert_eq!((reply.header("retry-after"), reply.header("ratelimit")), ("300", "\"login-identifier\";r=0;t=300"));
            assert_eq!(reply.header("ratelimit-policy"), "\"login-identifier\";q=3;w=900");
            limited.push(seen(&reply));
            reply.expect_problem(429, "too_many_attempts");
        }
        assert!(limited.windows(2).all(|pair| pair[0] == pair[1]), "{limited:?}");
        test.advance(Duration::from_mins(5));
        test.try_login("ann@example.com", PASSWORD).await.expect(200);
    }

    async fn t09_signing_up_costs_one_hash_for_everyone(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        test.user("ann").await;
        let mut replies = Vec::new();
        for email in ["ann@example.com", "new@example.com"] {
            let before = test.app.authn.hashes();
            let body = json!({"email": email, "password": "quite another pass phrase"});
            let reply = test.send(Method::POST, "/v1/auth/register", None, Some(body)).await;
            assert_eq!(test.app.authn.hashes() - before, 1);
            replies.push((reply.status, reply.text));
        }
        assert_eq!(replies[0], replies[1]);
    }

    /// Hashes of other products are verified once and then written anew.
    async fn foreign_hashes_are_verified_and_replaced(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let user = test.user("moved").await;
        for (phc, password) in FOREIGN {
            set_phc(&test, &user.id, phc).await;
            test.try_login("moved@example.com", WRONG).await.expect_problem(401, "invalid_credentials");
            test.login("moved@example.com", password).await;
            let (users, id) = (&test.app.users, user.id.parse().unwrap());
            let now = users.credentials(TenantId::DEFAULT, id).await.unwrap().unwrap().phc.unwrap();
            assert!(now.expose().starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{phc} became {}", now.expose());
            test.login("moved@example.com", password).await;
        }
    }
}

/// Made by other programs: bcrypt by crypt(3) and as a vector of jBCrypt, the rest by Python's hashlib.
pub(crate) const FOREIGN: [(&str, &str); 5] = [
    ("$2b$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG", PASSWORD),
    ("$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.", ""),
    ("$scrypt$ln=4,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$0Pz6RuN9WCY6OfE3FYH5Myx0JqvNjul84VbFyWLBf4g", PASSWORD),
    (
        "$pbkdf2-sha256$i=1000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$yqSq2SygY1sB4EcH9f2FG0JTMES+wqLsOT5YmiRBplI",
        PASSWORD,
    ),
    (
        "$pbkdf2-sha512$i=1000,l=64$MDEyMzQ1Njc4OWFiY2RlZg$5bTW2oeyDJyGJPcmEr+mRDE11ghpozWrDGnSNhRXo2ZCu0KHRDiUMAVEGzLJC+oDhRoeIja9J1iLIv9ptDJMfQ",
        PASSWORD,
    ),
];
